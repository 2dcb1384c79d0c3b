import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-sign-in-'))
afterAll(() => rmSync(folder, { recursive: true }))
const secret = join(folder, 'secret')
writeFileSync(secret, 'a-client-secret', { mode: 0o600 })
const open = join(folder, 'open')
writeFileSync(open, 'a-client-secret')
chmodSync(open, 0o644)

const clock = { now: () => Date.UTC(2026, 10, 21), monotonic: () => 0 }

function problems(authority: object, more = '', mode: 'up' | 'serve' = 'up'): readonly string[] {
  const database = mode === 'up' ? '' : `database: { url: 'postgres://a:b@127.0.0.1/c' }\n`
  const result = loadConfig({
    text: `${database}${more}authority: ${JSON.stringify(authority)}\n`,
    env: {},
    mode,
    clock,
  })
  const all = result.ok ? result.warnings : result.problems
  return all.map(({ severity, path }) => `${severity} ${path}`)
}

const all = { issuer: 'https://login.example.com', clientId: 'portcullis', clientSecretFile: secret }

describe('signing people in at another issuer', () => {
  it('A9: needs the issuer, the client and its secret', () => {
    expect(problems(all)).toEqual([])
    expect(problems({ ...all, issuer: undefined })).toEqual(['error authority.issuer'])
    expect(problems({ ...all, clientId: undefined })).toEqual(['error authority.clientId'])
    expect(problems({ ...all, clientSecretFile: undefined })).toEqual(['error authority.clientSecretFile'])
    expect(problems({})).toEqual([])
  })

  it('A9: takes an issuer that is reached safely, and a secret that others cannot read', () => {
    expect(problems({ ...all, issuer: 'http://login.example.com' })).toEqual(['error authority.issuer'])
    expect(problems({ ...all, issuer: 'https://169.254.169.254' })).toEqual(['error authority.issuer'])
    expect(problems({ ...all, issuer: 'http://127.0.0.1:8081', allowPrivate: true })).toEqual([])
    expect(problems({ ...all, clientSecretFile: open })).toEqual(['warning authority.clientSecretFile'])
    expect(problems({ ...all, clientSecretFile: join(folder, 'none') })).toEqual(['error authority.clientSecretFile'])
  })

  it('A9: takes names of tenants whose people may be named, and nothing else', () => {
    expect(problems({ ...all, signInTenants: ['main', 'acme-2'] })).toEqual([])
    expect(problems({ ...all, signInTenants: ['Acme Inc'] })).toEqual(['error authority.signInTenants.0'])
  })

  it('A9: needs the address under which people come back', () => {
    expect(problems(all, '', 'serve')).toContain('error oauth.issuer')
  })
})
