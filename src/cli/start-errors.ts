import { loadConfig } from '#config'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'
import type { ServerRoom } from './server-room.ts'

/** Runs something of the server room; what it says of a user's mistake becomes an error of the command. */
export async function withServer<T>(
  io: Io,
  settings: { readonly mode: 'up' | 'serve'; readonly file?: string } | undefined,
  act: (server: ServerRoom) => Promise<T>,
): Promise<T> {
  const server = await io.server()
  try {
    return await act(server)
  } catch (error) {
    if (!(error instanceof server.StartError)) throw error
    // Told apart after the fact, because a start reads the settings once: a wrong setting is a usage error, a port in use is not.
    const settingsAreWrong = settings !== undefined && !loadConfig({ ...settings, env: io.env }).ok
    const [exit, code] = settingsAreWrong
      ? (['usage', 'config.invalid'] as const)
      : (['unavailable', 'start.failed'] as const)
    throw new CliError(exit, code, error.message, { problems: error.problems, cause: error })
  }
}
