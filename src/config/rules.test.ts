import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig, type LoadInput, type LoadResult } from './load.ts'

const local = 'postgres://app:pw@127.0.0.1:5432/portcullis'
const remote = 'postgres://app:pw@db.internal:5432/portcullis'
const production = 'env: production\n'
const clock = { now: () => Date.parse('2026-11-21T23:59:59Z'), monotonic: () => 0 }

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-'))
  writeFileSync(join(dir, 'url'), `${local}\r\n`, { mode: 0o600 })
  writeFileSync(join(dir, 'open'), local)
  chmodSync(join(dir, 'open'), 0o644)
  writeFileSync(join(dir, 'remote'), remote, { mode: 0o600 })
  writeFileSync(join(dir, 'empty'), '\n', { mode: 0o600 })
  writeFileSync(join(dir, 'large'), 'x'.repeat(64 * 1024 + 1), { mode: 0o600 })
  writeFileSync(join(dir, 'binary'), Buffer.from([0xff, 0xfe]), { mode: 0o600 })
  writeFileSync(join(dir, 'ca.pem'), '-----BEGIN CERTIFICATE-----\n')
  mkdirSync(join(dir, 'folder'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

describe('listeners', () => {
  it('O1: two listeners on one port are refused, also where one of them listens on all addresses', () => {
    expect(errors('listen: { grpc: "127.0.0.1:8080" }', withDatabase)).toEqual(['listen.http'])
    expect(errors('listen: { grpc: "0.0.0.0:9091" }', withDatabase)).toEqual(['listen.management'])
  })

  it('O1: one port on two addresses, port 0 twice, and explicit addresses off loopback are fine', () => {
    expect(errors('listen: { grpc: "127.0.0.1:1", http: "[::1]:1" }', withDatabase)).toEqual([])
    expect(errors('listen: { grpc: "127.0.0.1:0", http: "127.0.0.1:0" }', withDatabase)).toEqual([])
    expect(errors('listen: { grpc: "0.0.0.0:50051" }', withDatabase)).toEqual([])
  })
})

describe('database', () => {
  it('M4: `serve` needs a database and starts its own only when told to', () => {
    expect(errors('')).toEqual(['database'])
    expect(errors('database: { embedded: {} }')).toEqual([])
    expect(errors('', { env: { PORTCULLIS__DATABASE__EMBEDDED__DIR: '/tmp/x' } })).toEqual([])
    expect(errors('', withDatabase)).toEqual([])
  })

  it('M4: more than one database is a contradiction', () => {
    expect(errors('database: { embedded: {} }', withDatabase)).toEqual(['database'])
    expect(errors(`database: { urlFile: ${dir}/url }`, withDatabase)).toEqual(['database'])
    expect(errors(`database: { owner: { url: "${local}", urlFile: ${dir}/url } }`, withDatabase)).toEqual([
      'database.owner',
    ])
  })

  it('M4: a contradiction names the variable that is behind it', () => {
    const result = load('database: { embedded: {} }', withDatabase)
    expect(result).toMatchObject({ problems: [{ value: 'database.url by DATABASE_URL and database.embedded' }] })
  })

  it('M1: `up` ignores a DATABASE_URL that lies around, says so, and refuses one that was meant', () => {
    const result = load('', { mode: 'up', env: { DATABASE_URL: local } })
    expect(result).toMatchObject({ ok: true, warnings: [{ path: 'DATABASE_URL', value: '[redacted]' }] })
    expect(result.ok && result.config.database.url).toBe(undefined)
    expect(errors('', { mode: 'up', env: { PORTCULLIS__DATABASE__URL: local } })).toEqual(['database'])
    expect(errors(`database: { url: "${local}" }`, { mode: 'up', env: { DATABASE_URL: remote } })).toEqual(['database'])
  })

  it('M4: the embedded database is refused in production and fine elsewhere', () => {
    expect(errors(`${production}database: { embedded: {} }`)).toEqual(['database.embedded'])
    expect(errors('', { mode: 'up', env: { PORTCULLIS__ENV: 'production' } })).toEqual(['database.embedded'])
    expect(errors('env: staging\ndatabase: { embedded: {} }')).toEqual([])
  })

  it('M4: the embedded database has its own owner and no TLS', () => {
    expect(errors(`database: { embedded: {}, owner: { url: "${local}" } }`)).toEqual(['database.owner'])
    expect(errors('database: { embedded: {}, tls: { mode: verify-full } }')).toEqual(['database.tls'])
  })

  it('O2: TLS is needed off-host, is the default there, and is not needed on this machine', () => {
    const off = 'database: { tls: { mode: disable } }'
    expect(errors(off, { env: { DATABASE_URL: remote } })).toEqual(['database.tls.mode'])
    expect(errors(off, { env: { DATABASE_URL: local, PORTCULLIS__DATABASE__OWNER__URL: remote } })).toEqual([
      'database.tls.mode',
    ])
    expect(errors(`database: { urlFile: ${dir}/remote, tls: { mode: disable } }`)).toEqual(['database.tls.mode'])
    expect(errors(off, withDatabase)).toEqual([])
    expect(tlsMode('', { env: { DATABASE_URL: remote } })).toBe('verify-full')
    expect(tlsMode('', withDatabase)).toBe('disable')
    expect(tlsMode('', { env: { DATABASE_URL: 'postgres://app@%2Fvar%2Frun%2Fpostgresql/x' } })).toBe('disable')
    expect(tlsMode(`database: { tls: { caFile: ${dir}/ca.pem } }`, withDatabase)).toBe('verify-full')
  })

  it('O2: authorities need TLS and a file of certificates', () => {
    expect(errors(tlsWith('verify-full', 'ca.pem'), withDatabase)).toEqual([])
    expect(errors(tlsWith('disable', 'ca.pem'), withDatabase)).toEqual(['database.tls.mode'])
    expect(errors(tlsWith('verify-full', 'absent'), withDatabase)).toEqual(['database.tls.caFile'])
    expect(errors(tlsWith('verify-full', 'url'), withDatabase)).toEqual(['database.tls.caFile'])
  })
})

describe('files of secrets', () => {
  it('S5: a secret is read from its file, without the line end', () => {
    const result = load(`database: { urlFile: ${dir}/url, owner: { urlFile: ${dir}/url } }`)
    expect(result.ok && result.config.database.url?.reveal()).toBe(local)
    expect(result.ok && result.config.database.owner.url?.reveal()).toBe(local)
  })

  it.each(['absent', 'empty', 'large', 'binary', 'folder'])('S5: a file that is %s is a problem', (name) => {
    expect(errors(`database: { urlFile: ${dir}/${name} }`)).toEqual(['database.urlFile'])
  })

  it('S5: a file that others may open is refused in production and warned about elsewhere', () => {
    const text = `database: { urlFile: ${dir}/open }`
    expect(errors(`${production}${text}`)).toEqual(['database.urlFile'])
    expect(load(text)).toMatchObject({ ok: true, warnings: [{ path: 'database.urlFile', severity: 'warning' }] })
    expect(load(`database: { urlFile: ${dir}/url }`)).toMatchObject({ ok: true, warnings: [] })
  })

  it('S5: a URL in the place of a file name is refused without showing it', () => {
    const result = load(`database: { urlFile: "${remote}" }`)
    expect(result).toMatchObject({ problems: [{ path: 'database.urlFile', value: '[redacted]' }] })
  })
})

describe('limits, reflection and proxies', () => {
  it('G1: the headers of a request may not take longer than the request', () => {
    expect(errors(httpTimes(5001), withDatabase)).toEqual(['limits.http.headersTimeoutMs'])
    expect(errors(httpTimes(5000), withDatabase)).toEqual([])
  })

  it.each([
    ['no waiver', 'enabled: true', ['reflection.enabled']],
    [
      'an expired waiver',
      'enabled: true, waiver: { reason: r, owner: o, expires: 2026-11-20 }',
      ['reflection.waiver.expires'],
    ],
    ['no owner', 'enabled: true, waiver: { reason: r, expires: 2027-01-01 }', ['reflection.waiver.owner']],
    [
      'a blank reason',
      'enabled: true, waiver: { reason: " ", owner: o, expires: 2027-01-01 }',
      ['reflection.waiver.reason'],
    ],
    ['a waiver until today', 'enabled: true, waiver: { reason: r, owner: o, expires: 2026-11-21 }', []],
    ['reflection off', 'enabled: false', []],
  ])('G18: reflection in production with %s', (_, reflection, expected) => {
    expect(errors(`${production}reflection: { ${reflection} }`, withDatabase)).toEqual(expected)
  })

  it('G18: reflection outside production needs no waiver', () => {
    expect(errors('reflection: { enabled: true }', withDatabase)).toEqual([])
  })

  it.each(['0.0.0.0/0', '::/0', '::ffff:0:0/96', '10.0.0.1/8', '10.0.0.1'])(
    'G12: the proxy network %s is refused',
    (network) => {
      expect(errors(`trustedProxies: [10.0.0.0/8, "${network}"]`, withDatabase)).toEqual(['trustedProxies.1'])
    },
  )
})

const withDatabase: Partial<LoadInput> = { env: { DATABASE_URL: local } }

function tlsWith(mode: string, file: string): string {
  return `database: { tls: { mode: ${mode}, caFile: ${dir}/${file} } }`
}

function httpTimes(headersTimeoutMs: number): string {
  return `limits: { http: { requestTimeoutMs: 5000, headersTimeoutMs: ${headersTimeoutMs} } }`
}

function load(text: string, more: Partial<LoadInput> = {}): LoadResult {
  return loadConfig({ env: {}, mode: 'serve', clock, ...(text && { text }), ...more })
}

function errors(text: string, more: Partial<LoadInput> = {}): readonly string[] {
  const result = load(text, more)
  return result.ok ? [] : result.problems.filter(({ severity }) => severity === 'error').map(({ path }) => path)
}

function tlsMode(text: string, more: Partial<LoadInput>): string {
  const result = load(text, more)
  if (!result.ok) expect.fail(JSON.stringify(result.problems))
  return result.config.database.tls.mode
}
