import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig, type LoadInput, type LoadResult } from './load.ts'
import type { Config } from './schema.ts'

const local = 'postgres://app@127.0.0.1:5432/portcullis'
const remote = 'postgres://app@db.internal:5432/portcullis'
const clock = { now: () => Date.parse('2026-11-21T12:00:00Z'), monotonic: () => 0 }

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

describe('sources', () => {
  it('O1: without any setting `up` listens on loopback, has its own database and safe limits', () => {
    const config = good({ mode: 'up' })
    expect(config.listen).toEqual({ grpc: '127.0.0.1:50051', http: '127.0.0.1:8080', management: '127.0.0.1:9091' })
    expect(config.database.embedded).toEqual({ dir: '.portcullis' })
    expect(config.database.tls.mode).toBe('disable')
    expect(config.limits.grpc).toMatchObject({ recvBytes: 1_048_576, sendBytes: 2_097_152, streams: 256 })
    expect(config.reflection).toEqual({ enabled: false })
    expect(config.trustedProxies).toEqual([])
  })

  it('O1: command line, then our variables, then plain variables, then the file, then the default', () => {
    const text = 'listen: { grpc: "127.0.0.1:1", http: "127.0.0.1:7" }'
    const plain = { GRPC_ADDR: '127.0.0.1:2' }
    const ours = { PORTCULLIS__LISTEN__GRPC: '127.0.0.1:3' }
    const overrides = { listen: { grpc: '127.0.0.1:4' } }
    const grpc = (input: Partial<LoadInput>) => good({ mode: 'up', ...input }).listen.grpc
    expect(grpc({})).toBe('127.0.0.1:50051')
    expect(grpc({ text })).toBe('127.0.0.1:1')
    expect(grpc({ text, env: plain })).toBe('127.0.0.1:2')
    expect(grpc({ text, env: { ...plain, ...ours } })).toBe('127.0.0.1:3')
    expect(grpc({ text, env: { ...plain, ...ours }, overrides })).toBe('127.0.0.1:4')
    expect(good({ mode: 'up', text, overrides }).listen.http).toBe('127.0.0.1:7')
  })

  it('O1: variables carry whole numbers, truth values, lists and choices', () => {
    const config = good({
      env: {
        DATABASE_URL: local,
        HTTP_ADDR: '[::1]:0',
        ENABLE_REFLECTION: '1',
        PORTCULLIS__LIMITS__GRPC__RECV_BYTES: '2048',
        PORTCULLIS__TRUSTED_PROXIES: '10.0.0.0/8, fd00::/8',
        PORTCULLIS__LOG__LEVEL: 'debug',
      },
    })
    expect(config.listen.http).toBe('[::1]:0')
    expect(config.reflection.enabled).toBe(true)
    expect(config.limits.grpc.recvBytes).toBe(2048)
    expect(config.trustedProxies).toEqual(['10.0.0.0/8', 'fd00::/8'])
    expect(config.log.level).toBe('debug')
  })

  it('O1: an empty list in a variable empties the list of the file; other empty variables of ours are problems', () => {
    const text = 'trustedProxies: [10.0.0.0/8]'
    expect(good({ mode: 'up', text, env: { PORTCULLIS__TRUSTED_PROXIES: '' } }).trustedProxies).toEqual([])
    expect(paths(load({ mode: 'up', env: { PORTCULLIS__LISTEN__GRPC: '' } }))).toEqual(['listen.grpc'])
    expect(good({ mode: 'up', env: { GRPC_ADDR: '', ENABLE_REFLECTION: '' } }).reflection.enabled).toBe(false)
  })

  it('O1: the variables of clients are not settings', () => {
    const env = { PORTCULLIS_URL: 'x', PORTCULLIS_GRPC: 'x', PORTCULLIS_KEY: 'x', PORTCULLIS_SERVICE_TOKEN_FILE: 'x' }
    expect(load({ mode: 'up', env })).toMatchObject({ ok: true, warnings: [] })
  })

  it('O1: an unknown variable or key is a problem with a suggestion', () => {
    const env = { PORTCULLIS__LISTEN__GRCP: 'x', PORTCULLIS__NOTHING_LIKE_IT: 'x' }
    const text = 'listn: {}\nlimits: { grpc: { recvByte: 1 }, sendBytes: 2 }\nlevel: info\nweather: {}\n__proto__: {}'
    const problems = bad({ mode: 'up', env, text })
    expect(Object.fromEntries(problems.map(({ path, todo }) => [path, todo]))).toMatchObject({
      PORTCULLIS__LISTEN__GRCP: 'Did you mean PORTCULLIS__LISTEN__GRPC?',
      PORTCULLIS__NOTHING_LIKE_IT: expect.stringContaining('Unset it'),
      listn: 'Did you mean listen?',
      'limits.grpc.recvByte': 'Did you mean limits.grpc.recvBytes?',
      'limits.sendBytes': 'Did you mean limits.grpc.sendBytes?',
      level: 'Did you mean log.level?',
      weather: expect.stringContaining('Known here: env, listen'),
    })
    expect(problems).toHaveLength(8)
  })

  it('O1: file names in the settings file start at its folder', () => {
    writeFileSync(join(dir, 'url'), `${local}\n`, { mode: 0o600 })
    writeFileSync(join(dir, 'portcullis.yaml'), 'database: { urlFile: url }\n')
    const config = good({ file: join(dir, 'portcullis.yaml') })
    expect(config.database.url?.reveal()).toBe(local)
    expect(config.database.urlFile).toBe(join(dir, 'url'))
  })

  it('O1: a settings file that is not there is a problem', () => {
    expect(bad({ file: join(dir, 'absent.yaml') })).toMatchObject([
      { path: join(dir, 'absent.yaml'), why: 'There is no such file.' },
    ])
  })
})

