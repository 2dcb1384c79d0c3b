import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { loadConfig } from './load.ts'
import type { Problem } from './problem.ts'
import { configSchema } from './schema.ts'
import { settings } from './settings.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-secrets-'))
  for (const name of ['key', 'token', 'secret-id']) writeFileSync(join(dir, name), 'x'.repeat(44), { mode: 0o600 })
  writeFileSync(join(dir, 'open'), 'x'.repeat(44), { mode: 0o644 })
  chmodSync(join(dir, 'open'), 0o644)
})
afterAll(() => rmSync(dir, { recursive: true }))

interface Node {
  readonly type?: string
  readonly secret?: boolean
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly anyOf?: readonly Node[]
  readonly oneOf?: readonly Node[]
}

interface Named {
  readonly path: string
  readonly node: Node
  readonly siblings: readonly string[]
}

/** Every setting, also those of items in lists, which are no settings of their own elsewhere. */
function* walk(node: Node, path: string): Generator<Named> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    yield { path: `${path}${key}`, node: child, siblings: Object.keys(node.properties ?? {}) }
    yield* walk(child, `${path}${key}.`)
  }
  for (const inner of [node.items, ...(node.anyOf ?? []), ...(node.oneOf ?? [])]) if (inner) yield* walk(inner, path)
}

// What sounds like a secret and is none.
const noSecrets = [
  /^limits\.rate\.key/,
  /^jobs\.secretAgeDays$/,
  /^secrets\.vault\.(?:keyName|secretIdFile)$/,
  /^secrets\.kms\.(?:keyId|previousKeyIds)$/,
  /^audit\.checkpoints\.knownKeys$/,
  /^(?:legacyToken|secrets|serviceTokens)$/,
  /axOutputTokens$/,
  /^authority\.tokenClockSkewSeconds$/,
  /^oauth\.accessTokenTtl$/,
  /^(?:audit\.sinks|secrets)\..*(?:keyId|KeyId)$/,
]
const soundsSecret = /token|secret|passw|credential|apiKey|privateKey|(?:^|\.)key/i

describe('secret settings', () => {
  const all = [...walk(z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Node, '')]

  it('S5: each that can be given in place can be given as a file, too', () => {
    const secrets = all.filter(({ node }) => node.secret === true)
    expect(secrets.map(({ path }) => path)).toEqual(expect.arrayContaining(['database.url', 'legacyToken.token']))
    for (const { path, siblings } of secrets) expect(siblings, path).toContain(`${path.split('.').at(-1)}File`)
  })

  it('S5: what sounds like a secret is marked as one, or names a file', () => {
    const loose = all.filter(
      ({ path, node }) =>
        soundsSecret.test(path.split('.').at(-1) ?? '') &&
        !noSecrets.some((pattern) => pattern.test(path)) &&
        node.secret !== true &&
        node.properties === undefined &&
        !path.endsWith('File'),
    )
    expect(all.length).toBeGreaterThan(settings.length)
    expect(loose.map(({ path }) => path)).toEqual([])
  })
})

function problemsOf(section: object, env = 'development'): readonly Problem[] {
  const url = 'postgres://portcullis_app:x@127.0.0.1/x'
  const result = loadConfig({
    env: {},
    mode: 'serve',
    text: JSON.stringify({ env, database: { url }, secrets: section }),
  })
  return result.ok ? result.warnings : result.problems
}
const said = (section: object, env?: string): readonly string[] =>
  problemsOf(section, env).map(({ path, severity, why }) => `${severity} ${path}: ${why}`)
const vault = (more: object): object => ({
  provider: 'vault',
  vault: { address: 'https://vault.internal:8200', keyName: 'portcullis', tokenFile: join(dir, 'token'), ...more },
})

describe('the provider of master keys', () => {
  it('S1: none, a key file, Vault and KMS are fine when they are complete', () => {
    expect(said({})).toEqual([])
    expect(said({ keyFile: join(dir, 'key') }, 'production')).toEqual([])
    expect(said(vault({}), 'production')).toEqual([])
    const role = { tokenFile: undefined, roleId: 'r', secretIdFile: join(dir, 'secret-id') }
    expect(said(vault(role), 'production')).toEqual([])
    expect(said({ provider: 'kms', kms: { keyId: 'alias/x', region: 'eu-central-1' } })).toEqual([])
  })

  it('S5: a key file that others may open is a warning, and in production an error', () => {
    const section = { keyFile: join(dir, 'open') }
    expect(said(section)).toEqual([expect.stringMatching(/^warning secrets\.keyFile: Other users .*0644/)])
    expect(said(section, 'production')).toEqual([expect.stringMatching(/^error secrets\.keyFile: Other users/)])
  })

  it.each([
    [{ keyFile: '/nowhere/key' }, 'error secrets.keyFile: There is no such file.'],
    [{ provider: 'vault' }, 'error secrets.vault: The provider is vault, and it is not described.'],
    [{ provider: 'kms' }, 'error secrets.kms: The provider is kms, and it is not described.'],
    [{ provider: 'kms', kms: { keyId: 'x' } }, 'error secrets.kms.region: It is required here.'],
    [{ provider: 'hsm' }, 'error secrets.provider: This is none of the choices.'],
  ])('S1: %j is refused', (section, problem) => {
    expect(said(section)).toContain(problem)
  })

  it('S1: a provider that is described and not used is refused: it would look like protection', () => {
    const kms = { keyId: 'alias/x', region: 'eu-central-1' }
    expect(said({ keyFile: join(dir, 'key'), kms })).toEqual([
      expect.stringMatching(/^error secrets\.kms: The provider is file: this would be ignored/),
    ])
  })

  it.each([
    [{ tokenFile: undefined }, 'There is not exactly one way to log in.'],
    [{ roleId: 'r' }, 'There is not exactly one way to log in.'],
    [
      { address: 'http://vault.internal:8200' },
      'It is on another machine: keys and tokens would cross the network in the clear.',
    ],
    [{ address: 'vault.internal' }, 'This is not an http or https URL.'],
    [{ tokenFile: '/nowhere' }, 'There is no such file.'],
    [{ caFile: '/nowhere' }, 'There is no such file.'],
    [{ mount: '../sys' }, 'A path here is words of letters, digits, dashes and underscores, joined by slashes.'],
    [{ keyName: 'a/../b' }, 'A name here is letters, digits, dots, dashes and underscores.'],
  ])('S1: Vault with %j is refused', (more, why) => {
    expect(problemsOf(vault(more)).map((problem) => problem.why)).toContain(why)
  })

  it('S1: a Vault on this machine may be asked in plain text', () => {
    expect(said(vault({ address: 'http://127.0.0.1:8200' }), 'production')).toEqual([])
  })
})
