import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig, type LoadResult } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-authority-'))
afterAll(() => rmSync(folder, { recursive: true }))
const caFile = join(folder, 'no-certificate.pem')
writeFileSync(caFile, 'not a certificate')

const database = `database: { url: 'postgres://a:b@127.0.0.1/c' }\n`
const whole = 'enabled: true, issuer: https://login.example, audiences: [us], tenant: main'

function load(authority: string, env = 'staging'): LoadResult {
  return loadConfig({ text: `${database}env: ${env}\nauthority: { ${authority} }\n`, env: {}, mode: 'serve' })
}

function problems(result: LoadResult): readonly string[] {
  const all = result.ok ? result.warnings : result.problems
  return all
    .filter(({ path }) => path.startsWith('authority'))
    .map(({ severity, path }) => `${severity} ${path.replace('authority.', '')}`)
}

describe('the issuer of tokens', () => {
  it('A3: is nobody by default, and its defaults are strict', () => {
    const result = loadConfig({ text: database, env: {}, mode: 'serve' })
    expect(result.ok && result.config.authority).toMatchObject({
      enabled: false,
      audiences: [],
      requiredScopes: ['jobs:read'],
      tokenClockSkewSeconds: 30,
      algorithms: ['ES256', 'RS256', 'PS256'],
      allowPrivate: false,
      airGapped: false,
      resilience: {
        enableRetries: true,
        retryDelays: ['1s', '2s', '5s'],
        allowOfflineCacheFallback: true,
        offlineCacheTolerance: '10m',
      },
    })
  })

  it.each(['staging', 'production'])(
    'A3: that is not named whole stops the start in %s, with everything at once',
    (env) => {
      const result = load('enabled: true', env)
      expect(result.ok).toBe(false)
      expect(problems(result)).toEqual(['error issuer', 'error jwksUri', 'error audiences', 'error tenant'])
    },
  )

  it('A3: that is not named whole is a warning in development', () => {
    const result = load('enabled: true', 'development')
    expect(result.ok).toBe(true)
    expect(problems(result)).toEqual(['warning issuer', 'warning jwksUri', 'warning audiences', 'warning tenant'])
  })

  it('A3: that is named whole is enough', () => {
    expect(problems(load(whole))).toEqual([])
    expect(
      problems(load(`${whole}, jwksUri: https://login.example/keys, publicOrigins: ['https://api.example:8443']`)),
    ).toEqual([])
  })

  it.each([
    ['issuer: http://login.example', 'error issuer'],
    ['issuer: login.example', 'error issuer'],
    ["issuer: 'https://login.example?tenant=a'", 'error issuer'],
    ["issuer: 'https://u:p@login.example'", 'error issuer'],
    ['issuer: https://127.0.0.1', 'error issuer'],
    ['jwksUri: https://10.0.0.1/keys', 'error jwksUri'],
    ['jwksUri: https://169.254.169.254/keys, allowPrivate: true', 'error jwksUri'],
    ['algorithms: []', 'error algorithms'],
    ['algorithms: [HS256]', 'error algorithms.0'],
    ['algorithms: [none]', 'error algorithms.0'],
    ['tokenClockSkewSeconds: 61', 'error tokenClockSkewSeconds'],
    ['tokenClockSkewSeconds: -1', 'error tokenClockSkewSeconds'],
    ["audiences: ['']", 'error audiences.0'],
    ["publicOrigins: ['https://api.example/']", 'error publicOrigins'],
    ["publicOrigins: ['api.example']", 'error publicOrigins'],
    ['resilience: { offlineCacheTolerance: 10m1s }', 'error resilience.offlineCacheTolerance'],
    ['resilience: { offlineCacheTolerance: 601s }', 'error resilience.offlineCacheTolerance'],
    ['resilience: { offlineCacheTolerance: 0s }', 'error resilience.offlineCacheTolerance'],
    ['airGapped: true, resilience: { offlineCacheTolerance: 31m }', 'error resilience.offlineCacheTolerance'],
    ['airGapped: true, resilience: { offlineCacheTolerance: 5m }', 'warning resilience.offlineCacheTolerance'],
    ['resilience: { retryDelays: [99ms] }', 'error resilience.retryDelays'],
    ['resilience: { retryDelays: [2m] }', 'error resilience.retryDelays'],
    ['resilience: { retryDelays: [soon] }', 'error resilience.retryDelays.0'],
    ['requiredScopes: [made:up]', 'warning requiredScopes'],
    [`caFile: ${caFile}`, 'error caFile'],
    ['verifySignature: false', 'error [not shown]'],
  ])('A3: %s is told', (more, expected) => {
    const given = whole.replace(new RegExp(`${more.split(':', 1)[0]}: [^,]+, `), '')
    expect(problems(load(`${given}, ${more}`))).toContain(expected)
  })

  it.each(['00:10:00', 'PT10M', '600s', '10m'])('A4: the tolerance may be written as %s', (text) => {
    expect(problems(load(`${whole}, resilience: { offlineCacheTolerance: '${text}' }`))).toEqual([])
  })

  it.each(['15m', '30m'])('A4: an issuer that is air-gapped may be away for %s', (text) => {
    expect(problems(load(`${whole}, airGapped: true, resilience: { offlineCacheTolerance: ${text} }`))).toEqual([])
  })

  it('A4: an issuer in a network of one’s own may speak HTTP, and in production that is told', () => {
    const own = `${whole.replace('https://login.example', 'http://10.0.0.5')}, allowPrivate: true`
    expect(problems(load(own))).toEqual([])
    expect(problems(load(own, 'production'))).toEqual(['warning issuer'])
  })
})
