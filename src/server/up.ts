import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Client } from 'pg'
import type { Logger } from 'pino'
import { formatProblems, loadConfig, type Config, type LoadInput } from '#config'
import { migrate, type ConnectionSettings } from '#store'
import { ensureFirstAdmin, recoverFirstAdmin, type AdminAccess } from './bootstrap.ts'
import { settingsForRole } from './connection-settings.ts'
import {
  embeddedHome,
  startEmbedded,
  stopEmbedded,
  type EmbeddedOptions,
  type EmbeddedPostgres,
} from './embedded/index.ts'
import { startInstance } from './instance.ts'
import { keepRunning } from './keep-running.ts'
import { ensureKeyFiles, withMasterKey } from './key-files.ts'
import { makeLog } from './log.ts'
import { setOperatorPassword, type NewPassword } from './people/operator-password.ts'
import { passwordsFile, provision, type RoleAccess } from './provision.ts'
import { StartError } from './start-error.ts'
import { adminIsShown, adminIsUnshown, isAdminUnshown } from './unshown-admin.ts'
import { startWorkers } from './workers.ts'

export interface Ready {
  readonly event: 'ready'
  readonly grpc: string
  readonly http: string
  readonly management: string
  readonly public: string | null
  /** The listeners for agents with client certificates; null where they are off. */
  readonly agentsGrpc: string | null
  readonly agentsHttp: string | null
  /** On the first start only. */
  readonly adminKey: string | null
  readonly consoleUrl: string | null
}

export interface Running {
  readonly ready: Ready
  /** What the person at the terminal should know, such as where files were moved. */
  readonly notes: readonly string[]
  stop(): Promise<void>
}

