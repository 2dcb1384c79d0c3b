import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '#config'
import { parseDuration, type Clock, type Refusal } from '#core'
import { addressGroup, type GatePorts } from '#gate'
import type { WriterPort } from '#hub'
import { Authority, type AppDirectory, type DenialDirectory, type OperatorDirectory } from '#authority'
import type { Envelopes } from '#secrets'
import { OAuthArtefacts, OAuthKeys, type CachedTable, type ConnectionSettings } from '#store'
import type { BestEffort } from './best-effort.ts'
import type { Floods } from './floods.ts'
import type { OAuthDoor } from './http/oauth.ts'
import { OAuthCommits } from './oauth/commits.ts'
import { KeyRotation } from './oauth/keys.ts'
import { oauthPages } from './oauth/pages.ts'

interface OAuthParts {
  readonly config: Config
  readonly connection: ConnectionSettings
  readonly clock: Clock
  readonly log: Logger
  readonly apps: AppDirectory
  readonly denials: DenialDirectory
  readonly operators: OperatorDirectory
  readonly envelopes: () => Envelopes | undefined
  readonly counted: (kind: string, error: string) => void
  /** The refusal where the store is short of space; `last`: of what only reads, or takes power away. */
  readonly full: (last: boolean) => Refusal | undefined
  readonly late: () => Late
}

interface Late {
  readonly writer: WriterPort
  readonly floods: Floods
  readonly bestEffort: Pick<BestEffort, 'offer' | 'offerOrCount'>
  readonly buckets: Pick<GatePorts, 'failures' | 'addresses' | 'calls'>
  /** What is in memory of apps, people and denials is young enough. */
  readonly fresh: () => boolean
  /** It is read again. */
  readonly refresh: () => Promise<void>
}

export interface ComposedOAuth {
  readonly authority: Authority
  readonly door: OAuthDoor
  /** For the cache of keys, which keeps them fresh. */
  readonly tables: readonly CachedTable[]
  /** Where the HTTP listener is, once it is bound. */
  bound(httpAddress: string, mtlsAddress?: string): void
  /** Resolves once there is a key to sign with. */
  start(): Promise<void>
  rotateKeys(): Promise<boolean>
  close(): Promise<void>
}

const lookMs = 1000

/** The authorization server, or none: without an issuer `serve` has none, and its routes do not exist. */
export function composeOAuth(parts: OAuthParts): ComposedOAuth | undefined {
  const { config, connection, clock, log } = parts
  const { oauth } = config
  const embedded = connection.dataDir !== undefined
  if (!oauth.enabled || (oauth.issuer === undefined && !embedded)) return undefined
  const store = new OAuthArtefacts(connection)
  let issuer = oauth.issuer ?? ''
  let mtls: string | undefined
  const fault = (error: unknown, requestId: string): void =>
    log.error({ event: 'oauth.fault', err: error, requestId }, 'fault in a request to the authorization server')
  const seconds = (text: string): number => Math.floor(parseDuration(text) / 1000)
  const lifetimes = {
    accessTokenSeconds: seconds(oauth.accessTokenTtl),
    codeSeconds: seconds(oauth.codeTtl),
    refreshSeconds: seconds(oauth.refresh.ttl),
  }
  const authority = new Authority({
    issuer: () => issuer,
    clock,
    lifetimes,
    store,
    apps: parts.apps,
    operators: parts.operators,
    denials: parts.denials,
    pages: oauthPages,
    mtlsOrigin: () => mtls,
    commits: new OAuthCommits({
      late: parts.late,
      counted: parts.counted,
      full: parts.full,
      operators: parts.operators,
      clock,
      keep: (writes) => store.keep(writes),
      failed: (remote) => void parts.late().buckets.failures.take(addressGroup(remote), clock.monotonic()),
      fault,
    }),
    fault,
    waitSeconds: ({ authMethod, id }, remote) => {
      const { addresses, calls } = parts.late().buckets
      // Anybody can say to be an app that shows nothing: only where it comes from is known.
      const waitMs =
        authMethod === 'none'
          ? addresses.take(addressGroup(remote), clock.monotonic())
          : calls.take(id, clock.monotonic())
      return waitMs > 0 ? Math.ceil(waitMs / 1000) : undefined
    },
  })
  const keys = new OAuthKeys({
    connection,
    envelopes: parts.envelopes,
    changed: (known) => {
      authority.setKeys(known)
      rotation.saw(known)
    },
    failed: (error) =>
      log.error({ event: 'oauth.key_unreadable', err: error }, 'a key that signs tokens cannot be read now'),
  })
  const rotation = new KeyRotation({
    keys,
    clock,
    algorithm: oauth.keys.algorithm,
    rotateAfterMs: parseDuration(oauth.keys.rotateAfter),
    publishAheadMs: parseDuration(oauth.keys.publishAhead),
    tokenMs: lifetimes.accessTokenSeconds * 1000,
    refresh: () => parts.late().refresh(),
    failed: (error) => log.error({ event: 'oauth.key_not_made', err: error }, 'the next key of tokens cannot be made'),
  })
  const fresh = async (): Promise<boolean> => {
    const late = parts.late()
    if (late.fresh()) return true
    const over = new AbortController()
    const waited = delay(lookMs, undefined, { ref: false, signal: over.signal }).catch(() => undefined)
    await Promise.race([late.refresh().catch(() => undefined), waited])
    over.abort()
    return late.fresh()
  }
  return {
    authority,
    door: { authority, clock, buckets: () => parts.late().buckets, fresh },
    tables: [keys],
    bound: (httpAddress, mtlsAddress) => {
      if (oauth.issuer === undefined) issuer = `http://${httpAddress}`
      mtls = mtlsAddress === undefined ? undefined : (config.tls.origin ?? `https://${mtlsAddress}`)
    },
    start: () => rotation.start(),
    rotateKeys: () => rotation.rotate(),
    close: async () => {
      await rotation.close()
      await Promise.all([keys.close(), store.close()])
    },
  }
}
