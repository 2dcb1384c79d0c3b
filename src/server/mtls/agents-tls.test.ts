import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions } from 'node:tls'
import { pino } from 'pino'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  makeAuthority,
  makeCertificate,
  makeSelfSigned,
  type TestCertificate,
} from '../../../test/harness/certificates.ts'
import { loadConfig } from '#config'
import { certificateFacts, onlyCertificate } from '#core'
import type { PeerCertificate } from '#gate'
import { AgentsTls } from './agents-tls.ts'
import { peerOf } from './peer.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-mtls-'))
afterAll(() => rmSync(folder, { recursive: true }))

const authority = makeAuthority('Agents')
const servers = makeAuthority('Servers')
const agent = makeCertificate(authority, 'agent-1')
const versions = ['TLSv1.2', 'TLSv1.3'] as const

const closing: (() => void)[] = []
afterEach(() => closing.splice(0).forEach((close) => close()))

let logged: string[]
let faults: string[]
let seen: (PeerCertificate | undefined)[]
beforeEach(() => {
  logged = []
  faults = []
  seen = []
})

function put(name: string, text: string): void {
  writeFileSync(join(folder, `${name}.new`), text, { mode: 0o600 })
  renameSync(join(folder, `${name}.new`), join(folder, name))
}

async function listen(more: object = {}): Promise<{ readonly tls: AgentsTls; readonly port: number }> {
  const server = makeCertificate(servers, 'server', ['127.0.0.1'])
  put('server.pem', server.cert)
  put('server.key', server.key)
  put('agents.pem', authority.cert)
  const files = { certFile: 'server.pem', keyFile: 'server.key', clientCaFile: 'agents.pem', ...more }
  put(
    'portcullis.yaml',
    JSON.stringify({
      database: { url: 'postgres://a:b@127.0.0.1/c' },
      listen: { agentsHttp: '127.0.0.1:0' },
      tls: files,
    }),
  )
  const loaded = loadConfig({ file: join(folder, 'portcullis.yaml'), env: {}, mode: 'serve' })
  const tls = new AgentsTls(
    loaded.ok ? loaded.config : expect.fail('settings'),
    pino({ level: 'error' }, { write: (line) => void logged.push(line) }),
  )
  const https: Server = createServer({ ...tls.context, ...tls.handshake }, (request, response) => {
    seen.push(peerOf(request.socket, Date.now()))
    response.end('in')
  })
  tls.attach(https, (fault) => faults.push(fault))
  https.listen(0, '127.0.0.1')
  await once(https, 'listening')
  closing.push(() => {
    tls.close()
    https.close()
    https.closeAllConnections()
  })
  return { tls, port: (https.address() as AddressInfo).port }
}

const as = ({ cert, key }: TestCertificate): ConnectionOptions => ({ cert, key })

interface Connected {
  readonly resumed: boolean
  readonly answer: string
}

/** One request on a connection of its own; an empty answer is a connection that was cut. */
async function ask(port: number, options: ConnectionOptions): Promise<Connected> {
  const socket = connect({ host: '127.0.0.1', port, ca: servers.cert, ...options })
  closing.push(() => socket.destroy())
  socket.on('error', () => undefined)
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
  socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  let resumed = false
  socket.on('secureConnect', () => (resumed = socket.isSessionReused()))
  await new Promise((resolve) => socket.once('close', resolve))
  return { resumed, answer }
}

async function letIn(port: number, options: ConnectionOptions): Promise<boolean> {
  return (await ask(port, options)).answer.startsWith('HTTP/1.1 200')
}

const factsOf = ({ cert }: TestCertificate) => {
  const read = onlyCertificate(cert)
  return typeof read === 'string' ? expect.fail(read) : certificateFacts(read)
}

