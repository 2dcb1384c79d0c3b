import type { Logger } from 'pino'
import type { Clock } from '#core'
import type { AppDirectory, DenialDirectory } from '#authority'
import { AppCache, DenialCache, type CachedTable } from '#store'

/** Apps and denied tokens, in memory beside the keys (SPEC A5, A10). */
export interface ComposedApps {
  readonly apps: AppDirectory
  readonly denials: DenialDirectory
  /** For the cache of keys, which keeps them fresh. */
  readonly tables: readonly CachedTable[]
  /** Once the tables are loaded; then says each day which secrets are old. Answers how to end that. */
  watchAges(log: Logger): () => void
}

const dayMs = 86_400_000
const oldAfterDays = 90
const namedAtMost = 20

export function composeApps(clock: Clock): ComposedApps {
  const apps = new AppCache()
  const denials = new DenialCache(clock)
  return {
    apps,
    denials,
    tables: [apps, denials],
    watchAges: (log) => {
      const look = (): void => warnOfOld(apps, clock, log)
      look()
      const timer = setInterval(look, dayMs)
      timer.unref()
      return () => clearInterval(timer)
    },
  }
}

/** Each replica says so: whoever reads the log of one of them hears of it. */
export function warnOfOld(apps: Pick<AppCache, 'secretsBefore'>, clock: Clock, log: Pick<Logger, 'warn'>): void {
  const now = clock.now()
  const old = apps.secretsBefore(now - oldAfterDays * dayMs)
  for (const { app, sinceMs } of old.slice(0, namedAtMost)) {
    const ageDays = Math.floor((now - sinceMs) / dayMs)
    log.warn(
      { event: 'apps.secret_old', app: app.id, name: app.name, tenant: app.tenant.name, ageDays, old: old.length },
      'the secret of an app is old: `portcullis app rotate-secret` makes a new one, with an overlap where it is asked for',
    )
  }
}
