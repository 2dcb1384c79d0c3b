import { isRefusal, refuse, sha256Hex, type Clock, type Refusal, type VerifiedToken } from '#core'
import type { KeySet, KeySource } from './key-set.ts'
import { signatureIsRight } from './jws-signature.ts'
import { parseJws, type Jws } from './strict-jws.ts'
import { readClaims } from './token-claims.ts'

/** One whose tokens are accepted. */
export interface TokenIssuer {
  readonly kind: VerifiedToken['issuer']
  /** Empty while it is not known yet: no token is of it then. */
  issuer(): string
  audiences(): readonly string[]
  readonly keys: KeySource
}

export interface TokenVerifierSettings {
  readonly issuers: readonly TokenIssuer[]
  readonly skewMs: number
  readonly algorithms: readonly string[]
}

interface Verdict {
  readonly verdict: VerifiedToken | Refusal
  readonly issuer: TokenIssuer | undefined
  readonly kid: string
  /** The key that it was verified with, or none. */
  readonly thumbprint: string | undefined
  /** The keys that it was made under. */
  readonly set: KeySet | undefined
  /** Monotonic; for what is refused. */
  readonly until: number
}

/**
 * How much is remembered; what is wrong apart, so that no flood of it drives out what is right. How much is under way is for each
 * issuer, so that no flood of tokens of one keeps out those of another; and how much of it waits for keys, so that tokens whose keys
 * are there are verified meanwhile.
 */
export const verdictBounds = { rightMax: 10_000, wrongMax: 2000, inFlightMax: 1000, waitingMax: 256 }
const refusedForMs = 5000

interface Verdicts {
  readonly right: Map<string, Verdict>
  readonly wrong: Map<string, Verdict>
}

/** What is under way for one issuer. */
interface UnderWay {
  all: number
  /** Those whose key is not there. */
  waiting: number
}

/** A token that says of itself what it must; nothing of it is believed yet. */
interface Readable {
  readonly jws: Jws
  readonly issuer: TokenIssuer
  readonly alg: string
  readonly kid: string
}

/** Of what is wrong without anybody's keys. */
const nowhere = { issuer: undefined, kid: '', thumbprint: undefined, set: undefined }

const none = (): Verdicts => ({ right: new Map(), wrong: new Map() })

/**
 * Verifies access tokens (SPEC A3). A verdict is remembered for the exact bytes of the token: what was right until it expires, as
 * long as its issuer has the key; what was wrong for a moment, and never past a change of the keys. Revocation is not looked at
 * here: the gate asks for that at every call.
 */
export class TokenVerifier {
  readonly #clock: Clock
  readonly #bounds: Readonly<typeof verdictBounds>
  #settings: TokenVerifierSettings
  #verdicts = none()
  readonly #inFlight = new Map<string, Promise<VerifiedToken | Refusal>>()
  readonly #underWay = new WeakMap<TokenIssuer, UnderWay>()

  constructor(settings: TokenVerifierSettings, clock: Clock, bounds: Readonly<typeof verdictBounds> = verdictBounds) {
    this.#bounds = bounds
    this.#settings = settings
    this.#clock = clock
  }

  /** Forgets every verdict: it was made under other settings. */
  configure(settings: TokenVerifierSettings): void {
    this.#settings = settings
    this.#verdicts = none()
  }

  /** The verdict that is known already; undefined where the token must be verified. */
  known(token: string): VerifiedToken | Refusal | undefined {
    const digest = sha256Hex(token)
    const { right, wrong } = this.#verdicts
    const verdicts = right.has(digest) ? right : wrong
    const found = verdicts.get(digest)
    if (found === undefined) return undefined
    verdicts.delete(digest)
    const kept = this.#renewed(found)
    if (kept === undefined) return undefined
    // Now the one that was used last.
    verdicts.set(digest, kept)
    return kept.verdict
  }

  /** Never rejects but for a fault. */
  verify(token: string): Promise<VerifiedToken | Refusal> {
    const digest = sha256Hex(token)
    const running = this.#inFlight.get(digest)
    if (running !== undefined) return running
    const verdicts = this.#verdicts
    const read = this.#read(token)
    if (typeof read === 'string') {
      const verdict = invalid(read)
      this.#keep(verdicts, digest, { ...nowhere, verdict, until: this.#clock.monotonic() + refusedForMs })
      return Promise.resolve(verdict)
    }
    const entered = this.#enter(read)
    if (typeof entered !== 'function') return Promise.resolve(entered)
    const started = this.#verify(read, digest)
      .then((made) => {
        // Where the settings changed meanwhile, it goes into a map that nobody looks at any more.
        if (!isAway(made.verdict)) this.#keep(verdicts, digest, made)
        return made.verdict
      })
      .finally(() => {
        this.#inFlight.delete(digest)
        entered()
      })
    this.#inFlight.set(digest, started)
    return started
  }

