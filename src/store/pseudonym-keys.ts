import { createSecretKey, type KeyObject } from 'node:crypto'
import type { Client } from 'pg'
import { publicId, type Caller, type Tenant } from '#core'
import { generateEncryptionKey, type Envelopes, type SecretPlace } from '#secrets'
import { Connection, type ConnectionSettings } from './connection.ts'
import { appendKeyEvent } from './secrets-entry.ts'

/** One version of the key that makes the pseudonyms of a tenant (SPEC L3). */
export interface PseudonymKey {
  /** `ten_…` */
  readonly tenant: Tenant
  /** From 1; the largest one that is not destroyed is in use. */
  readonly version: number
  /** For HMAC-SHA256; undefined once destroyed. Prints nothing. */
  readonly key: KeyObject | undefined
  readonly createdAtMs: number
  readonly destroyedAtMs: number | undefined
}

/** What redaction needs of the store. */
export interface PseudonymKeys {
  /** Every key of every tenant, in order. What changed since the last load is read; `changed` says whether anything did. */
  load(): Promise<Loaded>
  /** The next version for a tenant, recorded in the log `system`. */
  create(tenant: Tenant, caller?: Pick<Caller, 'id' | 'kind'>): Promise<PseudonymKey>
  /** Erases a key for good, recorded in the log `system`; false where there is none left. Pseudonyms made with it join nothing more. */
  destroy(tenant: Tenant, version: number, caller?: Pick<Caller, 'id' | 'kind'>): Promise<boolean>
  close(): Promise<void>
}

interface Loaded {
  readonly keys: readonly PseudonymKey[]
  readonly changed: boolean
}

interface LoadedRow {
  readonly tenant_id: string
  readonly tenant_name: string
  readonly version: number
  readonly envelope: Uint8Array | null
  readonly created_at: Date
  readonly destroyed_at: Date | null
}

const channel = 'portcullis_pseudonym_keys'
const attemptsMax = 5

/** The keys of pseudonyms in PostgreSQL, as envelopes. `woken` is called when another replica has changed some. */
export class PseudonymKeyStore implements PseudonymKeys {
  readonly #connection: Connection
  readonly #envelopes: Envelopes
  readonly #woken: () => void
  readonly #known = new Map<string, PseudonymKey>()
  #horizon = '0'
  #last: Promise<unknown> = Promise.resolve()
  #listening: Client | undefined

  constructor(settings: ConnectionSettings, envelopes: Envelopes, woken: () => void = () => undefined) {
    this.#connection = new Connection(settings, 'pseudonym keys')
    this.#envelopes = envelopes
    this.#woken = woken
  }

  load(): Promise<Loaded> {
    return this.#afterOthers(() => this.#load())
  }

  create(tenant: Tenant, caller?: Pick<Caller, 'id' | 'kind'>): Promise<PseudonymKey> {
    return this.#afterOthers(() => this.#create(tenant, caller))
  }

  destroy(tenant: Tenant, version: number, caller?: Pick<Caller, 'id' | 'kind'>): Promise<boolean> {
    return this.#afterOthers(() => this.#destroy(tenant, version, caller))
  }

  async close(): Promise<void> {
    await this.#last
    await this.#connection.close()
  }

