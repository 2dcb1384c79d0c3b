import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, lstat, mkdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Client } from 'pg'
import { Reader } from '#store'
import { embeddedHome, prepareForRestore, startEmbedded } from '../embedded/index.ts'
import { syncFolder } from '../embedded/private-file.ts'
import { passwordsFile, provision } from '../provision.ts'
import { StartError } from '../start-error.ts'
import { copyFile, forEach } from './copy-tree.ts'
import { dataFolder, instanceFolder, keysOf, readManifest, type Manifest } from './manifest.ts'

export interface RestoreOptions {
  /** The folder of a backup. */
  readonly from: string
  /** The folder of `up` to make; there is no instance in it yet. */
  readonly dir: string
  readonly progress: (done: { readonly bytes: number; readonly totalBytes: number }) => void
}

export interface Restored {
  readonly home: string
  readonly created: string
  readonly logs: readonly { readonly log: string; readonly size: number }[]
  /** Keys that the instance had and that are not in the folder, or are others. */
  readonly missingKeys: readonly { readonly file: string; readonly fingerprint: string }[]
}

/**
 * Makes an instance of `up` from a backup (SPEC O12): every file is compared with the manifest, PostgreSQL replays its WAL, and
 * every log of the ledger is verified and compared with the heads of the backup before this resolves.
 */
export async function restore({ from, dir, progress }: RestoreOptions): Promise<Restored> {
  const folder = resolve(from)
  const manifest = await readManifest(folder)
  const { home } = embeddedHome(resolve(dir))
  if (existsSync(join(home, dataFolder)) || existsSync(join(home, passwordsFile))) {
    throw new StartError(`there is an instance under ${dir}`, [
      'restore into a new folder with --dir; an instance is never overwritten',
    ])
  }
  const identity = await prepareForRestore(home)
  const aside = join(home, `restore-${randomBytes(4).toString('hex')}`)
  try {
    await copyAll(folder, aside, manifest, progress)
    if (identity !== undefined) await giveAway(join(aside, dataFolder), manifest, identity)
    for (const { path } of manifest.files.filter((file) => file.path.startsWith(`${instanceFolder}/`))) {
      await rename(join(aside, path), join(home, path.slice(instanceFolder.length + 1)))
    }
    await rename(join(aside, dataFolder), join(home, dataFolder))
    await syncFolder(home)
  } finally {
    await rm(aside, { recursive: true, force: true })
  }
  await verifyLedger(resolve(dir), home, manifest)
  const present = await keysOf(home)
  return {
    home,
    created: manifest.created,
    logs: manifest.logs,
    missingKeys: manifest.keys.filter((key) => !present.some((one) => one.fingerprint === key.fingerprint)),
  }
}

async function copyAll(
  folder: string,
  aside: string,
  manifest: Manifest,
  progress: RestoreOptions['progress'],
): Promise<void> {
  const totalBytes = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const path of ['', dataFolder, instanceFolder]) await mkdir(join(aside, path), { mode: 0o700 })
  for (const path of manifest.folders) await mkdir(safeJoin(join(aside, dataFolder), path), { mode: 0o700 })
  let bytes = 0
  await forEach(manifest.files, async (file) => {
    const source = safeJoin(folder, file.path)
    const found = await lstat(source).catch(() => undefined)
    if (found?.isFile() !== true) throw damaged(`${file.path} is missing`)
    const copied = await copyFile(source, safeJoin(aside, file.path))
    if (copied.sha256 !== file.sha256) throw damaged(`${file.path} is not the file that was backed up`)
    bytes += copied.bytes
    progress({ bytes, totalBytes })
  })
}

function damaged(what: string): StartError {
  return new StartError('the backup is damaged; nothing was restored', [`${what}: use another backup`])
}

/** A manifest that was tampered with must not write elsewhere. */
function safeJoin(root: string, path: string): string {
  const whole = resolve(root, path)
  if (!whole.startsWith(`${root}/`)) throw damaged(`the manifest names ${path}`)
  return whole
}

async function giveAway(
  data: string,
  manifest: Manifest,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const files = manifest.files.flatMap(({ path }) =>
    path.startsWith(`${dataFolder}/`) ? [path.slice(dataFolder.length + 1)] : [],
  )
  for (const path of ['', ...manifest.folders, ...files]) await chown(join(data, path), uid, gid)
}

async function verifyLedger(dir: string, home: string, manifest: Manifest): Promise<void> {
  const postgres = await startEmbedded({ dir, log: () => undefined })
  try {
    const access = await provision(postgres, home)
    const owner = new Client({ ...access('portcullis_owner'), connectionTimeoutMillis: 5000 })
    await owner.connect()
    const heads = await owner
      .query<{ log: string; tenant_id: string | null; size: string }>('select log, tenant_id, size from audits.heads')
      .finally(() => owner.end())
    const reader = new Reader({ client: { ...access('portcullis_reader') }, ...timeouts }, 1)
    try {
      for (const { log, size } of manifest.logs) {
        const head = heads.rows.find((row) => row.log === log)
        if (head === undefined || Number(head.size) < size)
          throw broken(log, 'it is shorter than when it was backed up')
        const scope = { tenantId: head.tenant_id ?? '', platform: true }
        const verdict = await reader.verify(scope, log)
        if (verdict === undefined || verdict === 'too_long') throw broken(log, 'it could not be replayed in time')
        if (!verdict.chainValid) throw broken(log, `entry ${verdict.firstBadSeq ?? '?'}: ${verdict.problem}`)
      }
    } finally {
      await reader.close()
    }
  } finally {
    await postgres.stop()
  }
}

const timeouts = {
  connectTimeoutMs: 5000,
  statementTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  maxLifetimeSeconds: 3600,
}

function broken(log: string, why: string): StartError {
  return new StartError(`the log ${log} of the restored ledger does not verify`, [
    `${why}; the files are in place for a closer look: do not serve from them, restore another backup into a new folder`,
  ])
}
