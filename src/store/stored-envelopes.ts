import type { Client } from 'pg'
import type { Envelopes, SecretPlace } from '#secrets'
import { Connection, type ConnectionSettings } from './connection.ts'
import { oauthKeyPlace } from './oauth-keys.ts'
import { pseudonymKeyPlace } from './pseudonym-keys.ts'
import { appendKeyEvent } from './secrets-entry.ts'

/** How many envelopes a master key protects, by what they hold. */
export interface EnvelopeCount {
  readonly kind: string
  readonly keyId: string
  readonly envelopes: number
  readonly tenants: number
  /** How often the key has wrapped; undefined where the provider counts itself. */
  readonly wraps: number | undefined
}

export interface Rotation extends Tally {
  readonly newest: string
}

interface Tally {
  readonly rewrapped: number
  /** Changed by somebody else meanwhile, and under the newest key now, or gone. */
  readonly skipped: number
}

interface CountRow {
  readonly kind: string
  readonly key_id: string
  readonly envelopes: string
  readonly tenants: string
  readonly wraps: string | null
}

interface StaleRow {
  readonly source: string
  readonly tenant_id: string
  readonly row_id: string
  readonly envelope: Uint8Array
}

const stepRows = 100
const rotationLock = `hashtextextended('portcullis key rotation', 0)`
const noTenant = '00000000-0000-0000-0000-000000000000'

/** What all stored secrets have in common, whatever they are for: which master keys they need, and their rotation. */
export class StoredEnvelopes {
  readonly #settings: ConnectionSettings
  readonly #connection: Connection

  constructor(settings: ConnectionSettings) {
    this.#settings = settings
    this.#connection = new Connection(settings, 'stored secrets')
  }

  async count(): Promise<readonly EnvelopeCount[]> {
    const client = await this.#connection.client()
    const { rows } = await client.query<CountRow>('select * from portcullis.envelope_keys()')
    return rows.map(({ kind, key_id: keyId, envelopes, tenants, wraps }) => ({
      kind,
      keyId,
      envelopes: Number(envelopes),
      tenants: Number(tenants),
      wraps: wraps === null ? undefined : Number(wraps),
    }))
  }

  /** How many there are of each kind of credential and key, across tenants. */
  async credentials(): Promise<ReadonlyMap<string, number>> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ kind: string; many: string }>('select * from portcullis.credential_counts()')
    return new Map(rows.map(({ kind, many }) => [kind, Number(many)]))
  }

  /** Adds to the count of wraps of a key, and answers the sum. */
  async reserveWraps(keyId: string, count: number): Promise<number> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ wraps: string }>('select portcullis.reserve_wraps($1, $2) as wraps', [
      keyId,
      count,
    ])
    return Number(rows[0]?.wraps)
  }

  /**
   * Wraps every envelope with the newest key, step by step: one that was interrupted goes on where the next one finds the rest. Each
   * secret is readable at every moment, under its old key or the new one. One rotation at a time; `undefined` where another runs.
   * `prepare` is told first how many are not under the newest key as it is, and may make a newer one.
   */
  async rewrap(
    envelopes: Envelopes,
    prepare: (stale: number) => Promise<void>,
    progress: (done: number, total: number) => void,
  ): Promise<Rotation | undefined> {
    // A connection of its own: the lock is held as long as it is.
    const connection = new Connection(this.#settings, 'key rotation')
    try {
      const client = await connection.client()
      const { rows } = await client.query<{ locked: boolean }>(`select pg_try_advisory_lock(${rotationLock}) as locked`)
      if (rows[0]?.locked !== true) return undefined
      await prepare(envelopesIn(await this.#staleUnder(await envelopes.newest())))
      const newest = await envelopes.newest()
      const stale = await this.#staleUnder(newest)
      const total = envelopesIn(stale)
      const from = [...new Set(stale.map(({ keyId }) => keyId))].join(' ')
      await this.#record(client, { phase: 'begun', to: newest, from, envelopes: total })
      const result = await this.#steps(client, envelopes, newest, (done) => progress(done, total))
      await this.#record(client, { phase: 'finished', to: newest, from, ...result })
      return { ...result, newest }
    } finally {
      await connection.close()
    }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #staleUnder(newest: string): Promise<readonly EnvelopeCount[]> {
    return (await this.count()).filter(({ keyId }) => keyId !== newest)
  }

  async #steps(client: Client, envelopes: Envelopes, newest: string, progress: (done: number) => void): Promise<Tally> {
    let [rewrapped, skipped] = [0, 0]
    let after = ['', noTenant, '']
    for (;;) {
      const { rows } = await client.query<StaleRow>('select * from portcullis.stale_envelopes($1, $2, $3, $4, $5)', [
        newest,
        ...after,
        stepRows,
      ])
      const done = await this.#step(client, envelopes, rows)
      rewrapped += done
      skipped += rows.length - done
      const last = rows.at(-1)
      if (last !== undefined) after = [last.source, last.tenant_id, last.row_id]
      progress(rewrapped + skipped)
      if (rows.length < stepRows) return { rewrapped, skipped }
    }
  }

  /** All rows of a step in one transaction; the provider is asked before it begins. Answers how many it wrapped anew. */
  async #step(client: Client, envelopes: Envelopes, rows: readonly StaleRow[]): Promise<number> {
    const statements: [string, string, string, Uint8Array, Uint8Array, string][] = []
    for (const row of rows) {
      const { source, tenant_id: tenant, row_id: id, envelope } = row
      const sealed = await envelopes.rewrap(envelope, placeOf(row)).catch((error: unknown) => {
        throw new Error(`the envelope of ${source} ${id} of the tenant ${tenant} stays as it is`, { cause: error })
      })
      if (sealed !== undefined) statements.push([source, tenant, id, envelope, sealed.envelope, sealed.keyId])
    }
    const text = 'select portcullis.rewrap_envelope($1, $2, $3, $4, $5, $6) as done'
    const [, ...answers] = await Promise.all([
      client.query('begin'),
      ...statements.map((values) => client.query<{ done: boolean }>({ name: 'secrets.rewrap', text, values })),
      client.query('commit'),
    ])
    return answers.filter(({ rows: [row] }) => row !== undefined && 'done' in row && row.done === true).length
  }

  async #record(client: Client, args: Readonly<Record<string, string | number>>): Promise<void> {
    await appendKeyEvent(client, { kind: 'key.rotated', args })
  }
}

function envelopesIn(counts: readonly EnvelopeCount[]): number {
  return counts.reduce((sum, { envelopes }) => sum + envelopes, 0)
}

function placeOf({ source, tenant_id: tenant, row_id: row }: StaleRow): SecretPlace {
  if (source === 'pseudonym_keys') return pseudonymKeyPlace(tenant, row)
  if (source === 'oauth_keys') return oauthKeyPlace(row)
  return { tenant, table: 'secrets', column: 'envelope', row }
}