  /** One at a time: on one connection, a load would read what a transaction of ours has not committed yet. */
  #afterOthers<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => undefined)
    return result
  }

  async #load(): Promise<Loaded> {
    const client = await this.#client()
    // The horizon first: what commits in between is read twice, never missed.
    const [horizon, { rows }] = await Promise.all([
      client.query<{ horizon: string }>({
        name: 'pseudonym_keys.horizon',
        text: 'select pg_snapshot_xmin(pg_current_snapshot())::text as horizon',
      }),
      client.query<LoadedRow>({
        name: 'pseudonym_keys.load',
        text: 'select * from portcullis.load_pseudonym_keys($1::text::xid8)',
        values: [this.#horizon],
      }),
    ])
    let changed = false
    for (const row of rows) {
      const id = `${row.tenant_id} ${row.version}`
      const before = this.#known.get(id)
      if (before !== undefined && (before.destroyedAtMs === undefined) === (row.destroyed_at === null)) continue
      this.#known.set(id, await this.#open(row))
      changed = true
    }
    this.#horizon = horizon.rows[0]?.horizon ?? this.#horizon
    return { keys: [...this.#known.values()], changed }
  }

  async #create(tenant: Tenant, caller: Pick<Caller, 'id' | 'kind'> | undefined): Promise<PseudonymKey> {
    const key = generateEncryptionKey()
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const { keys } = await this.#load()
      const version = 1 + Math.max(0, ...keys.filter((one) => one.tenant.id === tenant.id).map((one) => one.version))
      const made = await this.#insert(tenant, version, key, caller)
      if (made !== undefined) {
        await this.#load()
        return { tenant, version, key: createSecretKey(key), createdAtMs: made.getTime(), destroyedAtMs: undefined }
      }
    }
    throw new Error(`the tenant ${tenant.name} got keys from several replicas at once; ask again`)
  }

  async #destroy(tenant: Tenant, version: number, caller: Pick<Caller, 'id' | 'kind'> | undefined): Promise<boolean> {
    const destroyed = await this.#inTransaction(async (client) => {
      const { rows } = await client.query<{ at: Date | null }>(
        'select portcullis.destroy_pseudonym_key($1, $2) as at',
        [bare(tenant), version],
      )
      if (!rows[0]?.at) return false
      const args = { tenant: tenant.id, version }
      await appendKeyEvent(client, { kind: 'pseudonym_key.destroyed', args, caller })
      return true
    })
    await this.#load()
    return destroyed
  }

  async #insert(
    tenant: Tenant,
    version: number,
    key: Uint8Array,
    caller: Pick<Caller, 'id' | 'kind'> | undefined,
  ): Promise<Date | undefined> {
    // Sealed before the transaction begins: the provider may take its time.
    const { envelope, keyId } = await this.#envelopes.seal(key, placeOf(bare(tenant), version))
    return this.#inTransaction(async (client) => {
      const { rows } = await client.query<{ at: Date | null }>(
        'select portcullis.create_pseudonym_key($1, $2, $3, $4) as at',
        [bare(tenant), version, envelope, keyId],
      )
      const at = rows[0]?.at ?? undefined
      const args = { tenant: tenant.id, version, masterKey: keyId }
      if (at !== undefined) await appendKeyEvent(client, { kind: 'pseudonym_key.created', args, caller })
      return at
    })
  }

  async #open(row: LoadedRow): Promise<PseudonymKey> {
    const { envelope, version } = row
    const key = envelope === null ? undefined : await this.#envelopes.open(envelope, placeOf(row.tenant_id, version))
    return {
      tenant: { id: publicId('ten', row.tenant_id), name: row.tenant_name },
      version,
      key: key && createSecretKey(key),
      createdAtMs: row.created_at.getTime(),
      destroyedAtMs: row.destroyed_at?.getTime(),
    }
  }

  async #client(): Promise<Client> {
    const client = await this.#connection.client()
    if (this.#listening !== client) {
      client.on('notification', this.#woken)
      await client.query(`listen ${channel}`)
      this.#listening = client
    }
    return client
  }

  async #inTransaction<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const client = await this.#client()
    try {
      await client.query('begin')
      const result = await work(client)
      await client.query('commit')
      return result
    } catch (error) {
      // Its state is not known: the next use connects anew.
      this.#connection.discard()
      throw error
    }
  }
}

export function pseudonymKeyPlace(tenantId: string, version: string): SecretPlace {
  return { tenant: tenantId, table: 'pseudonym_keys', column: 'envelope', row: version }
}

function placeOf(tenantId: string, version: number): SecretPlace {
  return pseudonymKeyPlace(tenantId, String(version))
}

function bare(tenant: Tenant): string {
  return tenant.id.slice('ten_'.length)
}
