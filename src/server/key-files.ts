import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Makes the signing key (Ed25519, PKCS #8) and the master key (32 bytes, base64) where they are missing, 0600 (SPEC M1). */
export async function ensureKeyFiles(home: string): Promise<void> {
  const signing = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  await writeNew(join(home, 'signing-key.pem'), String(signing))
  await writeNew(join(home, 'master-key'), `${randomBytes(32).toString('base64')}\n`)
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    // A key that exists is never overwritten.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
