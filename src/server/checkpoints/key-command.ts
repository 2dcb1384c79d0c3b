import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { LoadInput } from '#config'
import { embeddedHome } from '../embedded/index.ts'
import { signingKeyFile } from '../key-files.ts'
import { StartError } from '../start-error.ts'
import { mustLoad } from '../up.ts'
import { loadCheckpointKeys } from './keys.ts'

/** The verifier keys of one log: the one that signs first, then those before it. */
export interface LogKeys {
  readonly log: string
  readonly vkeys: readonly string[]
}

export interface ShowKeys {
  /** The folder of an instance of `up`, or the settings of another one. */
  readonly dir: string
  readonly configFile?: string | undefined
  readonly env: LoadInput['env']
  readonly logs: readonly string[]
}

/** Makes a key that signs checkpoints; a file that is there is never touched. */
export async function makeCheckpointKey(file: string): Promise<void> {
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  try {
    await writeFile(file, String(key), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const todo =
      code === 'EEXIST'
        ? 'it is there already: name another file, or see its public half with `portcullis ledger key show`'
        : `${code}: name a file in a folder that this user may write to`
    throw new StartError('the key was not made', [`${file}: ${todo}`], error)
  }
}

/** The public halves of the keys of a deployment, as verifiers of its logs take them. Async for the room's door. */
export async function showCheckpointKeys({ dir, configFile, env, logs }: ShowKeys): Promise<readonly LogKeys[]> {
  const load: LoadInput = configFile === undefined ? { env, mode: 'up' } : { env, file: configFile, mode: 'serve' }
  const { audit } = await Promise.resolve(mustLoad(load))
  const keyFile =
    audit.checkpoints.keyFile ??
    (configFile === undefined ? join(embeddedHome(resolve(dir)).home, signingKeyFile) : undefined)
  if (keyFile === undefined) {
    throw new StartError('this instance signs no checkpoints', [
      'run `portcullis ledger key make FILE` and set audit.checkpoints.keyFile',
    ])
  }
  const keys = loadCheckpointKeys({ keyFile, knownKeys: audit.checkpoints.knownKeys })
  return logs.map((log) => ({ log, vkeys: keys.vkeys(`${audit.origin}/${log}`) }))
}
