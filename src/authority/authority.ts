import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '#core'
import type { Origin } from './artefacts.ts'
import { interactionsOf, type Interactions } from './interactions.ts'
import { rememberedKeySet } from './key-set.ts'
import { resourceMetadata } from './metadata.ts'
import type { OwnKeys } from './ports.ts'
import { makeProvider, type Running, type RunningProvider } from './provider.ts'
import { KeyRings, type TokenKey } from './signing-keys.ts'
import { userinfo, type UserinfoCall, type UserinfoReply } from './userinfo.ts'
import { TokenVerifier } from './verify-token.ts'

export interface AuthorityParts extends Omit<Running, 'issuer' | 'tokens' | 'nowMs'> {
  /** Fixed by the settings, or the address of the listener once it is bound: never what a request says. */
  readonly issuer: () => string
  readonly clock: Clock
}

export interface Document {
  readonly body: object
  readonly type: string
}

/**
 * The authorization server of this deployment (SPEC A1, A2). Other keys make another provider over the same storage, and
 * requests go to it from then on; what is under way ends with the one it began with.
 */
export class Authority {
  readonly #parts: AuthorityParts
  readonly #rings = new KeyRings()
  readonly #own: OwnKeys
  readonly #tokens: TokenVerifier
  #provider: Promise<RunningProvider> | undefined
  #builtFor: unknown
  readonly interactions: Interactions

  constructor(parts: AuthorityParts) {
    this.#parts = parts
    const { clock, issuer } = parts
    const none: readonly [] = []
    this.#own = { issuer, publicJwks: () => this.#rings.at(clock.now())?.publicJwks ?? none }
    this.#tokens = new TokenVerifier(
      {
        issuers: [
          {
            kind: 'own',
            issuer,
            audiences: () => [issuer()],
            keys: rememberedKeySet(() => this.#own.publicJwks()),
          },
        ],
        skewMs: 30_000,
        algorithms: ['ES256', 'RS256', 'PS256'],
      },
      clock,
    )
    this.interactions = interactionsOf({
      provider: () => this.#running(),
      issuer,
      apps: parts.apps,
      operators: parts.operators,
      lifetimes: parts.lifetimes,
      nowMs: () => clock.now(),
    })
  }

  /** The keys of this deployment, for who verifies its tokens. */
  get ownKeys(): OwnKeys {
    return this.#own
  }

  get ready(): boolean {
    return this.#rings.at(this.#parts.clock.now()) !== undefined
  }

  setKeys(keys: readonly TokenKey[]): void {
    this.#rings.set(keys)
  }

  /** Answers a request to one of the routes of the library. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse, origin: Origin): Promise<void> {
    try {
      const provider = await this.#running()
      await provider.handle(request, response, origin)
    } catch (error) {
      this.#parts.fault(error, origin.requestId)
      if (!response.headersSent) {
        response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1', 'cache-control': 'no-store' })
        response.write('{"error":"temporarily_unavailable"}')
      }
      response.end()
    }
  }

  jwks(): Document {
    return { body: { keys: this.#own.publicJwks() }, type: 'application/jwk-set+json' }
  }

  resource(): Document {
    return { body: resourceMetadata(this.#parts.issuer()), type: 'application/json' }
  }

  userinfo(call: UserinfoCall): Promise<UserinfoReply> {
    return userinfo({ ...this.#parts, tokens: (text) => this.token(text) }, call)
  }

  /** A token of ours, by its signature, issuer, audience and times; whether it was revoked is asked elsewhere. */
  token(text: string): ReturnType<TokenVerifier['verify']> {
    const known = this.#tokens.known(text)
    return known === undefined ? this.#tokens.verify(text) : Promise.resolve(known)
  }

  #running(): Promise<RunningProvider> {
    const ring = this.#rings.at(this.#parts.clock.now())
    const issuer = this.#parts.issuer()
    if (ring === undefined || issuer === '') return Promise.reject(new Error('the authorization server has no key yet'))
    if (this.#provider !== undefined && this.#builtFor === ring) return this.#provider
    this.#builtFor = ring
    const tokens = (text: string) => this.token(text)
    const made = makeProvider({ ...this.#parts, issuer, tokens, nowMs: () => this.#parts.clock.now() }, ring)
    this.#provider = made
    made.catch(() => {
      if (this.#provider === made) this.#provider = undefined
    })
    return made
  }
}
