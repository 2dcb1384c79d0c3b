import type { Problem } from '#config'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'
import type { ServerRoom } from './server-room.ts'

interface Settings {
  readonly mode: 'up' | 'serve'
  readonly file?: string
}

/** Runs something of the server room; what it says of a user's mistake becomes an error of the command. */
export async function withServer<T>(
  io: Io,
  settings: Settings | undefined,
  act: (server: ServerRoom) => Promise<T>,
): Promise<T> {
  const server = await io.server()
  try {
    return await act(server)
  } catch (error) {
    if (!(error instanceof server.StartError)) throw error
    // Told apart after the fact, because a start reads the settings once: a wrong setting is a usage error, a port in use is not.
    const { loadConfig } = await import('#config')
    const loaded = settings && loadConfig({ ...settings, env: io.env })
    if (loaded?.ok === false) throw await settingsError(loaded.problems, error)
    const { message, problems } = error
    if ('isRefusal' in error && error.isRefusal === true) {
      throw new CliError('refused', 'server.refused', message, { problems, cause: error })
    }
    throw new CliError('unavailable', 'start.failed', message, { problems, cause: error })
  }
}

/** The error for settings that cannot be used, with every problem. */
export async function settingsError(problems: readonly Problem[], cause?: Error): Promise<CliError> {
  const { formatProblems } = await import('#config')
  const errors = problems.filter(({ severity }) => severity === 'error').length
  const message = errors === 1 ? 'There is a problem in the settings.' : `There are ${errors} problems in the settings.`
  return new CliError('usage', 'config.invalid', message, { problems, text: formatProblems(problems), cause })
}
