import type { Client } from 'pg'
import { keyPartOf, parseCidr, publicId, type Clock, type Tenant } from '#core'
import type { KeyPort, KeyRecord } from '#gate'
import { Connection, type ConnectionSettings } from './connection.ts'

export interface KeyCacheSettings {
  readonly connection: ConnectionSettings
  /** Between two looks at what changed; the notification usually comes first. */
  readonly pollMs: number
  /** Older state than this authenticates nobody (SPEC G20). */
  readonly leaseMs: number
  /** Told how far the clock of this process is ahead of the database's, and how exact that is (SPEC O15). */
  readonly clockSeen?: (skewMs: number, withinMs: number) => void
  readonly tables?: readonly CachedTable[]
}

/**
 * More that is in memory under the same epoch: what else decides who a credential stands for. Every change of it writes the id of
 * its transaction into its row, and notifies `portcullis_credentials`.
 */
export interface CachedTable {
  /** Of the prepared statement. */
  readonly name: string
  /** As `portcullis.changed_tables` names it: the rows are asked for where it has something new. */
  readonly source: string
  /** Selects the rows that changed in transaction `$1` (text of an xid8) or later. */
  readonly text: string
  keep(rows: readonly Readonly<Record<string, unknown>>[]): void | Promise<void>
  /** After each look, whatever it found: for what time alone changes. */
  looked?(): void
}

export const keyCacheDefaults = { pollMs: 400, leaseMs: 1000 } as const

const channel = 'portcullis_credentials'
const touchEveryMs = 15_000

interface LoadedRow {
  readonly id: string
  readonly digest: Uint8Array
  readonly agent_id: string | null
  readonly operator_id: string | null
  readonly tenant_id: string
  readonly tenant_name: string
  readonly scopes: readonly string[]
  readonly allowed_cidrs: readonly string[]
  readonly rate_per_second: number | null
  readonly rate_burst: number | null
  readonly expires_at: Date | null
  readonly revoked_at: Date | null
  readonly owner_disabled: boolean
  readonly tenant_disabled: boolean
  readonly require_signature: boolean
}

/**
 * Every key in memory, under an epoch: the transaction horizon of the last look. What committed since is read again, so that
 * no change can be missed, whatever the order of commits (SPEC G4). LISTEN wakes it; the poll stands behind.
 */
export class KeyCache implements KeyPort {
  readonly #settings: KeyCacheSettings
  readonly #clock: Clock
  readonly #connection: Connection
  readonly #keys = new Map<string, KeyRecord>()
  readonly #used = new Map<string, number>()
  /** The keys of each agent and operator, by its id. */
  readonly #owned = new Map<string, Map<string, KeyRecord>>()
  /** A key of each tenant, by the tenant's id and by its name: every tenant has one from its beginning. */
  readonly #tenants = new Map<string, KeyRecord>()
  #horizon = '0'
  #freshAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #listening: unknown
  #timer: NodeJS.Timeout | undefined
  #touchedAt: number

  constructor(settings: KeyCacheSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
    this.#connection = new Connection(settings.connection, 'credentials')
    this.#touchedAt = clock.monotonic()
  }

  find(keyPart: string): KeyRecord | undefined {
    return this.#keys.get(keyPart)
  }

  /** Every key of an agent or operator, also those that may not be used any more. */
  ofOwner(id: string): Iterable<KeyRecord> {
    return this.#owned.get(id)?.values() ?? []
  }

  /** By id or name; undefined where there is none, or it is disabled. */
  tenant(idOrName: string): Tenant | undefined {
    const key = this.#tenants.get(idOrName)
    return key === undefined || key.tenantDisabled ? undefined : key.tenant
  }

  /** The horizon of the last look: what was decided under it saw every change of credentials that had committed before. */
  epoch(): string {
    return this.#horizon
  }

  fresh(): boolean {
    return this.#clock.monotonic() - this.#freshAt <= this.#settings.leaseMs
  }

  used(key: KeyRecord, atMs: number): void {
    this.#used.set(key.id.slice('key_'.length), atMs)
  }

