import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import * as z from 'zod'
import { readKeyFile } from '#secrets'
import { signingKeyFile, masterKeyFile } from '../key-files.ts'
import { StartError } from '../start-error.ts'

export const manifestFile = 'manifest.json'
export const dataFolder = 'pgdata'
export const instanceFolder = 'instance'
const format = 'portcullis-backup/1'
const hex = z.string().regex(/^[0-9a-f]{64}$/)

const manifestShape = z.object({
  format: z.literal(format),
  created: z.string(),
  portcullis: z.string(),
  postgres: z.string(),
  startLsn: z.string(),
  stopLsn: z.string(),
  /** Folders of the data directory; most are empty. */
  folders: z.array(z.string()),
  files: z.array(z.object({ path: z.string(), bytes: z.int().min(0), sha256: hex })),
  /** The heads of the ledger when the backup ended: a restored one is not behind them. */
  logs: z.array(z.object({ log: z.string(), size: z.int().min(0), lastHash: hex })),
  /** Keys that the instance needs and the backup does not hold. */
  keys: z.array(z.object({ file: z.string(), fingerprint: z.string() })),
})

export type Manifest = z.output<typeof manifestShape>

export function newManifest(facts: Omit<Manifest, 'format'>): Manifest {
  return { format, ...facts }
}

/** The manifest of a backup; a folder without one is no complete backup. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, manifestFile), 'utf8').catch((error: unknown) => {
    const todo = `${folder} holds no ${manifestFile}: name the folder of a backup that was completed`
    throw new StartError('there is no backup to restore', [todo], error)
  })
  try {
    return manifestShape.parse(JSON.parse(text))
  } catch (error) {
    const todo = `${join(folder, manifestFile)} is damaged or of another version of Portcullis: take another backup`
    throw new StartError('the manifest of the backup cannot be read', [todo], error)
  }
}

/**
 * The keys of an instance by file and fingerprint, never by what they are. Each master key of the file has its own, the id that
 * `secrets list` shows; an instance whose master keys are with Vault or KMS has none here.
 */
export async function keysOf(home: string): Promise<Manifest['keys']> {
  const master = masterKeyFile(home)
  const masters = existsSync(master)
    ? readKeyFile(master).map(({ id }) => ({ file: basename(master), fingerprint: id }))
    : []
  const signing = await readFile(join(home, signingKeyFile)).catch(() => undefined)
  return signing === undefined ? masters : [...masters, { file: signingKeyFile, fingerprint: fingerprint(signing) }]
}

/** Tells two keys apart and tells nothing of a key: half of a hash under a name of its own. */
function fingerprint(key: Uint8Array): string {
  return createHash('sha256').update('portcullis backup key fingerprint\n').update(key).digest('hex').slice(0, 32)
}
