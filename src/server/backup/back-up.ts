import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Client } from 'pg'
import { embeddedHome, startEmbedded } from '../embedded/index.ts'
import { syncFolder } from '../embedded/private-file.ts'
import { passwordsFile } from '../provision.ts'
import { StartError } from '../start-error.ts'
import { version } from '../version.ts'
import { copyFile, forEach, listTree, writeWhole, type CopiedFile } from './copy-tree.ts'
import { dataFolder, instanceFolder, keysOf, manifestFile, newManifest, type Manifest } from './manifest.ts'

export interface BackupOptions {
  /** The folder of `up`. */
  readonly dir: string
  /** New, or empty. */
  readonly to: string
  readonly progress: (done: { readonly bytes: number; readonly totalBytes: number }) => void
}

// What a server makes anew, and what belongs to the one that runs (PostgreSQL manual, "Making a Base Backup").
const contentsSkipped = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
])
const filesSkipped = new Set(['postmaster.pid', 'postmaster.opts', 'backup_label', 'tablespace_map'])
const instanceFiles = [passwordsFile, 'postgres-password']

/**
 * A backup of a running or stopped instance of `up` (SPEC O12): the files of its PostgreSQL between pg_backup_start and
 * pg_backup_stop, with the WAL in between. The server goes on meanwhile. Master and signing keys are named and not copied.
 */
export async function backUp({ dir, to, progress }: BackupOptions): Promise<Manifest> {
  const { home } = embeddedHome(resolve(dir))
  if (!existsSync(join(home, passwordsFile))) {
    throw new StartError(`there is no instance under ${dir}`, [
      'name its folder with --dir; an instance of `serve` is backed up with its PostgreSQL, see docs/backup.md',
    ])
  }
  const folder = resolve(to)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if ((await readdir(folder)).length > 0) throw new StartError(`${to} is not empty`, ['name a new folder'])
  await chmod(folder, 0o700)
  const postgres = await startEmbedded({ dir: resolve(dir), log: () => undefined })
  const client = new Client({
    host: postgres.host,
    port: postgres.port,
    user: 'postgres',
    password: postgres.superuserPassword.reveal(),
    database: 'portcullis',
    connectionTimeoutMillis: 5000,
    application_name: 'portcullis backup',
  })
  try {
    await client.connect()
    const taken = await take(client, postgres.dataDir, folder, progress)
    const instance = await copyInstanceFiles(home, folder)
    const manifest = newManifest({
      created: new Date().toISOString(),
      portcullis: version,
      postgres: postgres.version,
      ...taken,
      files: [...taken.files, ...instance],
      keys: await keysOf(home),
    })
    // Last: a folder without it is no backup.
    await writeFile(join(folder, manifestFile), `${JSON.stringify(manifest, undefined, 1)}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    })
    await syncFolder(folder)
    return manifest
  } finally {
    await client.end().catch(() => undefined)
    if (!postgres.adopted) await postgres.stop()
  }
}

type Taken = Pick<Manifest, 'startLsn' | 'stopLsn' | 'folders' | 'files' | 'logs'>

async function take(
  client: Client,
  dataDir: string,
  folder: string,
  progress: BackupOptions['progress'],
): Promise<Taken> {
  const data = join(folder, dataFolder)
  // Both end with this session, however it ends: the slot that keeps WAL from being removed, and the backup mode.
  await client.query(`select pg_create_physical_replication_slot('portcullis_backup', true, true)`)
  const started = await client.query<{ lsn: string }>(`select pg_backup_start('portcullis', true) as lsn`)
  const { folders, files } = await listTree(dataDir, (path) => isSkipped(path))
  const sizes = await Promise.all(files.map((path) => stat(join(dataDir, path)).catch(() => undefined)))
  const totalBytes = sizes.reduce((sum, one) => sum + (one?.size ?? 0), 0)
  await mkdir(data, { mode: 0o700 })
  for (const path of folders) await mkdir(join(data, path), { recursive: true, mode: 0o700 })
  const copied: CopiedFile[] = []
  let bytes = 0
  await forEach(files, async (path) => {
    const one = await copyFile(join(dataDir, path), join(data, path)).catch((error: unknown) => {
      // A table that was dropped or truncated meanwhile: WAL knows.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    })
    if (one === undefined) return
    copied.push({ path: `${dataFolder}/${path}`, ...one })
    bytes += one.bytes
    progress({ bytes, totalBytes: Math.max(totalBytes, bytes) })
  })
  const heads = await client.query<{ log: string; size: string; last_hash: string }>(
    `select log, size, encode(last_hash, 'hex') as last_hash from audits.heads order by log`,
  )
  const stopped = await client.query<{ lsn: string; labelfile: string; spcmapfile: string; wal: string }>(
    `select lsn, labelfile, spcmapfile, pg_walfile_name(lsn) as wal from pg_backup_stop(false)`,
  )
  const { lsn = '', labelfile = '', wal = '' } = stopped.rows[0] ?? {}
  copied.push({
    path: `${dataFolder}/backup_label`,
    ...(await writeWhole(Buffer.from(labelfile), join(data, 'backup_label'))),
  })
  copied.push(...(await copyWal(dataDir, data, labelfile, wal)))
  return {
    startLsn: started.rows[0]?.lsn ?? '',
    stopLsn: lsn,
    folders: [...folders],
    files: copied,
    logs: heads.rows.map(({ log, size, last_hash }) => ({ log, size: Number(size), lastHash: last_hash })),
  }
}

function isSkipped(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return contentsSkipped.has(path) || filesSkipped.has(path) || name.startsWith('pgsql_tmp') || /^t\d+_\d+/.test(name)
}

/** The WAL from the start of the backup to its end: without it the files are of no one moment. */
async function copyWal(dataDir: string, data: string, label: string, last: string): Promise<readonly CopiedFile[]> {
  const first = /START WAL LOCATION: .* \(file ([0-9A-F]{24})\)/.exec(label)?.[1]
  if (first === undefined) throw new Error('PostgreSQL gave a backup label without its first WAL file')
  const names = (await readdir(join(dataDir, 'pg_wal')))
    .filter((name) => /^[0-9A-F]{24}$/.test(name) && name >= first && name <= last)
    .toSorted()
  if (names[0] !== first || names.at(-1) !== last) throw new Error(`WAL from ${first} to ${last} is not all there`)
  const copied: CopiedFile[] = []
  for (const name of names) {
    const one = await copyFile(join(dataDir, 'pg_wal', name), join(data, 'pg_wal', name))
    copied.push({ path: `${dataFolder}/pg_wal/${name}`, ...one })
  }
  return copied
}

async function copyInstanceFiles(home: string, folder: string): Promise<readonly CopiedFile[]> {
  const target = join(folder, instanceFolder)
  await mkdir(target, { mode: 0o700 })
  const copied: CopiedFile[] = []
  for (const name of instanceFiles) {
    copied.push({ path: `${instanceFolder}/${name}`, ...(await copyFile(join(home, name), join(target, name))) })
  }
  await syncFolder(dirname(target))
  return copied
}
