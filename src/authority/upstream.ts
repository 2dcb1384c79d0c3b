import { createHash } from 'node:crypto'
import type * as OpenidClient from 'openid-client'
import { Outbound, secretsEqual, sha256, type Clock, type OutboundPolicy, type Secret } from '#core'

export interface UpstreamSettings extends OutboundPolicy {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: () => Promise<Secret>
  /** Certificates of authorities in PEM. */
  readonly ca?: string | undefined
  /** Told why a sign-in did not come to its end; for the log. */
  readonly failed: (error: unknown) => void
}

const deadlineMs = 5000
// Metadata are asked for again after that, and after a failure.
const discoverAgainMs = 3_600_000

/**
 * Sign-in at another issuer (SPEC A9): authorization code with PKCE, nonce and state. All three are derived from a seed that only
 * the browser has, in a cookie: what comes back is worth nothing in another one.
 */
export class Upstream {
  readonly #settings: UpstreamSettings
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #outbound: Outbound
  #found: { readonly at: number; readonly config: Promise<OpenidClient.Configuration> } | undefined

  constructor(settings: UpstreamSettings, clock: Pick<Clock, 'monotonic'>) {
    const { ca, allowPrivate, allowHttp } = settings
    this.#settings = settings
    this.#clock = clock
    this.#outbound = new Outbound({ deadlineMs, allowPrivate, allowHttp, ca })
  }

  get issuer(): string {
    return this.#settings.issuer
  }

  /** Where the browser goes to sign in; undefined while the issuer cannot be reached. */
  async begin(seed: string, redirectUri: string): Promise<string | undefined> {
    try {
      const { buildAuthorizationUrl } = await import('openid-client')
      const { state, nonce, verifier } = derived(seed)
      return buildAuthorizationUrl(await this.#config(), {
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: 'openid',
        state,
        nonce,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
      }).href
    } catch (error) {
      this.#settings.failed(error)
      return undefined
    }
  }

  /** Who the issuer says it is: the subject. Undefined where it says nothing, or not to this browser. */
  async finish(seed: string, address: URL): Promise<string | undefined> {
    const { state, nonce, verifier } = derived(seed)
    const said = address.searchParams.getAll('state')
    // Before anything is exchanged: a code that another browser was given is not spent here.
    if (said.length !== 1 || !secretsEqual(said[0] ?? '', state)) {
      this.#settings.failed(new Error('the state that came back is not the one of this browser'))
      return undefined
    }
    try {
      const { authorizationCodeGrant } = await import('openid-client')
      const tokens = await authorizationCodeGrant(await this.#config(), address, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      })
      const subject = tokens.claims()?.sub
      return subject !== undefined && subject.length > 0 && subject.length <= 255 ? subject : undefined
    } catch (error) {
      this.#settings.failed(error)
      return undefined
    }
  }

  close(): Promise<void> {
    return this.#outbound.close()
  }

  #config(): Promise<OpenidClient.Configuration> {
    const now = this.#clock.monotonic()
    if (this.#found !== undefined && now - this.#found.at < discoverAgainMs) return this.#found.config
    const config = this.#discover()
    const found = { at: now, config }
    this.#found = found
    config.catch(() => {
      if (this.#found === found) this.#found = undefined
    })
    return config
  }

  async #discover(): Promise<OpenidClient.Configuration> {
    const { issuer, clientId, clientSecret, allowHttp } = this.#settings
    const client = await import('openid-client')
    const secret = (await clientSecret()).reveal()
    const config = await client.discovery(new URL(issuer), clientId, secret, client.ClientSecretBasic(secret), {
      timeout: deadlineMs / 1000,
      [client.customFetch]: (url, options) => this.#fetch(url, options),
      execute: [client.enableNonRepudiationChecks, ...(allowHttp === false ? [] : [client.allowInsecureRequests])],
    })
    // What the settings name, to the letter: not what a document says about itself.
    if (config.serverMetadata().issuer !== issuer) throw new Error('the metadata name another issuer than the settings')
    return config
  }

  /** Every call goes through the bounds and address rules of all that is sent to systems of others. */
  async #fetch(url: string, { method, headers, body }: OpenidClient.CustomFetchOptions): Promise<Response> {
    const sent = body instanceof URLSearchParams ? body.toString() : typeof body === 'string' ? body : undefined
    const reply = await this.#outbound.send({
      url,
      method,
      headers,
      ...(sent === undefined ? {} : { body: sent }),
    })
    if (reply.end !== 'whole') throw new Error('the issuer sent too much, or broke off')
    const type = reply.headers['content-type']
    return new Response(new Uint8Array(reply.body), {
      status: reply.status,
      headers: type === undefined ? {} : { 'content-type': type },
    })
  }
}

function derived(seed: string): { readonly state: string; readonly nonce: string; readonly verifier: string } {
  const of = (what: string): string => sha256(`portcullis upstream ${what} ${seed}`).toString('base64url')
  return { state: of('state'), nonce: of('nonce'), verifier: of('verifier') }
}
