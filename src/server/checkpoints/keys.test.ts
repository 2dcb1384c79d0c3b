import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCheckpointKeys } from './keys.ts'

let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-keys-'))
})

afterAll(() => rm(dir, { recursive: true, force: true }))

async function keyFileOf(name: string, key = generateKeyPairSync('ed25519').privateKey): Promise<string> {
  await writeFile(join(dir, name), String(key.export({ type: 'pkcs8', format: 'pem' })), { mode: 0o600 })
  return join(dir, name)
}

describe('the keys of checkpoints', () => {
  it('L8: a key signs under the origin of a log; those before it are known, each once', async () => {
    const before = loadCheckpointKeys({ keyFile: await keyFileOf('before.pem'), knownKeys: [] })
    const knownKeys = [...before.vkeys('h/one'), ...before.vkeys('h/two')]
    const keys = loadCheckpointKeys({ keyFile: await keyFileOf('now.pem'), knownKeys })
    expect(keys.signer('h/log').name).toBe('h/log')
    expect(keys.vkeys('h/log')).toEqual([keys.signer('h/log').vkey, ...before.vkeys('h/log')])
    expect(keys.verifiers('h/log').map(({ name }) => name)).toEqual(['h/log', 'h/log'])
  })

  it('L8: a known key of the wrong kind stops the start with what it is', async () => {
    const keyFile = await keyFileOf('good.pem')
    const knownKeys = ['rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49']
    expect(() => loadCheckpointKeys({ keyFile, knownKeys })).toThrow('audit.checkpoints.knownKeys')
  })

  it.each([
    ['is not there', async () => join(dir, 'none.pem'), /not there/],
    [
      'is of another kind',
      async () => {
        const file = join(dir, 'ec.pem')
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
        await writeFile(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })))
        return file
      },
      /a key of the kind ec/,
    ],
    [
      'is no key',
      async () => {
        await writeFile(join(dir, 'text.pem'), 'text')
        return join(dir, 'text.pem')
      },
      /ledger key make/,
    ],
  ])('L8: a key file that %s stops the start with what to do', async (_what, file, why) => {
    const keyFile = await file()
    const problems = (): unknown => {
      try {
        return loadCheckpointKeys({ keyFile, knownKeys: [] })
      } catch (error) {
        return error instanceof Error && 'problems' in error ? String(error.problems) : error
      }
    }
    expect(problems()).toMatch(why)
  })
})
