import { sha256Hex } from '#core'
import type { ArtefactStore, Denial, SessionGrant, StoredArtefact, Upsert, Writes } from './artefacts.ts'

// Consumed codes are kept so that a second use is known as such, long after the first.
const keepConsumedSeconds = 86_400

/** As SQL and the directory of denials have it. */
export function denialDigest(kind: 'token' | 'grant', id: string): string {
  return sha256Hex(`${kind}:${id}`)
}

interface Denying {
  readonly tenantId: string
  readonly untilMs: number
}

/**
 * What one request reads and writes. Nothing reaches the database before the request has come to its end; until then the
 * request sees its own writes (SPEC A6).
 */
export class RequestWrites {
  readonly #store: ArtefactStore
  readonly #nowMs: () => number
  readonly #once: Writes['once'][number][] = []
  readonly #consume = new Map<string, Writes['consume'][number]>()
  readonly #destroy = new Map<string, Writes['destroy'][number]>()
  readonly #upsert = new Map<string, Upsert>()
  readonly #grants = new Map<string, string>()
  readonly #denials = new Map<string, Denial>()
  /** Grants of what this request consumes: they end where another request was first. */
  readonly #atStake = new Map<string, string>()
  /** Models of which a value was shown that had been used before. */
  readonly used = new Set<string>()

  constructor(store: ArtefactStore, nowMs: () => number) {
    this.#store = store
    this.#nowMs = nowMs
  }

  async find(model: string, id: string): Promise<StoredArtefact | undefined> {
    const digest = sha256Hex(id)
    const key = `${model} ${digest}`
    const own = this.#upsert.get(key)
    if (own !== undefined) return { payload: own.payload, consumed: false, expired: false }
    if (this.#destroy.has(key)) return undefined
    const stored = await this.#store.find(model, digest)
    if (stored === undefined) return undefined
    const consumed = stored.consumed || this.#consume.has(key)
    if (stored.consumed) this.used.add(model)
    return { ...stored, consumed }
  }

  async findByUid(model: string, uid: string): Promise<StoredArtefact | undefined> {
    const uidDigest = sha256Hex(uid)
    for (const own of this.#upsert.values())
      if (own.model === model && own.uidDigest === uidDigest)
        return { payload: own.payload, consumed: false, expired: false }
    return this.#store.findByUid(model, uidDigest)
  }

  /** Keeps a grant with the session that it was given under: a session itself names no more than the last one of each app. */
  keepUnder(sessionUid: string, { clientId, grantId }: SessionGrant, expiresAtMs: number): void {
    const digest = sha256Hex(grantId)
    const uidDigest = sha256Hex(sessionUid)
    const payload = { kind: 'SessionGrant', grantId, clientId }
    const row = { model: 'SessionGrant', digest, payload, grantDigest: digest, uidDigest, expiresAtMs }
    this.#upsert.set(`SessionGrant ${digest}`, row)
  }

  /** Ends what was granted under a session, all of it or that of one app (SPEC A7). */
  async endGrantsUnder(sessionUid: string, clientId: string | undefined): Promise<void> {
    for (const given of await this.#store.grantsUnder(sha256Hex(sessionUid)))
      if (clientId === undefined || given.clientId === clientId) this.endGrant(given.grantId)
  }

  once(model: string, id: string, expiresAtMs: number): void {
    this.#once.push({ model, digest: sha256Hex(id), expiresAtMs })
  }

  upsert(model: string, id: string, payload: Readonly<Record<string, unknown>>, ttlSeconds: number): void {
    const digest = sha256Hex(id)
    const text = (name: string): string | null => (typeof payload[name] === 'string' ? sha256Hex(payload[name]) : null)
    this.#destroy.delete(`${model} ${digest}`)
    this.#upsert.set(`${model} ${digest}`, {
      model,
      digest,
      payload,
      grantDigest: model === 'Grant' ? digest : text('grantId'),
      uidDigest: text('uid'),
      expiresAtMs: this.#nowMs() + ttlSeconds * 1000,
    })
  }

  /** `grantId` is that of what is consumed. */
  consume(model: string, id: string, grantId: string | undefined): void {
    const digest = sha256Hex(id)
    this.#consume.set(`${model} ${digest}`, { model, digest, keepSeconds: keepConsumedSeconds })
    if (grantId !== undefined) this.#atStake.set(sha256Hex(grantId), grantId)
  }

  destroy(model: string, id: string): void {
    const digest = sha256Hex(id)
    this.#upsert.delete(`${model} ${digest}`)
    this.#destroy.set(`${model} ${digest}`, { model, digest })
  }

  endGrant(grantId: string): void {
    this.#grants.set(sha256Hex(grantId), grantId)
  }

  deny(denial: Denial): void {
    this.#denials.set(denial.digest, denial)
  }

  get isEmpty(): boolean {
    const { size } = this.#upsert
    return (
      size + this.#consume.size + this.#destroy.size + this.#grants.size + this.#denials.size + this.#once.length === 0
    )
  }

  get endsGrants(): boolean {
    return this.#grants.size > 0
  }

  /** What the request is about, where it uses or ends a grant. */
  get grantId(): string | undefined {
    const [first] = [...this.#grants.values(), ...this.#atStake.values()]
    return first
  }

  /** All of it. Access tokens of grants that end are denied until the last of them would have expired. */
  result({ tenantId, untilMs }: Denying): Writes {
    const ended = (grants: ReadonlyMap<string, string>, reason: string): Denial[] =>
      [...grants.values()].map((grantId) => ({
        tenantId,
        digest: denialDigest('grant', grantId),
        reason,
        expiresAtMs: untilMs,
      }))
    return {
      once: this.#once,
      consume: [...this.#consume.values()],
      destroy: [...this.#destroy.values()],
      upsert: [...this.#upsert.values()].filter(
        ({ grantDigest }) => grantDigest === null || !this.#grants.has(grantDigest),
      ),
      grants: [...this.#grants.keys()],
      denials: [...this.#denials.values(), ...ended(this.#grants, 'grant ended')],
      lost: { grants: [...this.#atStake.keys()], denials: ended(this.#atStake, 'used twice') },
    }
  }
}
