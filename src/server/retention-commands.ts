import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { retentionPolicy, type Config, type RetentionClass, type RetentionPolicy } from '#config'
import type { RetentionStore, StoredHold } from '#store'
import { settingsForRole, settingsForUrl } from './connection-settings.ts'
import { embeddedHome, startEmbedded } from './embedded/index.ts'
import { passwordsFile, provision } from './provision.ts'
import { mustPass, prune, type PrunedClass } from './retention.ts'
import { retentionBody } from './retention-entries.ts'
import { withRetentionStore } from './retention-store.ts'
import { RefusedError, StartError } from './start-error.ts'
import { mustLoad } from './up.ts'

const classes: readonly string[] = ['default', 'hipaa', 'pci', 'soc2', 'custom']

/** Which deployment: a settings file with database.maintenance, or the folder of `up`. */
export interface RetentionTarget {
  readonly configFile?: string | undefined
  readonly dir: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Who does it; the user of this process where nobody is named. */
  readonly by?: string | undefined
}

export interface RetentionView {
  readonly logs: readonly {
    readonly log: string
    readonly class: string
    readonly entries: number
    readonly begins_at: number
    readonly goes_on_in?: string
    readonly policy: RetentionPolicy | null
  }[]
  readonly months: readonly {
    readonly name: string
    readonly class: string
    readonly month: string
    readonly bytes: number
  }[]
  readonly holds: readonly StoredHold[]
}

export function pruneLedger(
  target: RetentionTarget,
  options: {
    readonly archive: string | undefined
    readonly waitMs: number
    readonly withoutSinks: readonly string[]
    readonly say: (line: string) => void
  },
): Promise<readonly PrunedClass[]> {
  return withStore(target, (store, { audit }, by) => {
    const archive = options.archive === undefined ? undefined : resolve(options.archive)
    return prune({ ...options, store, retention: audit.retention, archive, by, nowMs: Date.now() })
  })
}

export function listRetention(target: RetentionTarget): Promise<RetentionView> {
  return withStore(target, async (store, { audit }) => {
    const [logs, months, holds] = [await store.logs(), await store.months(), await store.holds()]
    return {
      logs: logs.map(({ log, retentionClass, size, minIndex, goesOnIn }) => ({
        log,
        class: retentionClass,
        entries: size - minIndex,
        begins_at: minIndex,
        ...(goesOnIn === undefined ? {} : { goes_on_in: goesOnIn }),
        policy: retentionPolicy(audit.retention, retentionClass as RetentionClass) ?? null,
      })),
      months: months.map(({ name, retentionClass, firstMs, bytes }) => {
        return { name, class: retentionClass, month: new Date(firstMs).toISOString().slice(0, 7), bytes }
      }),
      holds,
    }
  })
}

export function placeHold(
  target: RetentionTarget,
  hold: {
    readonly tenant?: string | undefined
    readonly log?: string | undefined
    readonly reason: string
    readonly until?: string | undefined
  },
): Promise<void> {
  const { tenant = null, log = null, reason, until = null } = hold
  return withStore(target, async (store, _, by) => {
    const body = retentionBody('retention.held', { by, log, reason, tenant, until }, Date.now())
    mustPass(await store.placeHold({ tenant, log, reason, until, by, body }))
  })
}

export function releaseHold(target: RetentionTarget, id: string, reason: string): Promise<void> {
  return withStore(target, async (store, _, by) => {
    const body = retentionBody('retention.released', { by, id, reason }, Date.now())
    if (await store.releaseHold(id, by, body)) return
    throw new RefusedError(`no hold ${id} is in force`, ['`portcullis ledger hold list` has the ids'])
  })
}

/** Answers the log that the entries of the tenant go to from now on. */
export function setRetentionClass(target: RetentionTarget, tenant: string, retentionClass: string): Promise<string> {
  if (!classes.includes(retentionClass)) {
    throw new RefusedError(`there is no retention class ${retentionClass}`, [`use one of ${classes.join(', ')}`])
  }
  return withStore(target, async (store, _, by) => {
    const body = retentionBody('retention.class_set', { by, class: retentionClass, tenant }, Date.now())
    mustPass(await store.setClass(tenant, retentionClass, by, body))
    return retentionClass === 'default' ? tenant : `${tenant}/${retentionClass}`
  })
}

type Work<Result> = (store: RetentionStore, config: Config, by: string) => Promise<Result>

async function withStore<Result>(target: RetentionTarget, work: Work<Result>): Promise<Result> {
  const { configFile, dir, env, by = userName() } = target
  if (configFile !== undefined) {
    const config = mustLoad({ file: configFile, env, mode: 'serve' })
    const { url } = config.database.maintenance
    if (url !== undefined)
      return withRetentionStore(settingsForUrl(url, config.database), (store) => work(store, config, by))
    throw new StartError('this runs as the maintenance role', [
      'set database.maintenance.url or database.maintenance.urlFile',
    ])
  }
  const config = mustLoad({ env, mode: 'up' })
  const { home } = embeddedHome(resolve(dir))
  if (!existsSync(join(home, passwordsFile))) {
    throw new StartError(`there is no instance under ${dir}`, [
      'name its folder with --dir, or its settings file with --config',
    ])
  }
  const postgres = await startEmbedded({ dir: resolve(dir), log: () => undefined })
  try {
    const access = await provision(postgres, home)
    const settings = settingsForRole(access('portcullis_maintenance'), config.database.pool)
    return await withRetentionStore(settings, (store) => work(store, config, by))
  } finally {
    if (!postgres.adopted) await postgres.stop()
  }
}

function userName(): string {
  return process.env['OPS_OPERATOR'] ?? userInfo().username
}