export interface Recovered {
  readonly adminKey: string
  /** On the HTTP listener, whatever its address is: the server need not run. */
  readonly signInPath: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** All in one on loopback, with a PostgreSQL of its own (SPEC M1). */
export async function up({ dir, env, workers = 1 }: UpOptions): Promise<Running> {
  const overrides =
    env['PORTCULLIS__LOG__LEVEL'] === undefined
      ? { log: { level: 'warn' as const, format: 'text' as const } }
      : { log: { format: 'text' as const } }
  return runEmbedded({ env, overrides, mode: 'up' }, () => resolve(dir), workers)
}

export interface UpOptions {
  readonly dir: string
  readonly env: Environment
  /** Serving processes; each keeps its share of the rate buckets that are in memory. */
  readonly workers?: number
}

/** Settings, or all that is wrong with them. */
export function mustLoad(load: LoadInput): Config {
  const loaded = loadConfig(load)
  if (!loaded.ok) throw new StartError(`the settings are not usable:\n${formatProblems(loaded.problems)}`)
  if (loaded.warnings.length > 0) process.stderr.write(`${formatProblems(loaded.warnings)}\n`)
  return loaded.config
}

/** Serves from an embedded PostgreSQL under a folder. */
export async function runEmbedded(
  load: LoadInput,
  dirOf: (config: Config) => string,
  workers: number,
): Promise<Running> {
  const given = mustLoad(load)
  const dir = dirOf(given)
  const { config, load: settled } = withMasterKey(given, load, embeddedHome(dir).home)
  const log = makeLog(config.log)
  const store = await openEmbedded(dir, config, log)
  let serving: Serving | undefined
  try {
    const started = await startServing({ config, load: settled, connection: store.app, log, workers })
    serving = started
    const admin = store.admin ?? (await unshownAdmin(store))
    const startAgain = async (): Promise<void> => {
      const { port } = await openPostgres(dir, log)
      // Connections read it when they connect; it changes only where another program took the old one.
      store.app.client.port = port
      started.moved(store.app)
    }
    await adminIsShown(store.home)
    const watch = keepRunning(store.postgres, startAgain, log)
    return {
      ready: {
        ...started.ready,
        adminKey: admin?.key.reveal() ?? null,
        consoleUrl: admin === undefined ? null : `http://${started.ready.http}${signInPath(admin)}`,
      },
      notes:
        store.postgres.movedTo === undefined
          ? []
          : [`running as root: the database lives in ${store.postgres.movedTo}, where its own user can reach it`],
      stop: async () => {
        await started.stop()
        await watch.stop()
        await store.postgres.stop()
      },
    }
  } catch (error) {
    await serving?.stop()
    await leave(store.postgres)
    throw error
  }
}

/** Another key, where the first was made by a start that failed before it could show it. */
async function unshownAdmin({ home, owner }: OpenStore): Promise<AdminAccess | undefined> {
  return isAdminUnshown(home) ? asOwner(owner, recoverFirstAdmin) : undefined
}

interface Served {
  readonly config: Config
  readonly load: LoadInput
  readonly connection: ConnectionSettings
  readonly log: Logger
  readonly workers: number
}

interface Serving {
  readonly ready: Ready
  moved(connection: ConnectionSettings): void
  apply(change: Partial<Config>): void
  stop(): Promise<void>
}

const nowhere = { grpc: '', http: '', management: '', agentsGrpc: undefined, agentsHttp: undefined }

/** In this process, or in several workers behind the same addresses. */
export async function startServing({ config, load, connection, log, workers }: Served): Promise<Serving> {
  const alone = workers === 1 ? await startInstance(config, connection, log) : undefined
  const several =
    alone === undefined ? await startWorkers({ count: workers, config, load, connection, log }) : undefined
  const { grpc, http, management, agentsGrpc = null, agentsHttp = null } = alone ?? several ?? nowhere
  log.info({ event: 'server.ready', grpc, http, management, workers }, 'ready')
  return {
    ready: {
      event: 'ready',
      grpc,
      http,
      management,
      public: null,
      agentsGrpc,
      agentsHttp,
      adminKey: null,
      consoleUrl: null,
    },
    moved: (next) => several?.moved(next),
    apply: (change) => alone?.apply(change),
    stop: async () => {
      await alone?.stop()
      await several?.stop()
    },
  }
}

/** Stops a PostgreSQL that was left behind, for example after the server was killed. */
export function down(dir: string): Promise<'stopped' | 'not_running'> {
  return stopEmbedded(resolve(dir))
}

/** A new key for the first admin and a one-time sign-in link, whether or not the server runs (SPEC M1). */
export async function recoverAdmin(dir: string): Promise<Recovered> {
  return withInstance(dir, async ({ home, access }) => {
    const recovered = toRecovered(await asOwner(access('portcullis_owner'), recoverFirstAdmin))
    await adminIsShown(home)
    return recovered
  })
}

/** A new password for an operator of the instance in a folder; answers its id. */
export async function setPassword(dir: string, person: NewPassword): Promise<string> {
  return withInstance(dir, ({ access }) =>
    asOwner(access('portcullis_owner'), (owner) => setOperatorPassword(owner, person)),
  )
}

/** An instance that `up` made, with its PostgreSQL running, whether or not its server does. */
export async function withInstance<Result>(
  dir: string,
  work: (instance: { readonly home: string; readonly access: Access }) => Promise<Result>,
): Promise<Result> {
  const { home } = embeddedHome(resolve(dir))
  if (!existsSync(join(home, passwordsFile))) {
    throw new StartError(`there is no instance under ${dir}`, [
      'run `portcullis up` first, or name its folder with --dir',
    ])
  }
  const postgres = await start(resolve(dir), () => undefined)
  try {
    return await work({ home, access: await provision(postgres, home) })
  } finally {
    await leave(postgres)
  }
}

type Access = Awaited<ReturnType<typeof provision>>

export function toRecovered(admin: AdminAccess): Recovered {
  return { adminKey: admin.key.reveal(), signInPath: signInPath(admin) }
}

function openPostgres(dir: string, log: Logger): Promise<EmbeddedPostgres> {
  return startEmbedded({ dir, log: ({ level, message, ...rest }) => log[level](rest, message) })
}

function signInPath({ signInCode }: AdminAccess): string {
  return `/sign-in?code=${signInCode}`
}

interface OpenStore {
  readonly home: string
  readonly postgres: EmbeddedPostgres
  readonly owner: RoleAccess
  readonly app: ConnectionSettings
  readonly admin: AdminAccess | undefined
}

async function openEmbedded(dir: string, config: Config, log: Logger): Promise<OpenStore> {
  const postgres = await start(dir, ({ level, message, ...rest }) => log[level](rest, message))
  try {
    const { home } = embeddedHome(dir)
    await ensureKeyFiles(home)
    if (!existsSync(join(home, passwordsFile))) await adminIsUnshown(home)
    const access = await provision(postgres, home)
    const owner = access('portcullis_owner')
    const admin = await asOwner(owner, async (client) => {
      await migrate(client)
      return ensureFirstAdmin(client)
    })
    return {
      home,
      postgres,
      owner,
      app: { ...settingsForRole(access('portcullis_app'), config.database.pool), dataDir: home },
      admin,
    }
  } catch (error) {
    await leave(postgres)
    throw error
  }
}

async function start(dir: string, log: EmbeddedOptions['log']): Promise<EmbeddedPostgres> {
  try {
    return await startEmbedded({ dir, log })
  } catch (error) {
    throw new StartError(
      'the embedded PostgreSQL did not start',
      [error instanceof Error ? error.message : String(error)],
      error,
    )
  }
}

/** Stops what this process started; one that ran before may be in use by another server. */
async function leave(postgres: EmbeddedPostgres): Promise<void> {
  if (!postgres.adopted) await postgres.stop()
}

async function asOwner<Result>(access: object, work: (owner: Client) => Promise<Result>): Promise<Result> {
  const owner = new Client({ ...access, connectionTimeoutMillis: 5000 })
  await owner.connect()
  try {
    return await work(owner)
  } finally {
    await owner.end()
  }
}
