import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig, printConfig, type LoadResult } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-callers-'))
afterAll(() => rmSync(folder, { recursive: true }))

const token = 'f00dfeedf00dfeedf00dfeed'
const clock = { now: () => Date.UTC(2026, 10, 21), monotonic: () => 0 }
const database = `database: { url: 'postgres://a:b@127.0.0.1/c' }\n`

function load(text: string, env: Readonly<Record<string, string>> = {}): LoadResult {
  return loadConfig({ text: `${database}${text}`, env, mode: 'serve', clock })
}

function problems(result: LoadResult): readonly string[] {
  const all = result.ok ? result.warnings : result.problems
  return all.map(({ severity, path }) => `${severity} ${path}`)
}

const legacy = (more: string): string => `legacyToken: { enabled: true, tenant: main, token: ${token}, ${more} }\n`

describe('legacyToken', () => {
  it('G8: is off, and a token that lies around is not even looked at', () => {
    const result = load('', { AUTH_TOKEN: 'short' })
    expect(problems(result)).toEqual([])
    expect(result.ok && [result.config.legacyToken.enabled, result.config.legacyToken.token]).toEqual([
      false,
      undefined,
    ])
    expect(load('legacyToken: { tokenFile: /nowhere }\n').ok).toBe(true)
  })

  it('G8: is enabled by its plain variables, with a tenant', () => {
    const env = { ALLOW_LEGACY_AUTH_TOKEN: 'true', AUTH_TOKEN: token }
    const result = load('legacyToken: { tenant: main, scopes: [telemetry:write] }\n', env)
    expect(result.ok && result.config.legacyToken.token?.reveal()).toBe(token)
    expect(result.ok && printConfig(result.config)).not.toContain(token)
    expect(problems(load('', env))).toEqual(['error legacyToken.tenant'])
    expect(problems(load('legacyToken: { tenant: main }\n', { ALLOW_LEGACY_AUTH_TOKEN: '1' }))).toEqual([
      'error legacyToken.tokenFile',
    ])
  })

  it.each(['identity:read', 'identity:write', 'policy:write', 'kill:release', 'tenants:write', 'no:such'])(
    'G8: never has the scope %s',
    (scope) => {
      expect(problems(load(legacy(`scopes: [telemetry:write, '${scope}']`)))).toEqual(['error legacyToken.scopes'])
    },
  )

  it('G8: may have a scope of a registered service', () => {
    const services = 'services: [{ name: tickets, actions: [read] }]\n'
    expect(load(`${services}${legacy("scopes: ['tickets:read']")}`).ok).toBe(true)
  })

  it('G8: needs a dated waiver in production', () => {
    const waiver = (expires: string): string =>
      legacy(`waiver: { reason: old scripts, owner: ops, expires: ${expires} }`)
    const of = (text: string): readonly string[] => problems(load(`env: production\n${text}`))
    expect(of(legacy(''))).toEqual(['error legacyToken.enabled'])
    expect(of(waiver("'2026-11-20'"))).toEqual(['error legacyToken.waiver.expires'])
    expect(of(waiver("'2026-11-21'"))).toEqual([])
  })

  it.each([
    ['a token that a header cannot carry', "'two words of a token'", 'error'],
    ['a token that looks like a key', 'pc_0000000000000000000000', 'error'],
    ['a short one', 'short', 'warning'],
  ])('G8: %s is told, and never shown', (_name, text, severity) => {
    const result = load(`legacyToken: { enabled: true, tenant: main, token: ${text} }\n`)
    expect(problems(result)).toEqual([`${severity} legacyToken.token`])
    expect(JSON.stringify(result.ok ? result.warnings : result.problems)).not.toContain(text.replaceAll("'", ''))
  })

  it('G8: takes the token from one place', () => {
    const file = join(folder, 'token')
    writeFileSync(file, `${token}\n`, { mode: 0o600 })
    const result = load(`legacyToken: { enabled: true, tenant: main, tokenFile: ${file} }\n`)
    expect(result.ok && result.config.legacyToken.token?.reveal()).toBe(token)
    expect(result.ok && printConfig(result.config)).toContain(`tokenFile: ${file}`)
    expect(problems(load(legacy(`tokenFile: ${file}`)))).toEqual(['error legacyToken'])
    expect(problems(load('legacyToken: { enabled: true, tenant: main, tokenFile: /nowhere }\n'))).toEqual([
      'error legacyToken.tokenFile',
    ])
  })
})

describe('services', () => {
  it('G22: are named with their actions, in the file or in a variable', () => {
    const expected = [{ name: 'tickets', actions: ['read', 'write'] }]
    const file = load('services: [{ name: tickets, actions: [read, write, read] }]\n')
    expect(file.ok && file.config.services).toEqual(expected)
    const variable = load('', { PORTCULLIS__SERVICES: 'tickets:read,queue:drain' })
    expect(variable.ok && variable.config.services).toEqual([
      { name: 'tickets', actions: ['read'] },
      { name: 'queue', actions: ['drain'] },
    ])
  })

  it.each([
    '{ name: tickets }',
    '{ name: tickets, actions: [] }',
    '{ name: Tickets, actions: [read] }',
    '{ name: tickets, actions: [Read] }',
    "{ name: tickets, actions: ['read:all'] }",
    '{ name: tickets, actions: [1] }',
    '{ name: tickets, actions: [read], more: 1 }',
    '{ name: identity, actions: [read] }',
    '{ name: kill, actions: [release] }',
    'tickets',
    "'a:b:c d'",
    '7',
  ])('G22: %s is not a service', (text) => {
    expect(problems(load(`services: [${text}]\n`))).toEqual(['error services.0'])
  })
})

describe('replicas.redis', () => {
  const shared = 'limits: { rate: { store: redis } }\n'

  it('G7: is needed where the rates are shared', () => {
    expect(problems(load(shared))).toEqual(['error limits.rate.store'])
    const result = load(`${shared}replicas: { redis: { url: 'redis://:hunter2@127.0.0.1:6379' } }\n`)
    expect(result.ok && result.config.replicas.redis).toMatchObject({ timeoutMs: 50, whenAway: 'memory' })
    expect(result.ok && printConfig(result.config)).not.toContain('hunter2')
  })

  it.each([
    ['no place', '{}', 'error replicas.redis'],
    ['two places', `{ url: 'redis://127.0.0.1', urlFile: ${folder}/none }`, 'error replicas.redis'],
    ['another protocol', "{ url: 'http://127.0.0.1' }", 'error replicas.redis.url'],
    ['another machine in the clear', "{ url: 'redis://cache.example' }", 'warning replicas.redis.url'],
  ])('G7: %s is a problem', (_name, text, expected) => {
    expect(problems(load(`${shared}replicas: { redis: ${text} }\n`))).toContain(expected)
  })

  it('G7: on another machine is encrypted in production', () => {
    const of = (url: string): LoadResult => load(`env: production\n${shared}replicas: { redis: { url: '${url}' } }\n`)
    expect(of('redis://cache.example').ok).toBe(false)
    expect(of('rediss://cache.example').ok).toBe(true)
  })
})
