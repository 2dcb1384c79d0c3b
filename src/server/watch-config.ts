import { watchFile, unwatchFile } from 'node:fs'
import type { Logger } from 'pino'
import { formatProblems, loadConfig, reloadable, type Config } from '#config'

const lookEveryMs = 1000

interface Watched {
  readonly file: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly config: Config
  readonly log: Logger
  /** Takes over what may change while the server runs. */
  readonly apply: (change: Partial<Config>) => void
}

/**
 * Takes over edits of the settings file, on change and on SIGHUP (SPEC O1): what may change does, the rest is named in the log,
 * and a file that is not usable changes nothing.
 */
export function watchConfig({ file, env, config, log, apply }: Watched): { stop(): void } {
  let current = config
  const reload = (): void => {
    const loaded = loadConfig({ file, env, mode: 'serve' })
    if (!loaded.ok) {
      log.error(
        { event: 'config.refused', problems: formatProblems(loaded.problems) },
        'the settings were not taken over',
      )
      return
    }
    const { apply: change, needRestart } = reloadable(current, loaded.config)
    if (needRestart.length > 0)
      log.warn({ event: 'config.needs_restart', settings: needRestart }, 'some settings wait for a restart')
    if (Object.keys(change).length === 0) return
    apply(change)
    current = { ...current, ...change }
    log.info({ event: 'config.reloaded', parts: Object.keys(change) }, 'settings taken over')
  }
  // By looking, not by events: editors and mounted secrets replace files in ways that events miss.
  watchFile(file, { interval: lookEveryMs, persistent: false }, (now, before) => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) reload()
  })
  process.on('SIGHUP', reload)
  return {
    stop: () => {
      unwatchFile(file)
      process.off('SIGHUP', reload)
    },
  }
}
