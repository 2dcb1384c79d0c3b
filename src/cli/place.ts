import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Io } from './io.ts'
import { withDir, withJson, type JsonOption } from './options.ts'
import type { SecretsPlace } from './secrets-room.ts'
import type { withServer } from './start-errors.ts'

/** Which deployment a command works on: the one of `up` under a folder, or that of a settings file. */
export interface PlaceOptions extends JsonOption {
  readonly dir: string
  readonly config?: string
}

export function withPlace(command: Command): Command {
  return withJson(withDir(command)).option(
    '--config <file>',
    'the settings file of a production instance, instead of --dir',
  )
}

export function placeOf({ dir, config }: Omit<PlaceOptions, 'json'>, io: Io): SecretsPlace {
  return config === undefined ? { dir: resolve(dir), env: io.env } : { configFile: config, env: io.env }
}

export function loadOf({ config }: Pick<PlaceOptions, 'config'>): Parameters<typeof withServer>[1] {
  return config === undefined ? { mode: 'up' } : { mode: 'serve', file: config }
}