  /** The first load; rejects where the database cannot be read. Then looks by itself until closed. */
  async start(): Promise<void> {
    await this.refresh()
    this.#timer = setInterval(() => {
      // A failed look shows as staleness, and the next one tries again.
      this.refresh().catch(() => undefined)
    }, this.#settings.pollMs)
    this.#timer.unref()
  }

  /** Looks now. A look that began before the call does not count: it may have read the past. */
  async refresh(): Promise<void> {
    const current = this.#looking
    if (current !== undefined) await current.catch(() => undefined)
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking?.catch(() => undefined)
    await this.#touch().catch(() => undefined)
    await this.#connection.close()
  }

  async #look(): Promise<void> {
    const askedAt = this.#clock.monotonic()
    const client = await this.#connection.client()
    if (this.#listening !== client) {
      client.on('notification', () => void this.refresh().catch(() => undefined))
      await client.query(`listen ${channel}`)
      this.#listening = client
    }
    // The horizon and the changes that are known by it are of one snapshot; the rows are read after it. What commits in between is read
    // twice, never missed.
    const looked = await client.query<{ horizon: string; now_ms: number; changed: readonly string[] }>({
      name: 'keys.look',
      text: `select pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
        (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms,
        portcullis.changed_tables($1::text::xid8) as changed`,
      values: [this.#horizon],
    })
    const found = looked.rows[0]
    this.#compareClocks(found?.now_ms, askedAt)
    await this.#load(client, new Set(found?.changed))
    this.#horizon = found?.horizon ?? this.#horizon
    this.#freshAt = askedAt
    if (askedAt - this.#touchedAt > touchEveryMs) {
      this.#touchedAt = askedAt
      await this.#touch()
    }
  }

  async #load(client: Client, changed: ReadonlySet<string>): Promise<void> {
    const values = [this.#horizon]
    const tables = (this.#settings.tables ?? []).filter(({ source }) => changed.has(source))
    const [keys, ...more] = await Promise.all([
      changed.has('keys')
        ? client.query<LoadedRow>({
            name: 'keys.load',
            text: 'select * from portcullis.load_api_keys($1::text::xid8)',
            values,
          })
        : undefined,
      ...tables.map(({ name, text }) => client.query<Record<string, unknown>>({ name, text, values })),
    ])
    for (const [at, table] of tables.entries()) await table.keep(more[at]?.rows ?? [])
    for (const row of keys?.rows ?? []) this.#keep(keyPartOf(row.id), toRecord(row))
    for (const table of this.#settings.tables ?? []) table.looked?.()
  }

  #keep(part: string, key: KeyRecord): void {
    this.#keys.set(part, key)
    const owned = this.#owned.get(key.owner.id) ?? new Map<string, KeyRecord>()
    owned.set(key.id, key)
    this.#owned.set(key.owner.id, owned)
    this.#tenants.set(key.tenant.id, key)
    this.#tenants.set(key.tenant.name, key)
  }

  /** The database read its clock at some time between the question and the answer. */
  #compareClocks(databaseMs: number | undefined, askedAt: number): void {
    if (databaseMs === undefined) return
    const withinMs = (this.#clock.monotonic() - askedAt) / 2
    this.#settings.clockSeen?.(this.#clock.now() - withinMs - databaseMs, withinMs)
  }

  async #touch(): Promise<void> {
    if (this.#used.size === 0) return
    const used = [...this.#used]
    this.#used.clear()
    const client = await this.#connection.client()
    await client.query('select portcullis.touch_keys($1::uuid[], $2::timestamptz[])', [
      used.map(([id]) => id),
      used.map(([, atMs]) => new Date(atMs)),
    ])
  }
}

function toRecord(row: LoadedRow): KeyRecord {
  return {
    id: publicId('key', row.id),
    digest: row.digest,
    owner:
      row.agent_id === null
        ? { kind: 'operator', id: publicId('opr', row.operator_id ?? '') }
        : { kind: 'agent', id: publicId('agt', row.agent_id) },
    tenant: { id: publicId('ten', row.tenant_id), name: row.tenant_name },
    scopes: new Set(row.scopes),
    expiresAtMs: row.expires_at?.getTime(),
    revokedAtMs: row.revoked_at?.getTime(),
    ownerDisabled: row.owner_disabled,
    tenantDisabled: row.tenant_disabled,
    allowedCidrs: row.allowed_cidrs.map(parseCidr),
    requireSignature: row.require_signature,
    rate:
      row.rate_per_second === null
        ? undefined
        : { perSecond: row.rate_per_second, burst: row.rate_burst ?? row.rate_per_second },
  }
}
