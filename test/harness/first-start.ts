import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { migrate } from '#store'
import { ensureFirstAdmin } from '../../src/server/bootstrap.ts'
import { embeddedHome, startEmbedded } from '../../src/server/embedded/index.ts'
import { withLock } from '../../src/server/embedded/lock.ts'
import { readIfPresent } from '../../src/server/embedded/private-file.ts'
import { passwordsFile, provision } from '../../src/server/provision.ts'
import { runFolder } from './run-folder.ts'

/** What the first start tells once; the code signs in as long as the tests run. */
export interface FirstAdmin {
  readonly adminKey: string
  readonly signInCode: string
}

const files = ['pgdata', 'postgres-password', passwordsFile] as const
const lockDeadlineMs = 60_000

/**
 * Fills the folder of an instance with all that a first start makes before it serves: a cluster that was stopped cleanly, roles,
 * schema and the first admin. The first one of a run is made and the others are its copies; key files are none, so each instance
 * makes its own. The start that follows does all the rest for the first time.
 */
export async function firstStart(dir: string): Promise<FirstAdmin> {
  const run = runFolder()
  if (run === undefined) return makeFirstStart(dir)
  const template = join(run, 'first-start')
  const made = `${template}.json`
  const text =
    (await readIfPresent(made)) ??
    (await withLock(`${template}.lock`, lockDeadlineMs, async () => {
      const others = await readIfPresent(made)
      if (others !== undefined) return others
      // Of an attempt that failed: each file says why, and not that something is there.
      await rm(template, { recursive: true, force: true })
      await mkdir(template, { mode: 0o700 })
      const admin = JSON.stringify(await makeFirstStart(template))
      await writeFile(made, admin, { mode: 0o600 })
      return admin
    }))
  const from = embeddedHome(template).home
  const { home } = embeddedHome(dir)
  await mkdir(home, { recursive: true, mode: 0o700 })
  // Owners and modes are kept: as root they are those of the user of PostgreSQL.
  await promisify(execFile)('cp', ['-a', ...files.map((file) => join(from, file)), home])
  return JSON.parse(text) as FirstAdmin
}

async function makeFirstStart(dir: string): Promise<FirstAdmin> {
  const postgres = await startEmbedded({ dir, log: () => undefined })
  try {
    const access = await provision(postgres, embeddedHome(dir).home)
    const owner = new Client(access('portcullis_owner'))
    await owner.connect()
    try {
      await migrate(owner)
      const admin = await ensureFirstAdmin(owner)
      if (admin === undefined) throw new Error(`${dir} holds an instance already`)
      await owner.query(`update portcullis.sign_in_codes set expires_at = now() + interval '1 day'`)
      return { adminKey: admin.key.reveal(), signInCode: admin.signInCode }
    } finally {
      await owner.end()
    }
  } finally {
    await postgres.stop()
  }
}
