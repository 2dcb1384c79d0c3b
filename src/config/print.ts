import { stringify } from 'yaml'
import { Secret } from '#core'
import { redacted } from './problem.ts'
import type { Config } from './schema.ts'

/** The settings as YAML: defaults filled in, secrets withheld (SPEC O1, S5). */
export function printConfig(config: Config): string {
  const { database, legacyToken, replicas } = config
  const shown = {
    ...config,
    database: { ...named(database), owner: named(database.owner) },
    legacyToken: legacyToken.tokenFile === undefined ? legacyToken : { ...legacyToken, token: undefined },
    replicas: replicas.redis === undefined ? replicas : { ...replicas, redis: named(replicas.redis) },
  }
  return stringify(plain(shown), { lineWidth: 0 })
}

/** A secret that came from a file is shown as the name of that file, so that what is printed can be read back. */
function named<T extends { readonly url?: Secret | undefined; readonly urlFile?: string | undefined }>(place: T): T {
  return place.urlFile === undefined ? place : { ...place, url: undefined }
}

function plain(value: unknown): unknown {
  if (value instanceof Secret) return redacted
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const shown = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(shown.map(([key, inner]) => [key, plain(inner)]))
}
