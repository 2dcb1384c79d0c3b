import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { Config, LoadInput } from '#config'
import { systemClock, type Clock } from '#core'
import type { ConnectionSettings } from '#store'
import { settingsForRole, settingsForUrl } from './connection-settings.ts'
import { withMasterKey } from './key-files.ts'
import { makeLog } from './log.ts'
import { StartError } from './start-error.ts'
import { mustLoad, withInstance } from './up.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Whose keys: an instance that `up` made in a folder, or the deployment of a settings file. */
export type Place =
  { readonly dir: string; readonly env: Environment } | { readonly configFile: string; readonly env: Environment }

export interface Deployment {
  readonly config: Config
  /** As the app role. */
  readonly connection: ConnectionSettings
  readonly clock: Clock
  readonly log: Logger
  /** The folder of `up`. */
  readonly home: string | undefined
}

/** Reaches a deployment as its server does, whether or not that runs. */
export async function withDeployment<Result>(
  place: Place,
  work: (deployment: Deployment) => Promise<Result>,
): Promise<Result> {
  if ('dir' in place) return inFolder(place.dir, { env: place.env, mode: 'up' }, work)
  const load: LoadInput = { file: place.configFile, env: place.env, mode: 'serve' }
  const config = mustLoad(load)
  const { url, embedded } = config.database
  if (embedded !== undefined) return inFolder(resolve(embedded.dir), load, work)
  if (url === undefined) throw new StartError('no database is configured', ['set database.url or database.urlFile'])
  return work({ ...around(config), connection: settingsForUrl(url, config.database), home: undefined })
}

function inFolder<Result>(
  dir: string,
  load: LoadInput,
  work: (deployment: Deployment) => Promise<Result>,
): Promise<Result> {
  return withInstance(dir, ({ home, access }) => {
    const { config } = withMasterKey(mustLoad(load), load, home)
    const connection = settingsForRole(access('portcullis_app'), config.database.pool)
    return work({ ...around(config), connection, home })
  })
}

function around(config: Config): Pick<Deployment, 'config' | 'clock' | 'log'> {
  return { config, clock: systemClock, log: makeLog({ level: 'warn', format: 'text' }) }
}
