import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream'
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { sinkClasses, type SinkEntry } from '#ledger'
import { makeAuthority, makeCertificate } from '../harness/certificates.ts'
import { TestNats, type NatsOptions } from '../harness/nats.ts'

type Settings = ConstructorParameters<(typeof sinkClasses)['nats']>[0]

let dir: string
let nats: TestNats
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-nats-sink-'))
  nats = await TestNats.start()
})
afterAll(async () => {
  await nats.remove()
  await rm(dir, { recursive: true })
})

const log = { log: 'acme/hipaa.eu', origin: 'ledger.example/acme/hipaa.eu' }
const patience = (ms = 20_000): AbortSignal => AbortSignal.timeout(ms)

function entries(count: number, from = 0): readonly SinkEntry[] {
  return Array.from({ length: count }, (_, at) => ({
    seq: from + at,
    entry: Buffer.from(`{"seq":${from + at}}`),
    leaf: Buffer.alloc(32, at),
  }))
}

let streams = 0

/** A sink to a stream that nobody has used. */
function sinkTo(server: TestNats, settings: Partial<Settings> = {}) {
  streams += 1
  const all = {
    name: 'nats',
    servers: [`nats://127.0.0.1:${server.port}`],
    stream: `S${streams}`,
    subject: `s${streams}`,
    createStream: true,
  }
  const sink = new sinkClasses.nats({ ...all, ...settings })
  onTestFinished(() => sink.close())
  return { sink, stream: settings.stream ?? all.stream }
}

async function start(options: NatsOptions): Promise<TestNats> {
  const server = await TestNats.start(options)
  onTestFinished(() => server.remove())
  return server
}

async function infoOf(server: TestNats, stream: string, options: NodeConnectionOptions = {}): Promise<StreamInfo> {
  const connection = await connect({ servers: `127.0.0.1:${server.port}`, ...options })
  try {
    const manager = await jetstreamManager(connection)
    return await manager.streams.info(stream, { subjects_filter: '>' })
  } finally {
    await connection.close()
  }
}

async function put(name: string, text: string): Promise<string> {
  const file = join(dir, name)
  await writeFile(file, text, { mode: 0o600 })
  return file
}

