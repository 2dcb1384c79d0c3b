import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig, type LoadResult } from './index.ts'

const dir = mkdtempSync(join(tmpdir(), 'portcullis-config-'))
const base = `database: { url: 'postgres://portcullis_app@127.0.0.1/portcullis' }\n`

function keyOf(name: string, pem: string, mode = 0o600): string {
  const file = join(dir, name)
  writeFileSync(file, pem)
  chmodSync(file, mode)
  return file
}

const ed25519 = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
const rsa = String(
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
)
const publicHalf = String(generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }))

function load(audit: string, env = 'development'): LoadResult {
  return loadConfig({ text: `${base}env: ${env}\naudit: ${audit}\n`, env: {}, mode: 'serve' })
}

function told(result: LoadResult): readonly string[] {
  const problems = result.ok ? result.warnings : result.problems
  return problems.map(({ severity, path, why }) => `${severity} ${path}: ${why}`)
}

const good = keyOf('good.pem', ed25519)
const sinks = `sinks: ['file:/var/lib/ledger']`

describe('audit.checkpoints', () => {
  it('L8: has defaults, and signs nothing without a key', () => {
    const result = load('{}')
    expect(result.ok && result.config.audit.checkpoints).toMatchObject({
      everySeconds: 10,
      acknowledgements: 1,
      public: false,
      knownKeys: [],
    })
    expect(result.ok && result.config.audit.checkpoints.keyFile).toBeUndefined()
  })

  it('L8: takes an Ed25519 key in a private file', () => {
    expect(told(load(`{ checkpoints: { keyFile: ${good} } }`, 'production'))).toEqual([])
  })

  it.each([
    ['of another kind', () => keyOf('rsa.pem', rsa), /^error audit.checkpoints.keyFile: This is a key of the kind rsa/],
    ['that is the public half', () => keyOf('public.pem', publicHalf), /not a private key/],
    ['that is no key', () => keyOf('text.pem', 'swordfish'), /not a private key/],
    ['that is empty', () => keyOf('empty.pem', ''), /empty/],
    ['that is not there', () => join(dir, 'none.pem'), /^error audit.checkpoints.keyFile/],
  ])('L8: refuses a key %s, without showing what is in the file', (_what, file, why) => {
    const found = told(load(`{ checkpoints: { keyFile: ${file()} } }`))
    expect(found).toEqual([expect.stringMatching(why)])
    expect(found.join()).not.toContain('swordfish')
  })

  it('L8: a key that others can read is refused in production', () => {
    const file = keyOf('open.pem', ed25519, 0o644)
    expect(told(load(`{ checkpoints: { keyFile: ${file} } }`, 'production'))).toEqual([
      expect.stringMatching(/^error audit.checkpoints.keyFile: Other users/),
    ])
  })

  it('L7: sinks need a key, or the word that none must acknowledge', () => {
    expect(told(load(`{ ${sinks} }`))).toEqual([
      expect.stringMatching(/^error audit.checkpoints.keyFile: There are sinks/),
    ])
    expect(told(load(`{ ${sinks}, checkpoints: { acknowledgements: 0 } }`))).toEqual([])
    expect(told(load(`{ ${sinks}, checkpoints: { keyFile: ${good} } }`))).toEqual([])
  })

  it('L7: more acknowledgements than sinks would stop every change of keys', () => {
    expect(told(load(`{ ${sinks}, checkpoints: { keyFile: ${good}, acknowledgements: 2 } }`))).toEqual([
      expect.stringMatching(/^error audit.checkpoints.acknowledgements: There is 1 sink/),
    ])
  })

  it.each(['a b', 'a+b', 'ledger.example/', ''])('L8: "%s" cannot name a deployment', (origin) => {
    expect(told(load(`{ origin: '${origin}' }`))).toEqual([expect.stringMatching(/^error audit.origin/)])
  })

  it('L8: a known key has the form of one', () => {
    expect(told(load(`{ checkpoints: { knownKeys: ['key'] } }`))).toEqual([
      expect.stringMatching(/^error audit.checkpoints.knownKeys/),
    ])
  })
})
