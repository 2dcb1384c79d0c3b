import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseVkey, publicKeyOf, signerOf, verifierOf, vkeyOf, type NoteSigner, type NoteVerifier } from '#ledger'
import { StartError } from '../start-error.ts'

/** Who signs the logs of a deployment, and who did before. */
export interface CheckpointKeys {
  signer(origin: string): NoteSigner
  /** The key that signs and those that signed before it, under the name of a log. */
  verifiers(origin: string): readonly NoteVerifier[]
  /** The same as text, for other tools. */
  vkeys(origin: string): readonly string[]
}

interface KeySettings {
  readonly keyFile: string
  readonly knownKeys: readonly string[]
}

/** Reads the private key; the name of a key is the origin of the log that it signs (C2SP tlog-checkpoint). */
export function loadCheckpointKeys({ keyFile, knownKeys }: KeySettings): CheckpointKeys {
  const key = readKey(keyFile)
  const halves = [publicKeyOf(key), ...knownKeys.map(knownKey)]
  const publicKeys = halves.filter((one, at) => halves.findIndex((other) => other.equals(one)) === at)
  const known = new Map<string, readonly NoteVerifier[]>()
  return {
    signer: (origin) => signerOf(origin, key),
    verifiers: (origin) => {
      const made = known.get(origin) ?? publicKeys.map((half) => verifierOf(origin, half))
      known.set(origin, made)
      return made
    },
    vkeys: (origin) => publicKeys.map((half) => vkeyOf(origin, half)),
  }
}

function readKey(file: string) {
  const todo = 'run `portcullis ledger key make FILE` and name that file in audit.checkpoints.keyFile'
  try {
    const key = createPrivateKey(readFileSync(file, 'utf8'))
    publicKeyOf(key)
    return key
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const why =
      code === 'ENOENT' ? 'the file is not there' : error instanceof Error && code === '' ? error.message : code
    throw new StartError('the key for checkpoints cannot be used', [`${file}: ${why}; ${todo}`], error)
  }
}

function knownKey(vkey: string): Buffer {
  const parsed = parseVkey(vkey)
  if (parsed.ok) return Buffer.from(parsed.key.publicKey)
  throw new StartError('a key of audit.checkpoints.knownKeys cannot be used', [`${vkey.slice(0, 60)}: ${parsed.why}`])
}