describe('a sink in NATS JetStream', () => {
  it('L9: stores a batch once, however often it is sent, under a subject of its log', async () => {
    const { sink, stream } = sinkTo(nats)
    await sink.send({ ...log, entries: entries(256) }, patience())
    await sink.send({ ...log, entries: entries(256) }, patience())
    await sink.send({ ...log, entries: entries(10, 250) }, patience())
    const { state, config } = await infoOf(nats, stream)
    expect(state.messages).toBe(260)
    expect(Object.keys(state.subjects ?? {})).toEqual([`s${streams}.entries.acme%2Fhipaa%2Eeu`])
    expect(config).toMatchObject({
      storage: 'file',
      retention: 'limits',
      discard: 'new',
      deny_delete: true,
      deny_purge: true,
    })
  })

  it('L8: keeps checkpoints, and gives the newest of a log back', async () => {
    const { sink } = sinkTo(nats)
    expect(await sink.newest(log, patience())).toBeUndefined()
    for (const size of [3, 9])
      await sink.publish({ ...log, size, note: `${log.origin}\n${size}\nroot\n\n— k s\n` }, patience())
    expect(await sink.newest(log, patience())).toBe(`${log.origin}\n9\nroot\n\n— k s\n`)
    expect(await sink.newest({ ...log, origin: 'other.example/acme/hipaa.eu' }, patience())).toBeUndefined()
  })

  it('L9: a stream that is not there is told with the command that makes it, unless it may be made', async () => {
    const { sink, stream } = sinkTo(nats, { createStream: false })
    await expect(sink.send({ ...log, entries: entries(1) }, patience())).rejects.toThrow(
      `there is no stream ${stream}: make it with \`nats stream add ${stream} --subjects 's${streams}.>'`,
    )
  })

  it('L9: a stream that does not hold the subject, or is full, acknowledges nothing', async () => {
    const { sink } = sinkTo(nats, { stream: 'S1', subject: 's4', createStream: false })
    await expect(sink.send({ ...log, entries: entries(1) }, patience())).rejects.toThrow(
      "the stream S1 does not hold the subject s4.entries: add it with `nats stream edit S1 --subjects 's1.>,s4.>'`",
    )
    const { sink: filled, stream } = sinkTo(nats)
    await filled.send({ ...log, entries: entries(1) }, patience())
    const connection = await connect({ servers: `127.0.0.1:${nats.port}` })
    await (await jetstreamManager(connection)).streams.update(stream, { max_msgs: 1 })
    await connection.close()
    await expect(filled.send({ ...log, entries: entries(1, 1) }, patience())).rejects.toThrow(
      'raise the limits of the stream',
    )
  })

  it('L9: a server that is away, restarts, or stands still is found again, and nothing is stored twice', async () => {
    const server = await start({})
    const { sink, stream } = sinkTo(server)
    await sink.send({ ...log, entries: entries(5) }, patience())
    await server.end()
    await expect(sink.send({ ...log, entries: entries(5, 5) }, patience())).rejects.toThrow()
    await expect(sink.send({ ...log, entries: entries(5, 5) }, patience())).rejects.toThrow(
      'start it, or correct the servers',
    )
    await server.start()
    await sink.send({ ...log, entries: entries(5, 5) }, patience())
    await server.freeze()
    await expect(sink.send({ ...log, entries: entries(5, 10) }, patience(300))).rejects.toThrow('no answer in time')
    server.thaw()
    await sink.send({ ...log, entries: entries(5, 10) }, patience())
    expect((await infoOf(server, stream)).state.messages).toBe(15)
  })

  it('L9: a wrong token is told without the token; a right one is read again when it has changed', async () => {
    const server = await start({ token: 'the right one' })
    const tokenFile = await put('token', 'the wrong one\n')
    const { sink } = sinkTo(server, { tokenFile })
    const refused = await sink.send({ ...log, entries: entries(1) }, patience()).catch((error: Error) => error)
    expect(String(refused)).toContain('check credsFile or tokenFile')
    expect(String(refused)).not.toContain('the wrong one')
    await put('token', 'the right one\n')
    await sink.send({ ...log, entries: entries(1) }, patience())
  })

  it('L9: TLS is a must where it is set, with the certificate of the server checked and one of its own shown', async () => {
    const authority = makeAuthority()
    const certificate = makeCertificate(authority, 'nats', ['127.0.0.1'])
    const own = makeCertificate(authority, 'portcullis')
    const server = await start({
      tls: { ca: authority.cert, cert: certificate.cert, key: certificate.key, verify: true },
    })
    const files = {
      caFile: await put('ca.pem', authority.cert),
      certFile: await put('own.pem', own.cert),
      keyFile: await put('own.key', own.key),
    }
    const servers = [`tls://127.0.0.1:${server.port}`]
    const { sink } = sinkTo(server, { servers, ...files })
    await sink.send({ ...log, entries: entries(1) }, patience())
    const stranger = await put('stranger.pem', makeAuthority('Somebody Else').cert)
    const { sink: wary } = sinkTo(server, { servers, ...files, caFile: stranger })
    await expect(wary.send({ ...log, entries: entries(1) }, patience())).rejects.toThrow(/certificate/)
    const { sink: bare } = sinkTo(server, { servers, caFile: files.caFile })
    await expect(bare.send({ ...log, entries: entries(1) }, patience())).rejects.toThrow()
    const { sink: plain } = sinkTo(nats, { servers: [`tls://127.0.0.1:${nats.port}`] })
    await expect(plain.send({ ...log, entries: entries(1) }, patience())).rejects.toThrow(
      'give the server a certificate',
    )
  })

  it('L9: needs no other rights than those that are documented', async () => {
    const api = ['STREAM.INFO', 'STREAM.MSG.GET', 'STREAM.CREATE'].map((name) => `$JS.API.${name}.LEDGER`)
    const server = await start({ mayPublish: ['portcullis.ledger.>', ...api] })
    const { sink } = sinkTo(server, { stream: 'LEDGER', subject: 'portcullis.ledger' })
    await sink.send({ ...log, entries: entries(3) }, patience())
    const note = `${log.origin}\n3\nroot\n\n— k s\n`
    await sink.publish({ ...log, size: 3, note }, patience())
    expect(await sink.newest(log, patience())).toBe(note)
    const { sink: other } = sinkTo(server, { stream: 'OTHER', subject: 'portcullis.ledger' })
    await expect(other.send({ ...log, entries: entries(1) }, patience())).rejects.toThrow('what it may publish and ask')
  })

  it('L9: a server without JetStream is told as what it is', async () => {
    const server = await start({ jetstream: false })
    await expect(sinkTo(server).sink.send({ ...log, entries: entries(1) }, patience())).rejects.toThrow(
      'JetStream does not answer: is it enabled (-js)',
    )
  })
})
