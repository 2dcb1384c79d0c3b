import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config, LoadInput } from '#config'

/** What signs the checkpoints of an instance of `up`. */
export const signingKeyFile = 'signing-key.pem'

/** Makes the signing key (Ed25519, PKCS #8) and the master key (32 bytes, base64) where they are missing, 0600 (SPEC M1). */
export async function ensureKeyFiles(home: string): Promise<void> {
  const signing = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  await writeNew(join(home, signingKeyFile), String(signing))
  await writeNew(masterKeyFile(home), `${randomBytes(32).toString('base64')}\n`)
}

/** Where `up` keeps the master keys. */
export function masterKeyFile(home: string): string {
  return join(home, 'master-key')
}

/** The settings with the master key file of the folder, unless they name who holds the keys; workers read them again. */
export function withMasterKey(
  config: Config,
  load: LoadInput,
  home: string,
): { readonly config: Config; readonly load: LoadInput } {
  if (config.secrets.provider !== 'file' || config.secrets.keyFile !== undefined) return { config, load }
  const keyFile = masterKeyFile(home)
  const overrides = { ...load.overrides, secrets: { ...load.overrides?.secrets, keyFile } }
  return { config: { ...config, secrets: { ...config.secrets, keyFile } }, load: { ...load, overrides } }
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    // A key that exists is never overwritten.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
