import { setTimeout as delay } from 'node:timers/promises'
import type { TokenAlgorithm, TokenKey } from '#authority'
import type { Envelopes, SecretPlace } from '#secrets'
import { Connection, type ConnectionSettings } from './connection.ts'
import type { CachedTable } from './keys.ts'
import { appendKeyEvent } from './secrets-entry.ts'

interface LoadedRow {
  readonly id: string
  readonly kid: string
  readonly algorithm: TokenAlgorithm
  readonly public_jwk: Readonly<Record<string, unknown>>
  readonly envelope: Uint8Array
  readonly created_at: Date
  readonly activates_at: Date
  readonly retires_at: Date | null
}

export interface NewTokenKey {
  readonly id: string
  readonly kid: string
  readonly algorithm: TokenAlgorithm
  readonly publicJwk: object
  readonly privateJwk: object
  /** Between its publication and its first signature. */
  readonly delaySeconds: number
  /** How long the keys before it are published after that. */
  readonly overlapSeconds: number
  /** None is made where a younger one is there. */
  readonly ageSeconds: number
}

interface OAuthKeysParts {
  readonly connection: ConnectionSettings
  readonly envelopes: () => Envelopes | undefined
  /** Told of all keys whenever some changed. */
  readonly changed: (keys: readonly TokenKey[]) => void
  /** The private part cannot be had now; it is tried again at the next look. */
  readonly failed: (error: unknown) => void
}

// Far less than the lease of credentials.
const waitMs = 200
const platform = '00000000-0000-0000-0000-000000000000'

/** The keys that sign tokens, in memory under the epoch of credentials; their private parts are envelopes (SPEC A2, S1). */
export class OAuthKeys implements CachedTable {
  readonly name = 'oauth_keys.load'
  readonly source = 'oauth_keys'
  readonly text = 'select * from portcullis.load_oauth_keys($1::text::xid8)'
  readonly #parts: OAuthKeysParts
  readonly #connection: Connection
  readonly #keys = new Map<string, TokenKey>()
  readonly #closed = new Map<string, LoadedRow>()
  #opening: Promise<void> | undefined

  constructor(parts: OAuthKeysParts) {
    this.#parts = parts
    this.#connection = new Connection(parts.connection, 'oauth keys')
  }

  /** The first keys are waited for; after that nobody waits long for a provider of master keys: all credentials are read with these. */
  async keep(rows: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    for (const row of rows as unknown as readonly LoadedRow[]) this.#closed.set(row.id, row)
    if (this.#closed.size === 0) return
    this.#opening ??= this.#openAll().finally(() => (this.#opening = undefined))
    const late = this.#keys.size === 0 ? [] : [delay(waitMs, undefined, { ref: false })]
    await Promise.race([this.#opening, ...late])
  }

  async #openAll(): Promise<void> {
    let changed = false
    for (const row of this.#closed.values()) {
      const key = await this.#open(row).catch((error: unknown) => this.#parts.failed(error))
      if (key === undefined) continue
      // It may have been read again meanwhile.
      if (this.#closed.get(row.id) === row) this.#closed.delete(row.id)
      const before = this.#keys.get(row.id)
      changed ||= before === undefined || before.retiresAtMs !== key.retiresAtMs
      this.#keys.set(row.id, key)
    }
    if (changed) this.#parts.changed([...this.#keys.values()])
  }

  /** False where another replica was first. */
  async create(key: NewTokenKey): Promise<boolean> {
    const envelopes = this.#parts.envelopes()
    if (envelopes === undefined)
      throw new Error('the keys of tokens need a provider of master keys: set secrets.keyFile')
    const secret = Buffer.from(JSON.stringify(key.privateJwk))
    const { envelope, keyId } = await envelopes.seal(secret, oauthKeyPlace(key.id))
    const client = await this.#connection.client()
    const text = `select portcullis.create_oauth_key($1, $2, $3, $4, $5, $6, make_interval(secs => $7),
      make_interval(secs => $8), make_interval(secs => $9)) as made`
    const { id, kid, algorithm, delaySeconds, overlapSeconds, ageSeconds } = key
    const publicJwk = JSON.stringify(key.publicJwk)
    const values = [id, kid, algorithm, publicJwk, envelope, keyId, delaySeconds, overlapSeconds, ageSeconds]
    try {
      await client.query('begin')
      const { rows } = await client.query<{ made: boolean }>(text, values)
      const made = rows[0]?.made === true
      if (made) await appendKeyEvent(client, { kind: 'token_key.made', args: { kid, algorithm, masterKey: keyId } })
      await client.query('commit')
      return made
    } catch (error) {
      // Its state is not known: the next use connects anew.
      this.#connection.discard()
      throw error
    }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #open(row: LoadedRow): Promise<TokenKey | undefined> {
    const known = this.#keys.get(row.id)
    const envelopes = this.#parts.envelopes()
    if (known === undefined && envelopes === undefined) return undefined
    const privateJwk =
      known?.privateJwk ??
      (JSON.parse((await envelopes?.open(row.envelope, oauthKeyPlace(row.id)))?.toString() ?? '{}') as object)
    return {
      kid: row.kid,
      algorithm: row.algorithm,
      publicJwk: row.public_jwk,
      privateJwk: privateJwk as Readonly<Record<string, unknown>>,
      createdAtMs: row.created_at.getTime(),
      activatesAtMs: row.activates_at.getTime(),
      retiresAtMs: row.retires_at?.getTime(),
    }
  }
}

export function oauthKeyPlace(id: string): SecretPlace {
  return { tenant: platform, table: 'oauth_keys', column: 'envelope', row: id }
}
