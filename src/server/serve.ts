import { resolve } from 'node:path'
import { Client } from 'pg'
import type { Config, LoadInput } from '#config'
import { migrate, pendingMigrations } from '#store'
import { ensureFirstAdmin, recoverFirstAdmin } from './bootstrap.ts'
import { settingsForUrl } from './connection-settings.ts'
import { makeLog } from './log.ts'
import { setOperatorPassword, type NewPassword } from './people/operator-password.ts'
import { StartError } from './start-error.ts'
import { mustLoad, runEmbedded, startServing, toRecovered, type Recovered, type Running } from './up.ts'
import { watchConfig } from './watch-config.ts'

interface FromFile {
  readonly configFile: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The production start (SPEC M4): refuses unsafe settings and an unfit database, and changes neither. */
export async function serve({ workers = 1, ...options }: FromFile & { readonly workers?: number }): Promise<Running> {
  const input: LoadInput = { file: options.configFile, env: options.env, mode: 'serve' }
  const config = load(options)
  const { url, embedded } = config.database
  if (embedded !== undefined) return runEmbedded(input, () => resolve(embedded.dir), workers)
  if (url === undefined) throw new StartError('no database is configured', ['set database.url or database.urlFile'])
  const log = makeLog(config.log)
  const connection = settingsForUrl(url, config.database)
  const serving = await startServing({ config, load: input, connection, log, workers })
  // Workers take over edits when they are started again; one process does at once.
  const watch =
    workers === 1
      ? watchConfig({
          file: options.configFile,
          env: options.env,
          config,
          log,
          apply: (change) => serving.apply(change),
        })
      : undefined
  return {
    ready: serving.ready,
    notes: [],
    stop: () => {
      watch?.stop()
      return serving.stop()
    },
  }
}

export interface Migrated {
  readonly applied: readonly { readonly version: number; readonly name: string }[]
  /** Once, when the first admin was made. */
  readonly adminKey: string | null
}

/** Brings the schema up to date as the owner role and makes the first admin; with `plan` only says what it would do. */
export async function migrateWith({ plan, ...options }: FromFile & { readonly plan: boolean }): Promise<Migrated> {
  return asOwner(options, async (owner) => {
    if (plan)
      return {
        applied: (await pendingMigrations(owner)).map(({ version, name }) => ({ version, name })),
        adminKey: null,
      }
    const applied = (await migrate(owner)).map(({ version, name }) => ({ version, name }))
    const admin = await ensureFirstAdmin(owner)
    return { applied, adminKey: admin?.key.reveal() ?? null }
  })
}

/** A new key for the first admin of a deployment, as the owner role (SPEC M1). */
export function recoverAdminWith(options: FromFile): Promise<Recovered> {
  return asOwner(options, async (owner) => toRecovered(await recoverFirstAdmin(owner)))
}

/** A new password for an operator of a deployment, as the owner role; answers its id. */
export function setPasswordWith(options: FromFile, person: NewPassword): Promise<string> {
  return asOwner(options, (owner) => setOperatorPassword(owner, person))
}

async function asOwner<Result>(options: FromFile, work: (owner: Client) => Promise<Result>): Promise<Result> {
  const owner = await connectOwner(load(options))
  try {
    return await work(owner)
  } finally {
    await owner.end()
  }
}

async function connectOwner(config: Config): Promise<Client> {
  const { owner, pool } = config.database
  if (owner.url === undefined) {
    throw new StartError('this runs as the owner role', ['set database.owner.url or database.owner.urlFile'])
  }
  const client = new Client({
    ...settingsForUrl(owner.url, config.database).client,
    connectionTimeoutMillis: pool.connectTimeoutMs,
  })
  try {
    await client.connect()
    return client
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const todo = 'run src/store/roles.sql as a superuser once, and check database.owner'
    throw new StartError('the database cannot be reached as the owner role', [`${reason}; ${todo}`], error)
  }
}

function load({ configFile, env }: FromFile): Config {
  return mustLoad({ file: configFile, env, mode: 'serve' })
}