describe.each(versions)('the handshake of %s', (maxVersion) => {
  it('G17: lets in who has a certificate of the authority, and knows it by its connection', async () => {
    const { port } = await listen()
    expect(await letIn(port, { ...as(agent), maxVersion })).toBe(true)
    const { thumbprint } = factsOf(agent)
    expect(seen).toEqual([{ thumbprint, subject: 'CN=agent-1', selfSigned: false }])
    expect(faults).toEqual([])
  })

  it.each([
    ['no certificate', () => ({})],
    ['one of another authority', () => as(makeCertificate(makeAuthority('Others'), 'agent-1'))],
    ['one of an authority of the same name', () => as(makeCertificate(makeAuthority('Agents'), 'agent-1'))],
    ['one that has expired', () => as(makeCertificate(authority, 'agent-1', [], { toSeconds: -1 }))],
    ['one that is not valid yet', () => as(makeCertificate(authority, 'agent-1', [], { fromSeconds: 600 }))],
    ['one that signed itself', () => as(makeSelfSigned('agent-1'))],
  ] satisfies [string, () => ConnectionOptions][])('W47: cuts off who has %s', async (_, options) => {
    const { port } = await listen()
    expect(await letIn(port, { ...options(), maxVersion })).toBe(false)
    await vi.waitFor(() => expect(faults).toEqual(['tls']))
    expect(seen).toEqual([])
  })

  it('G17: a resumed session is that of its certificate, and ends with it', async () => {
    const { port } = await listen()
    const short = makeCertificate(authority, 'agent-1', [], { toSeconds: 4 })
    const first = connect({ host: '127.0.0.1', port, ca: servers.cert, ...as(short), maxVersion })
    closing.push(() => first.destroy())
    const [session] = (await once(first, 'session')) as [Buffer]
    first.destroy()
    const again = await ask(port, { session, maxVersion })
    expect(again.resumed).toBe(true)
    expect(again.answer).toMatch(/^HTTP\/1\.1 200/)
    expect(seen).toEqual([{ thumbprint: factsOf(short).thumbprint, subject: 'CN=agent-1', selfSigned: false }])
    const { validToMs } = factsOf(short)
    vi.useFakeTimers({ toFake: ['Date'], now: validToMs })
    closing.push(() => vi.useRealTimers())
    expect(await letIn(port, { session, maxVersion })).toBe(false)
  })

  it('G17: certificates that signed themselves come through where that is asked for, and no others', async () => {
    const { port } = await listen({ acceptSelfSigned: true })
    const own = makeSelfSigned('agent-1')
    expect(await letIn(port, { ...as(own), maxVersion })).toBe(true)
    expect(await letIn(port, { ...as(agent), maxVersion })).toBe(true)
    expect(seen).toEqual([
      { thumbprint: factsOf(own).thumbprint, subject: 'CN=agent-1', selfSigned: true },
      { thumbprint: factsOf(agent).thumbprint, subject: 'CN=agent-1', selfSigned: false },
    ])
    for (const wrong of [
      {},
      as(makeCertificate(makeAuthority('Others'), 'agent-1')),
      as(makeSelfSigned('agent-1', { toSeconds: -1 })),
      as(makeSelfSigned('agent-1', { fromSeconds: 600 })),
      as(makeAuthority('agent-1')),
    ]) {
      expect(await letIn(port, { ...wrong, maxVersion })).toBe(false)
    }
    await vi.waitFor(() => expect(faults).toHaveLength(5))
  })
})

describe('the listener', () => {
  it('G17: speaks nothing older than it was told to', async () => {
    const { port } = await listen({ minVersion: '1.3' })
    expect(await letIn(port, { ...as(agent), maxVersion: 'TLSv1.2' })).toBe(false)
    expect(await letIn(port, as(agent))).toBe(true)
    const { port: older } = await listen()
    const options = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    expect(await letIn(older, { ...as(agent), ...options })).toBe(false)
  })

  it('G17: renewed files are taken over without a restart; half of them are not', async () => {
    const { port } = await listen()
    const [other, renewed] = [makeAuthority('Next'), makeCertificate(servers, 'renewed', ['127.0.0.1'])]
    const next = makeCertificate(other, 'agent-2')
    const commonName = async (): Promise<string | undefined> => {
      const socket = connect({ host: '127.0.0.1', port, ca: servers.cert, ...as(agent) })
      closing.push(() => socket.destroy())
      await once(socket, 'secureConnect')
      return socket.getPeerX509Certificate()?.subject
    }
    put('server.pem', renewed.cert)
    put('agents.pem', `${authority.cert}${other.cert}`)
    // The new certificate does not fit the old key.
    await vi.waitFor(() => expect(logged.join('')).toContain('tls.files_refused'), { timeout: 10_000, interval: 20 })
    expect(logged.join('')).not.toContain('PRIVATE KEY')
    expect(await commonName()).toBe('CN=server')
    put('server.key', renewed.key)
    await vi.waitFor(async () => expect(await commonName()).toBe('CN=renewed'), { timeout: 10_000, interval: 50 })
    expect(await letIn(port, as(next))).toBe(true)
  })

  it('G17: a session that an authority opened is not resumed once that authority is gone', async () => {
    const { port } = await listen()
    const first = connect({ host: '127.0.0.1', port, ca: servers.cert, ...as(agent) })
    closing.push(() => first.destroy())
    const [session] = (await once(first, 'session')) as [Buffer]
    put('agents.pem', makeAuthority('Next').cert)
    await vi.waitFor(async () => expect(await letIn(port, as(agent))).toBe(false), { timeout: 10_000, interval: 50 })
    expect(await letIn(port, { ...as(agent), session })).toBe(false)
  })

  it('W47: who connects and leaves is not counted, and who speaks no TLS is', async () => {
    const { port } = await listen()
    const { connect: plain } = await import('node:net')
    const gone = plain(port, '127.0.0.1')
    await once(gone, 'connect')
    gone.destroy()
    const wrong = plain(port, '127.0.0.1')
    let reply = ''
    wrong.on('data', (chunk) => (reply += chunk.toString('latin1')))
    wrong.on('error', () => undefined)
    wrong.write('GET / HTTP/1.1\r\n\r\n')
    await once(wrong, 'close')
    expect(faults).toEqual(['tls'])
    expect(reply).not.toContain('HTTP/')
  })
})
