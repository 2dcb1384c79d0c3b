import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { Passwords, Upstream, withCommandLine, type Interactions, type OperatorDirectory } from '#authority'
import type { Config } from '#config'
import { SecretFile, type Clock, type Tenant } from '#core'
import type { GatePorts } from '#gate'
import type { WriterPort } from '#hub'
import { OperatorCache, type CachedTable, type Sessions } from '#store'
import type { ComposedApps } from './compose-apps.ts'
import type { Floods } from './floods.ts'
import type { PeopleParts } from './http/people-session.ts'
import { People } from './people/people.ts'

export interface ComposedOperators {
  readonly directory: OperatorDirectory
  /** For the cache of keys, which keeps it fresh. */
  readonly table: CachedTable
}

/** People in memory, beside the keys (SPEC A9, A10). */
export function composeOperators(): ComposedOperators {
  const cache = new OperatorCache()
  return { directory: cache, table: cache }
}

/** The apps, and the command line; `home` is the tenant of what belongs to none: `main`. */
export function withOurApp(known: ComposedApps, home: () => Tenant | undefined): ComposedApps {
  return { ...known, apps: withCommandLine(known.apps, home) }
}

interface Parts {
  readonly config: Config
  readonly writer: WriterPort
  readonly clock: Clock
  readonly floods: Floods
  readonly gate: GatePorts
  readonly sessions: Sessions
  readonly interactions: Interactions | undefined
  readonly operators: OperatorDirectory
  readonly origin: () => string
  readonly log: Logger
}

/** The pages for people, and what stands behind them. */
export async function composePeople(parts: Parts): Promise<{ readonly pages: PeopleParts; close(): Promise<void> }> {
  const { interactions, operators, origin, ...rest } = parts
  const people = new People({ ...rest, passwords: new Passwords() })
  const upstream = await composeUpstream(parts)
  const pages = { people, operators, origin, interactions, upstream: upstream?.port }
  return { pages, close: async () => upstream?.close() }
}

async function composeUpstream({
  config,
  clock,
  log,
}: Parts): Promise<{ readonly port: NonNullable<PeopleParts['upstream']>; close(): Promise<void> } | undefined> {
  const { issuer, clientId, clientSecretFile, allowPrivate, caFile } = config.authority
  if (issuer === undefined || clientId === undefined || clientSecretFile === undefined) return undefined
  const secret = new SecretFile(clientSecretFile)
  const upstream = new Upstream(
    {
      issuer,
      clientId,
      clientSecret: () => secret.read(),
      allowPrivate,
      allowHttp: allowPrivate ? 'own' : false,
      ca: caFile === undefined ? undefined : await readFile(caFile, 'utf8'),
      failed: (error) => log.warn({ event: 'people.upstream', err: error }, 'a sign-in at the issuer did not succeed'),
    },
    clock,
  )
  const name = new URL(issuer).host
  return {
    port: {
      begin: (seed, redirectUri) => upstream.begin(seed, redirectUri),
      finish: (seed, address) => upstream.finish(seed, address),
      issuer: () => name,
    },
    close: () => upstream.close(),
  }
}
