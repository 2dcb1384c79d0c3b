import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import {
  JwksClient,
  rememberedKeySet,
  TokenVerifier,
  type JwksEvent,
  type OwnKeys,
  type SingleUsePort,
  type TokenIssuer,
} from '#authority'
import type { Config } from '#config'
import { Outbound, parseDuration, type Clock } from '#core'
import { RateAhead, type GatePorts, type TokenPort } from '#gate'
import type { PreparePort } from '../admissions.ts'
import { PrepareTokens, type ProofSettings } from './prepare-tokens.ts'
import { tokenAnswers, type TokenAnswers } from './token-answers.ts'
import { TokenCallers, type TokenCallersParts } from './token-callers.ts'

type Authority = Config['authority']

interface TokensParts extends TokenCallersParts {
  readonly config: Pick<Config, 'authority'>
  readonly clock: Clock
  readonly log: Logger
  readonly singleUse: Pick<SingleUsePort, 'take'>
  /** Those of the gate. */
  readonly buckets: Pick<GatePorts, 'calls' | 'workers' | 'shared'>
  /** Undefined where this deployment issues no tokens of its own. */
  readonly own: OwnKeys | undefined
}

export interface ComposedTokens {
  readonly tokens: TokenPort
  readonly prepare: PreparePort
  /** For questions of other services. */
  readonly answers: TokenAnswers
  /** Takes over changed settings. */
  configure(change: Partial<Config>): void
  jwksAgeSeconds(): number | undefined
  close(): Promise<void>
}

interface Upstream {
  readonly issuer: TokenIssuer
  readonly client: JwksClient
  readonly settings: string
  close(): Promise<void>
}

const lookEveryMs = 1000

/** Everything that tokens need to come in: who issued them, who they stand for, and what proves them (SPEC A3, A4). */
export function composeTokens({
  config,
  clock,
  log,
  own,
  singleUse,
  buckets,
  ...callers
}: TokensParts): ComposedTokens {
  let { authority } = config
  let upstream = openUpstream(authority, clock, log)
  const issuers = (): readonly TokenIssuer[] => [
    ...(own === undefined ? [] : [ownIssuer(own)]),
    ...(upstream === undefined ? [] : [upstream.issuer]),
  ]
  const proofs = (): ProofSettings => ({
    algorithms: authority.algorithms,
    skewMs: authority.tokenClockSkewSeconds * 1000,
    origins: [...authority.publicOrigins, ...originsOf(own)],
  })
  const verifying = () => ({ issuers: issuers(), ...rulesOf(authority) })
  const verifier = new TokenVerifier(verifying(), clock)
  const tokens = new TokenCallers(callers, authority)
  const ahead = new RateAhead({ clock, ...buckets })
  const prepare = new PrepareTokens({ verifier, tokens, singleUse, ahead, clock }, proofs)
  // Recovers also where nobody calls.
  const timer = setInterval(() => upstream?.client.look(), lookEveryMs)
  timer.unref()
  upstream?.client.look()
  return {
    tokens,
    prepare,
    answers: tokenAnswers({ verifier, tokens, clock }),
    configure: (change) => {
      if (change.authority === undefined) return
      ;({ authority } = change)
      const before = upstream
      if (before?.settings !== settingsText(authority)) {
        upstream = openUpstream(authority, clock, log)
        void before?.close()
        upstream?.client.look()
      }
      verifier.configure(verifying())
      tokens.configure(authority)
    },
    jwksAgeSeconds: () => upstream?.client.ageSeconds(),
    close: async () => {
      clearInterval(timer)
      await upstream?.close()
    },
  }
}

function rulesOf({ algorithms, tokenClockSkewSeconds }: Authority) {
  return { algorithms, skewMs: tokenClockSkewSeconds * 1000 }
}

/** Our own tokens are meant for us by the name of their issuer (RFC 8707). */
function ownIssuer(own: OwnKeys): TokenIssuer {
  return {
    kind: 'own',
    issuer: () => own.issuer(),
    audiences: () => [own.issuer()],
    keys: rememberedKeySet(() => own.publicJwks()),
  }
}

function originsOf(own: OwnKeys | undefined): readonly string[] {
  const issuer = own?.issuer() ?? ''
  return URL.canParse(issuer) ? [new URL(issuer).origin] : []
}

/** Outside of development the rules of the settings see to it that nothing is missing. */
function openUpstream(authority: Authority, clock: Clock, log: Logger): Upstream | undefined {
  const { enabled, issuer, jwksUri, audiences, allowPrivate, caFile, resilience } = authority
  if (!enabled || issuer === undefined || audiences.length === 0) return undefined
  const outbound = new Outbound({
    allowPrivate,
    allowHttp: allowPrivate && 'own',
    deadlineMs: 5000,
    ca: caFile === undefined ? undefined : readFileSync(caFile, 'utf8'),
  })
  const { enableRetries, retryDelays, allowOfflineCacheFallback, offlineCacheTolerance } = resilience
  const client = new JwksClient(
    {
      issuer,
      jwksUri,
      retryDelaysMs: enableRetries ? retryDelays.map(parseDuration) : [],
      offlineToleranceMs: allowOfflineCacheFallback ? parseDuration(offlineCacheTolerance) : undefined,
    },
    {
      clock,
      send: (request, signal) => outbound.send(request, signal),
      tell: (event) => tell(event, issuer, log),
      later: (delayMs, then) => {
        const timer = setTimeout(then, delayMs)
        timer.unref()
        return () => clearTimeout(timer)
      },
    },
  )
  return {
    issuer: { kind: 'upstream', issuer: () => issuer, audiences: () => audiences, keys: client },
    client,
    settings: settingsText(authority),
    close: () => {
      client.close()
      return outbound.close()
    },
  }
}

/** What a client of the keys depends on. */
function settingsText({ enabled, issuer, jwksUri, audiences, allowPrivate, caFile, resilience }: Authority): string {
  return JSON.stringify([enabled, issuer, jwksUri, audiences, allowPrivate, caFile, resilience])
}

function tell(event: JwksEvent, issuer: string, log: Logger): void {
  switch (event.kind) {
    case 'failed':
      return log.warn(
        {
          event: 'authority.jwks_failed',
          issuer,
          err: event.error,
          attempts: event.attempts,
          ageSeconds: event.ageSeconds,
        },
        'the keys of the issuer could not be had',
      )
    case 'too_old':
      return log.error(
        { event: 'authority.jwks_too_old', issuer, ageSeconds: event.ageSeconds },
        'the keys of the issuer are too old: its tokens are refused with auth.authority_unavailable until they can be had again',
      )
    case 'back':
      return log.info(
        { event: 'authority.jwks_back', issuer, keys: event.keys },
        'the keys of the issuer can be had again',
      )
    default:
      return event satisfies never
  }
}