  /** A place among what is under way for the issuer, and how to leave it; a refusal where there is none. */
  #enter({ issuer, kid }: Readable): (() => void) | Refusal {
    const underWay = this.#underWay.get(issuer) ?? { all: 0, waiting: 0 }
    const { inFlightMax, waitingMax } = this.#bounds
    const waits = issuer.keys.current()?.keys.has(kid) === true ? 0 : 1
    if (underWay.waiting + waits > waitingMax) return unavailable('too many tokens wait for the keys of the issuer')
    if (underWay.all >= inFlightMax) return busy()
    this.#underWay.set(issuer, underWay)
    underWay.all += 1
    underWay.waiting += waits
    return () => {
      underWay.all -= 1
      underWay.waiting -= waits
    }
  }

  /** The verdict where it still holds. */
  #renewed(found: Verdict): Verdict | undefined {
    const { verdict, issuer, kid, thumbprint, set } = found
    const now = issuer?.keys.current()
    if (isRefusal(verdict)) return found.until > this.#clock.monotonic() && now === set ? found : undefined
    if (now === undefined) return undefined
    if (now === set) return found
    const key = now.keys.get(kid)
    return typeof key === 'object' && key.thumbprint === thumbprint ? { ...found, set: now } : undefined
  }

  /** The least recently used goes first. */
  #keep({ right, wrong }: Verdicts, digest: string, made: Verdict): void {
    const { rightMax, wrongMax } = this.#bounds
    const [verdicts, max] = isRefusal(made.verdict) ? [wrong, wrongMax] : [right, rightMax]
    verdicts.set(digest, made)
    if (verdicts.size <= max) return
    const [oldest] = verdicts.keys()
    if (oldest !== undefined) verdicts.delete(oldest)
  }

  /** What can be said without any key; or the reason why it is wrong. */
  #read(token: string): Readable | string {
    const { issuers, algorithms } = this.#settings
    const jws = parseJws(token)
    if (typeof jws === 'string') return jws
    const header = headerProblem(jws, algorithms)
    if (header !== undefined) return header
    const iss = jws.payload.get('iss')
    const issuer = issuers.find((each) => each.issuer() !== '' && each.issuer() === iss)
    if (issuer === undefined) return 'its iss is none whose tokens are accepted'
    return { jws, issuer, alg: String(jws.header.get('alg')), kid: String(jws.header.get('kid')) }
  }

  async #verify({ jws, issuer, alg, kid }: Readable, digest: string): Promise<Verdict> {
    const { skewMs } = this.#settings
    const until = this.#clock.monotonic() + refusedForMs
    const set = await issuer.keys.lookFor(kid)
    const of = { ...nowhere, until, issuer, kid, set }
    if (set === undefined)
      return { ...of, verdict: unavailable('the keys of the issuer cannot be had, or are too old') }
    const key = set.keys.get(kid)
    if (key === undefined) return { ...of, verdict: invalid('its kid is none of its issuer') }
    if (typeof key === 'string') return { ...of, verdict: invalid(`the key of its kid is not fit: ${key}`) }
    if (!key.algorithms.has(alg)) return { ...of, verdict: invalid('its alg is not that of its key') }
    if (!(await signatureIsRight(jws, key, alg))) return { ...of, verdict: invalid('its signature is wrong') }
    const rules = { kind: issuer.kind, issuer: issuer.issuer(), audiences: issuer.audiences(), skewMs }
    const read = readClaims(jws, rules, this.#clock.now(), `sha256:${digest}`)
    if (typeof read === 'string') return { ...of, verdict: invalid(read) }
    return { ...of, thumbprint: key.thumbprint, verdict: read }
  }
}

/** Nothing was found out about the token. */
function isAway(verdict: VerifiedToken | Refusal): boolean {
  return isRefusal(verdict) && verdict.code === 'auth.authority_unavailable'
}

/** `jku`, `x5u`, `x5c` and `jwk` are never looked at: the keys are those of the issuer, by `kid`. */
function headerProblem({ header }: Jws, algorithms: readonly string[]): string | undefined {
  const [alg, kid] = [header.get('alg'), header.get('kid')]
  if (typeof alg !== 'string' || !algorithms.includes(alg)) return 'its alg is not accepted'
  if (header.has('crit')) return 'its header has crit, and nothing is understood that way'
  if (header.has('b64')) return 'its header has b64'
  return typeof kid === 'string' && kid !== '' ? undefined : 'its header has no kid'
}

function invalid(why: string): Refusal {
  return refuse('auth.credential_invalid', `token: ${why}`)
}

function unavailable(why: string): Refusal {
  return refuse('auth.authority_unavailable', why, { retryAfterSeconds: 1 })
}

function busy(): Refusal {
  return refuse('store.busy', 'too many tokens are being verified', { retryAfterSeconds: 1 })
}
