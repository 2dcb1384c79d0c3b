import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig, printConfig, reloadable, type LoadResult } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-service-tokens-'))
afterAll(() => rmSync(folder, { recursive: true }))

const secret = 'f00dfeedf00dfeedf00dfeed'
const database = `database: { url: 'postgres://a:b@127.0.0.1/c' }\n`

function fileWith(name: string, text: string, mode = 0o600): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}

function load(...items: readonly string[]): LoadResult {
  const text = `${database}serviceTokens: [${items.map((item) => `{ ${item} }`).join(', ')}]\n`
  return loadConfig({ text, env: {}, mode: 'serve' })
}

const found = (result: LoadResult) => (result.ok ? result.warnings : result.problems)
const problems = (result: LoadResult): readonly string[] =>
  found(result).map(({ severity, path }) => `${severity} ${path}`)

describe('serviceTokens', () => {
  it('G9: name services of the contract, short or in full, and are off until they say more', () => {
    const result = load('name: HubService', 'name: portcullis.v1.IdentityService')
    expect(result.ok && result.config.serviceTokens).toEqual([
      { name: 'HubService', mode: 'off', scopes: [] },
      { name: 'IdentityService', mode: 'off', scopes: [] },
    ])
  })

  it.each(['off', 'allow', 'enforce'])('G9: %s is a mode', (mode) => {
    const result = load(`name: HubService, mode: ${mode}`)
    expect(result.ok && result.config.serviceTokens[0]?.mode).toBe(mode)
  })

  it('G9: an unknown service is an error that says which was meant', () => {
    const result = load('name: HubServise')
    expect(problems(result)).toEqual(['error serviceTokens.0.name'])
    expect(found(result)[0]?.why).toContain('Did you mean HubService?')
    expect(found(load('name: quite something else'))[0]?.why).toContain('There are AuthorizationService, BudgetService')
  })

  it('G9: one guard for each service', () => {
    expect(problems(load('name: HubService', 'name: portcullis.v1.HubService'))).toEqual(['error serviceTokens.1.name'])
  })

  it('G9: the token stays in its file', () => {
    const file = fileWith('token', `${secret}\n`)
    const result = load(`name: HubService, mode: enforce, tokenFile: ${file}`)
    expect(problems(result)).toEqual([])
    expect(result.ok && JSON.stringify(result.config) + printConfig(result.config)).not.toContain(secret)
    expect(problems(load(`name: HubService, token: ${secret}`))).toEqual(['error serviceTokens.0'])
  })

  it.each([
    ['a file that is not there', () => join(folder, 'nowhere'), 'error'],
    ['a folder', () => folder, 'error'],
    ['two words', () => fileWith('words', 'two words of a token'), 'error'],
    ['a key', () => fileWith('key', 'pc_0000000000000000000000'), 'error'],
    ['a short token', () => fileWith('short', 'short'), 'warning'],
    ['a file that others may open', () => fileWith('open', secret, 0o644), 'warning'],
  ])('G9: %s is told, and never shown', (_name, file, severity) => {
    const result = load(`name: HubService, mode: allow, tokenFile: ${file()}`)
    expect(problems(result)).toEqual([`${severity} serviceTokens.0.tokenFile`])
    expect(JSON.stringify(found(result))).not.toContain('two words of')
    expect(JSON.stringify(found(result))).not.toContain('pc_0000')
  })

  it('G9: enforce without a token is a warning: until there is one it is as allow', () => {
    const empty = fileWith('empty', '\n')
    expect(problems(load('name: HubService, mode: enforce'))).toEqual(['warning serviceTokens.0.tokenFile'])
    expect(problems(load(`name: HubService, mode: enforce, tokenFile: ${empty}`))).toEqual([
      'warning serviceTokens.0.tokenFile',
    ])
    const next = `name: HubService, mode: enforce, tokenFile: ${empty}, nextTokenFile: ${fileWith('next', secret)}`
    expect(problems(load(next))).toEqual([])
    expect(problems(load(`name: HubService, mode: allow, tokenFile: ${empty}`))).toEqual([])
  })

  it.each(['identity:write', 'policy:write', 'kill:release', 'tenants:write', 'no:such'])(
    'G9: the token alone never has the scope %s',
    (scope) => {
      expect(problems(load(`name: HubService, scopes: ['${scope}']`))).toEqual(['error serviceTokens.0.scopes'])
    },
  )

  it.each(['mode: on', 'mode: [allow]', 'scopes: all'])('G9: %s is refused', (setting) => {
    expect(problems(load(`name: HubService, ${setting}`))).toEqual([`error serviceTokens.0.${setting.split(':')[0]}`])
  })

  it('O1: is taken over while the server runs', () => {
    const [before, after] = [load('name: HubService'), load('name: HubService, mode: allow')]
    if (!before.ok || !after.ok) throw new Error('settings of a test')
    const { apply, needRestart } = reloadable(before.config, after.config)
    expect([apply.serviceTokens?.[0]?.mode, needRestart]).toEqual(['allow', []])
  })
})