describe('problems', () => {
  it('M4: every problem is reported at once, across file, variables, values and rules', () => {
    const text = `
listen: { http: localhost:99999, management: 1 }
database: { tls: { mode: disable }, pool: { clients: many } }
limits: { grpc: { streams: 0 }, http: { headersTimeoutMs: 40000 }, rate: [1] }
reflection: { waiver: { owner: me, expires: 2026-02-30 } }
trustedProxies: [0.0.0.0/0, 10.0.0.0/8, 10.0.0.1/8]
log: { level: verbose }
nonsense: true
`
    const env = { GRPC_ADDR: ':1', PORTCULLIS__ENV: 'production', DATABASE_URL: remote, ENABLE_REFLECTION: 'maybe' }
    expect(paths(load({ text, env })).toSorted()).toEqual([
      'database.pool.clients',
      'limits.grpc.streams',
      'limits.http.headersTimeoutMs',
      'limits.rate',
      'listen.grpc',
      'listen.http',
      'listen.management',
      'log.level',
      'nonsense',
      'reflection.enabled',
      'reflection.waiver.expires',
      'reflection.waiver.reason',
      'trustedProxies.0',
      'trustedProxies.2',
    ])
    // With that setting right, the rule that reads it speaks too.
    expect(paths(load({ text: text.replace('many', '2'), env }))).toContain('database.tls.mode')
  })

  it('M4: a problem says path, value, reason, source and what to do', () => {
    expect(bad({ mode: 'up', env: { PORTCULLIS__LIMITS__GRPC__RECV_BYTES: '1MiB' } })).toEqual([
      {
        path: 'limits.grpc.recvBytes',
        value: '"1MiB"',
        why: 'This is text, and a whole number is needed. (Set by PORTCULLIS__LIMITS__GRPC__RECV_BYTES.)',
        todo: 'Set limits.grpc.recvBytes to a whole number from 1024 to 67108864, or leave it out for 1048576.',
        severity: 'error',
      },
    ])
  })

  it('O1: an empty section is one whose settings are commented out; an empty setting is a problem', () => {
    expect(good({ mode: 'up', text: 'listen:\nlimits:\n  grpc:\n' }).limits.grpc.streams).toBe(256)
    expect(paths(load({ mode: 'up', text: 'listen: { grpc: }' }))).toEqual(['listen.grpc'])
    expect(paths(load({ mode: 'up', text: 'reflection: { waiver: }' }))).toEqual(['reflection.waiver'])
  })

  it.each([
    ['limits: { queue: { max: 1.5 } }', 'limits.queue.max'],
    ['limits: { queue: { max: 1e300 } }', 'limits.queue.max'],
    ['limits: { queue: { max: .nan } }', 'limits.queue.max'],
    ['reflection: { enabled: yes }', 'reflection.enabled'],
    ['trustedProxies: 10.0.0.0/8', 'trustedProxies'],
    ['env: Production', 'env'],
  ])('O1: %s is refused', (text, path) => {
    expect(paths(load({ mode: 'up', text }))).toEqual([path])
  })
})

function load(input: Partial<LoadInput>): LoadResult {
  return loadConfig({ env: {}, mode: 'serve', clock, ...input })
}

function good(input: Partial<LoadInput>): Config {
  const result = load(input)
  if (!result.ok) expect.fail(JSON.stringify(result.problems))
  return result.config
}

function bad(input: Partial<LoadInput>) {
  const result = load(input)
  if (result.ok) expect.fail('The settings were accepted.')
  return result.problems
}

function paths(result: LoadResult): readonly string[] {
  return (result.ok ? result.warnings : result.problems).map(({ path }) => path)
}
