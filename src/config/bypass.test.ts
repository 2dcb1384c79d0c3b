import { describe, expect, it } from 'vitest'
import { loadConfig, reloadable, type LoadResult } from './index.ts'

const clock = { now: () => Date.UTC(2026, 10, 21, 23, 59), monotonic: () => 0 }
const database = `database: { url: 'postgres://a:b@127.0.0.1/c' }\n`

function load(text: string, env: Readonly<Record<string, string>> = {}): LoadResult {
  return loadConfig({ text: `${database}${text}`, env, mode: 'serve', clock })
}

const found = (result: LoadResult) => (result.ok ? result.warnings : result.problems)
const problems = (result: LoadResult): readonly string[] =>
  found(result).map(({ severity, path }) => `${severity} ${path}`)

const complete = "cidr: 10.1.0.0/16, reason: old printers, owner: ops, expires: '2026-11-21', tenant: main"
const networks = (...items: readonly string[]): string =>
  `authority: { bypassNetworks: [${items.map((item) => `{ ${item} }`).join(', ')}] }\n`
const without = (name: string): string =>
  complete
    .split(', ')
    .filter((part) => !part.startsWith(`${name}:`))
    .join(', ')
const withValue = (name: string, value: string): string => `${without(name)}, ${name}: ${value}`

describe('authority.bypassNetworks', () => {
  it('G12: there are none by default, and each has a reason, an owner, an end and a tenant, and no scopes by itself', () => {
    const [none, one] = [load(''), load(networks(complete))]
    expect(none.ok && none.config.authority.bypassNetworks).toEqual([])
    expect(one.ok && one.config.authority.bypassNetworks).toEqual([
      { cidr: '10.1.0.0/16', reason: 'old printers', owner: 'ops', expires: '2026-11-21', tenant: 'main', scopes: [] },
    ])
  })

  it.each(['cidr', 'reason', 'owner', 'expires', 'tenant'])('G12: %s is required', (name) => {
    expect(problems(load(networks(without(name))))).toEqual([`error authority.bypassNetworks.0.${name}`])
  })

  it('G12: a network alone is an error that says what is missing, in the file and in a variable', () => {
    const file = load("authority: { bypassNetworks: ['10.0.0.0/8'] }\n")
    const variable = load('', { PORTCULLIS__AUTHORITY__BYPASS_NETWORKS: '10.0.0.0/8,192.0.2.0/24' })
    expect([problems(file), problems(variable)]).toEqual([
      ['error authority.bypassNetworks.0'],
      ['error authority.bypassNetworks.0', 'error authority.bypassNetworks.1'],
    ])
    for (const word of ['reason', 'owner', 'expires', 'tenant']) expect(found(file)[0]?.why).toContain(word)
  })

  it.each([
    ['cidr', "'0.0.0.0/0'"],
    ['cidr', "'::/0'"],
    ['cidr', "'::ffff:0:0/96'"],
    ['cidr', '10.1.2.3/16'],
    ['cidr', '10.1.2.3'],
    ['cidr', 'everywhere'],
    ['expires', "'2026-11-20'"],
    ['expires', "'2026-02-30'"],
    ['expires', 'tomorrow'],
    ['expires', '2026'],
    ['reason', "' '"],
    ['owner', "''"],
    ['tenant', "' '"],
  ])('G12: %s must not be %s', (name, value) => {
    const path = `authority.bypassNetworks.0.${name}`
    expect(problems(load(networks(withValue(name, value))))).toEqual([`error ${path}`])
  })

  it('G12: has nothing else, and is named once', () => {
    expect(problems(load(networks(`${complete}, enabled: true`)))).toEqual(['error authority.bypassNetworks.0'])
    expect(problems(load(networks(complete, withValue('reason', 'again'))))).toEqual([
      'error authority.bypassNetworks.1.cidr',
    ])
  })

  it('G12, F21: a very large one is told', () => {
    expect(problems(load(networks(withValue('cidr', '8.0.0.0/7'))))).toEqual([
      'warning authority.bypassNetworks.0.cidr',
    ])
  })

  it.each(['identity:read', 'identity:write', 'policy:write', 'kill:release', 'tenants:write', 'no:such'])(
    'G12, G13: neither network nor anonymous callers ever have the scope %s',
    (scope) => {
      const list = `scopes: [telemetry:write, '${scope}']`
      expect(problems(load(networks(`${complete}, ${list}`)))).toEqual(['error authority.bypassNetworks.0.scopes'])
      const anonymous = `authority: { allowAnonymousFallback: true, anonymous: { tenant: main, ${list} } }\n`
      expect(problems(load(anonymous))).toEqual(['error authority.anonymous.scopes'])
    },
  )
})

describe('authority.allowAnonymousFallback', () => {
  const open = (more: string, on = true): string =>
    `authority: { allowAnonymousFallback: ${on}, anonymous: { tenant: main${more} } }\n`
  const production = (text: string): readonly string[] => problems(load(`env: production\n${text}`))

  it('G13: is off by default, and what is beside it is not looked at then', () => {
    const result = load('')
    expect(result.ok && result.config.authority.allowAnonymousFallback).toBe(false)
    expect(problems(load(open(", expires: '2020-01-01', scopes: ['tenants:write']", false)))).toEqual([])
  })

  it('G13: has a tenant', () => {
    expect(problems(load('authority: { allowAnonymousFallback: true }\n'))).toEqual([
      'error authority.anonymous.tenant',
    ])
    expect(load(open('')).ok).toBe(true)
  })

  it('G13: is refused in production unless dated', () => {
    expect(production(open(''))).toEqual(['error authority.allowAnonymousFallback'])
    expect(production(open(", expires: '2026-11-21'"))).toEqual([])
  })

  it('G13: has expired after its last day, wherever it is', () => {
    expect(problems(load(open(", expires: '2026-11-20'")))).toEqual(['error authority.anonymous.expires'])
    expect(production(open(", expires: '2026-11-20'"))).toEqual(['error authority.anonymous.expires'])
  })

  it('G13, O1: is taken over while the server runs, also where the section was not there before', () => {
    const [before, after] = [load(''), load(open(", expires: '2026-12-01', scopes: [telemetry:write]"))]
    if (!before.ok || !after.ok) throw new Error('settings of a test')
    const change = reloadable(before.config, after.config)
    expect(change.needRestart).toEqual([])
    expect(change.apply.authority).toMatchObject({
      allowAnonymousFallback: true,
      anonymous: { tenant: 'main', expires: '2026-12-01', scopes: ['telemetry:write'] },
    })
    const back = reloadable(after.config, before.config)
    expect([back.needRestart, back.apply.authority?.allowAnonymousFallback]).toEqual([[], false])
  })
})
