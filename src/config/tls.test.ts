import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { makeAuthority, makeCertificate } from '../../test/harness/certificates.ts'
import { loadConfig, printConfig, readTls, type LoadResult } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-tls-'))
afterAll(() => rmSync(folder, { recursive: true }))

const authority = makeAuthority('Agents')
const server = makeCertificate(makeAuthority('Servers'), 'server', ['127.0.0.1'])
const files = { certFile: 'server.pem', keyFile: 'server.key', clientCaFile: 'agents.pem' }

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 })
beforeEach(() => {
  write('server.pem', server.cert)
  write('server.key', server.key)
  write('agents.pem', authority.cert)
})

function load(tls: object, listen: object = { agentsGrpc: '0.0.0.0:50443' }, more = {}): LoadResult {
  const settings = { database: { url: 'postgres://a:b@127.0.0.1/c' }, listen, tls, ...more }
  write('portcullis.yaml', JSON.stringify(settings))
  return loadConfig({ file: join(folder, 'portcullis.yaml'), env: {}, mode: 'serve' })
}

function problems(result: LoadResult): readonly string[] {
  const all = result.ok ? result.warnings : result.problems
  return all.map(({ severity, path, why }) => `${severity} ${path}: ${why}`)
}

describe('the listeners for agents', () => {
  it('G17: are off unless they are set', () => {
    const result = load({}, {})
    expect(problems(result)).toEqual([])
    expect(result.ok && result.config.listen).not.toHaveProperty('agentsGrpc')
  })

  it('G17: are set with a certificate, its key and the authorities of agents', () => {
    const result = load(files, { agentsGrpc: '0.0.0.0:50443', agentsHttp: '0.0.0.0:8443' })
    expect(problems(result)).toEqual([])
    expect(result.ok && result.config.tls).toMatchObject({ minVersion: '1.2', acceptSelfSigned: false })
    expect(result.ok && printConfig(result.config)).not.toContain('PRIVATE KEY')
  })

  it('G17: have all three files or none', () => {
    expect(problems(load({}))).toHaveLength(3)
    expect(problems(load({ certFile: files.certFile, keyFile: files.keyFile }))).toEqual([
      'error tls.clientCaFile: listen.agentsGrpc speaks TLS.',
    ])
    expect(problems(load({ certFile: files.certFile }, {}))).toHaveLength(2)
    expect(problems(load(files, {}))).toEqual(['warning tls: No listener uses them.'])
  })

  it('G17: have ports of their own, and none below TLS 1.2', () => {
    expect(problems(load(files, { agentsGrpc: '0.0.0.0:50051' }))[0]).toMatch(
      'error listen.agentsGrpc: It takes the port',
    )
    expect(problems(load({ ...files, minVersion: '1.1' }))[0]).toMatch('error tls.minVersion')
  })
})

describe('the origin of the listener', () => {
  const both = { agentsGrpc: '0.0.0.0:50443', agentsHttp: '0.0.0.0:8443' }
  it.each([
    ['https://agents.example.com:8443', both, ''],
    ['http://agents.example.com', both, 'It is an https origin'],
    ['https://agents.example.com/', both, 'It is an https origin'],
    ['https://agents.example.com', { agentsGrpc: both.agentsGrpc }, 'Nothing listens there'],
  ])('G17: %s (%#)', (origin, listen, why) => {
    const found = problems(load({ ...files, origin }, listen))
    expect(found).toHaveLength(why === '' ? 0 : 1)
    expect(found.join('')).toContain(why)
  })
})

describe('each file', () => {
  it.each([
    ['server.pem', '', 'error tls.certFile: The file holds no certificate.'],
    [
      'server.pem',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'error tls.certFile: A certificate in the file cannot be read.',
    ],
    [
      'server.pem',
      makeCertificate(authority, 's', [], { toSeconds: -60 }).cert,
      'error tls.certFile: The certificate expired at',
    ],
    [
      'server.pem',
      makeCertificate(authority, 's', [], { fromSeconds: 60 }).cert,
      'error tls.certFile: The certificate is not valid before',
    ],
    ['server.key', 'no key', 'error tls.keyFile: This is not a private key'],
    ['server.key', makeAuthority().key, 'error tls.keyFile: It is not the key of the certificate in tls.certFile.'],
    ['agents.pem', 'nothing', 'error tls.clientCaFile: The file holds no certificate.'],
    ['agents.pem', server.cert, 'error tls.clientCaFile: A certificate in the file is not that of an authority'],
    [
      'agents.pem',
      makeAuthority('A', [], { toSeconds: -60 }).cert,
      'error tls.clientCaFile: Every authority in the file has expired.',
    ],
  ])('G17: %s is looked at before anything listens (%#)', (name, text, why) => {
    write(name, text)
    expect(problems(load(files)).join('\n')).toContain(why)
  })

  it('G17: one that is not there, or is open to others, is named', () => {
    expect(problems(load({ ...files, certFile: 'nowhere.pem' }))).toContainEqual(
      'error tls.certFile: There is no such file.',
    )
    writeFileSync(join(folder, 'open.key'), server.key, { mode: 0o644 })
    const production = { env: 'production', audit: {} }
    expect(problems(load({ ...files, keyFile: 'open.key' }, undefined, production)).join('\n')).toMatch(
      /error tls\.keyFile: Other users of this machine/,
    )
  })

  it('G17: a second authority that has expired is a warning: it may be on its way out', () => {
    write('agents.pem', `${authority.cert}${makeAuthority('Old', [], { toSeconds: -60 }).cert}`)
    expect(problems(load(files))).toEqual(['warning tls.clientCaFile: An authority in the file has expired.'])
  })

  it('G17: what is served with is read in one piece, and holds its key as a secret', () => {
    const result = load(files)
    const read = result.ok ? readTls(result.config) : expect.fail('settings')
    expect(read.ok && read.material.cert.trim()).toBe(server.cert.trim())
    expect(JSON.stringify(read)).not.toContain('PRIVATE KEY')
  })
})
