import { parseAddress } from '#core'
import { problem, showValue, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'
import type { CheckedConfig } from './schema.ts'
import { readSecretFile } from './secret-file.ts'

const bytesMax = 64 * 1024

/** The files of telemetry and of the debug listener can be read, and its port is its own. */
export function telemetryIsSound({ config }: { readonly config: CheckedConfig }): readonly Problem[] {
  const production = config.env === 'production'
  const { telemetry, debug } = config
  const named: readonly (readonly [string, string | undefined])[] = [
    ['telemetry.otlp.headersFile', telemetry.otlp?.headersFile],
    ...telemetry.forwarders.map(
      ({ tokenFile }, index) => [`telemetry.forwarders.${index}.tokenFile`, tokenFile] as const,
    ),
  ]
  return [
    ...named.flatMap(([path, file]) => (file === undefined ? [] : readSecretFile(path, file, production).problems)),
    ...debugToken(debug.tokenFile),
    ...debugPort(config),
  ]
}

/** An empty token is allowed: it lets nobody in. A file that cannot be read is a mistake. */
function debugToken(file: string | undefined): readonly Problem[] {
  const read = file === undefined ? undefined : readTextFile(file, bytesMax)
  if (file === undefined || read === undefined || read.ok) return []
  const todo = 'Name a file that this user can read, or leave debug.tokenFile out.'
  return [problem('debug.tokenFile', showValue(file), read.why, todo)]
}

function debugPort({ debug, listen }: CheckedConfig): readonly Problem[] {
  const { port } = debug
  if (port === undefined || port === 0) return []
  const taken = Object.entries(listen).find(
    ([, address]) => address !== undefined && parseAddress(address).port === port,
  )
  if (taken === undefined) return []
  return [problem('debug.port', showValue(port), `It is the port of listen.${taken[0]}.`, 'Give it a port of its own.')]
}
