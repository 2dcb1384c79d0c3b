import { DatabaseError } from 'pg'
import { Connection, type ConnectionSettings } from './connection.ts'

export interface StoredMonth {
  readonly name: string
  readonly retentionClass: string
  readonly firstMs: number
  readonly nextMs: number
  readonly bytes: number
}

export interface StoredLog {
  readonly log: string
  readonly retentionClass: string
  readonly size: number
  readonly minIndex: number
  /** Where its entries go now, where that is another log. */
  readonly goesOnIn: string | undefined
}

export interface StoredHold {
  readonly id: string
  readonly subject: string
  readonly reason: string
  readonly placedBy: string
  readonly placedAt: string
  readonly until: string | undefined
  readonly releasedBy: string | undefined
  readonly releasedAt: string | undefined
}

/** What a log has before a time, and what stands before that. Hashes in hex. */
export interface Expired {
  readonly log: string
  readonly minIndex: number
  readonly lastSeq: number
  readonly lastHash: string
  /** Of the entry before `minIndex`, and the frontier there; undefined at 0. */
  readonly begin: { readonly prev: string; readonly frontier: Uint8Array } | undefined
}

export interface PrunePolicy {
  readonly framework: string
  readonly keepDays: number
  readonly hotDays: number
}

export interface PruneTarget extends PrunePolicy {
  readonly retentionClass: string
  readonly beforeMs: number
}

/** One log in a prune; hashes in hex. */
export interface PruneMember {
  readonly log: string
  readonly below: number
  readonly root: string
  readonly frontier: string
  readonly last_hash: string
  readonly archive: string
  /** Of its `ledger.prune` entry. */
  readonly body: string
}

/** The database said no; `code` as in the migrations. */
export interface StoreRefusal {
  readonly code: string
  readonly message: string
  readonly todo: string
}

/** Retention as portcullis_maintenance: it reads every log, and changes nothing but through functions that check (SPEC L12). */
export class RetentionStore {
  readonly #connection: Connection

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, 'retention')
  }

  /** The role of the connection, and whether it may prune; false too where the schema is of an older version. */
  async role(): Promise<{ readonly name: string; readonly mayPrune: boolean }> {
    const signature = 'audits.finish_prune(text, timestamptz, text, int, int, text[])'
    const [row] = await this.#rows<{ name: string; mayPrune: boolean }>(
      `select current_user as name, coalesce(has_schema_privilege(to_regnamespace('audits')::oid, 'usage')
         and has_function_privilege(to_regprocedure($1)::oid, 'execute'), false) as "mayPrune"`,
      [signature],
    )
    return row ?? { name: '', mayPrune: false }
  }

  months(): Promise<readonly StoredMonth[]> {
    return this.#rows(
      `select name, class as "retentionClass", ${msOf('first')} as "firstMs", ${msOf('next')} as "nextMs", bytes::float8 as bytes from audits.months()`,
    )
  }

  async logs(): Promise<readonly StoredLog[]> {
    const rows = await this.#rows<StoredLog & { readonly goesOnIn: string | null }>(
      `select h.log, h.retention_class as "retentionClass", h.size::float8 as size, h.min_index::float8 as "minIndex",
         nullif(r.target, h.log) as "goesOnIn" from audits.heads h left join audits.routes r on r.log = h.log order by h.log`,
    )
    return rows.map((row) => ({ ...row, goesOnIn: row.goesOnIn ?? undefined }))
  }

  async holds(): Promise<readonly StoredHold[]> {
    type Row = { readonly [Key in keyof StoredHold]: NonNullable<StoredHold[Key]> | null } & StoredHold
    const rows = await this.#rows<Row>(
      `select o.id, coalesce('log ' || o.log, 'tenant ' || (select min(h.log) from audits.heads h
           where h.tenant_id = o.tenant_id and h.retention_class = 'default'), '') as subject,
         o.reason, o.placed_by as "placedBy", ${isoOf('o.placed_at')} as "placedAt", ${isoOf('o.until')} as until,
         o.released_by as "releasedBy", ${isoOf('o.released_at')} as "releasedAt" from audits.holds o order by o.placed_at`,
    )
    return rows.map((row) => ({
      ...row,
      until: row.until ?? undefined,
      releasedBy: row.releasedBy ?? undefined,
      releasedAt: row.releasedAt ?? undefined,
    }))
  }

  /** Holds on logs that have entries of the class before that time. */
  holdsBefore(retentionClass: string, beforeMs: number): Promise<readonly { log: string; reason: string }[]> {
    return this.#rows(
      `select k.log, k.reason from audits.held_logs() k join audits.entries_before($1, ${timeOf('$2')}) e on e.log = k.log`,
      [retentionClass, beforeMs],
    )
  }

  async expired(retentionClass: string, beforeMs: number): Promise<readonly Expired[]> {
    const rows = await this.#rows<ExpiredRow>(
      `select e.log, e.min_index::float8 as "minIndex", e.last_seq::float8 as "lastSeq", encode(e.last_leaf, 'hex') as "lastHash",
         encode(p.last_hash, 'hex') as prev, p.frontier
       from audits.entries_before($1, ${timeOf('$2')}) e
       left join lateral (select r.* from audits.prunes r where r.log = e.log and r.below = e.min_index
         and r.dropped_at is not null order by r.entry_seq desc limit 1) p on true`,
      [retentionClass, beforeMs],
    )
    return rows.map(({ prev, frontier, ...row }) => ({
      ...row,
      begin: prev === null || frontier === null ? undefined : { prev, frontier },
    }))
  }

  /** Entries of a log from one seq up to another one, in order, page by page. */
  async *entries(log: string, from: number, to: number): AsyncGenerator<Uint8Array> {
    for (let next = from; next < to;) {
      const rows = await this.#rows<{ seq: number; entry: Uint8Array }>(
        `select e.seq::float8 as seq, e.entry from audits.entries e where e.log = $1 and e.seq >= $2::bigint and e.seq < $3::bigint
         order by e.seq limit 500`,
        [log, next, to],
      )
      for (const { entry } of rows) yield entry
      const last = rows.at(-1)
      if (last === undefined) return
      next = last.seq + 1
    }
  }

  /** Leaf hashes of a log from one seq up to another one, in order, 32 bytes each, page by page. */
  async *leaves(log: string, from: number, to: number): AsyncGenerator<Uint8Array> {
    const step = 4096
    for (let next = from; next < to; next += step) {
      const [row] = await this.#rows<{ leaves: Uint8Array | null }>(
        `select string_agg(e.leaf, '' order by e.seq) as leaves from audits.entries e
          where e.log = $1 and e.seq >= $2::bigint and e.seq < $3::bigint`,
        [log, next, Math.min(next + step, to)],
      )
      if (row?.leaves) yield row.leaves
    }
  }

  async head(log: string): Promise<{ readonly size: number; readonly frontier: Uint8Array }> {
    const [row] = await this.#rows<{ size: number; frontier: Uint8Array }>(
      'select h.size::float8 as size, h.frontier from audits.heads h where h.log = $1',
      [log],
    )
    if (row === undefined) throw new Error(`the log ${log} has no head`)
    return row
  }

  /** What was recorded before and not dropped yet: a prune that was interrupted. */
  recorded(): Promise<readonly { readonly log: string; readonly below: number; readonly archive: string }[]> {
    return this.#rows(
      `select p.log, p.below::float8 as below, encode(p.archive, 'hex') as archive from audits.prunes p where p.dropped_at is null`,
    )
  }

  begin(target: PruneTarget, by: string, members: readonly PruneMember[]): Promise<StoreRefusal | undefined> {
    const { retentionClass, beforeMs, framework, keepDays, hotDays } = target
    return this.#refusable(`select audits.begin_prune($1, ${timeOf('$2')}, $3, $4, $5, $6, $7)`, [
      retentionClass,
      beforeMs,
      framework,
      keepDays,
      hotDays,
      by,
      JSON.stringify(members),
    ])
  }

  /** Sinks that are given up may lose entries that they have not taken yet. */
  finish(target: PruneTarget, withoutSinks: readonly string[] = []): Promise<StoreRefusal | undefined> {
    const { retentionClass, beforeMs, framework, keepDays, hotDays } = target
    const values = [retentionClass, beforeMs, framework, keepDays, hotDays, withoutSinks]
    return this.#refusable(`select audits.finish_prune($1, ${timeOf('$2')}, $3, $4, $5, $6::text[])`, values)
  }

  placeHold(hold: {
    readonly tenant: string | null
    readonly log: string | null
    readonly reason: string
    readonly until: string | null
    readonly by: string
    readonly body: string
  }): Promise<StoreRefusal | undefined> {
    const { tenant, log, reason, until, by, body } = hold
    const values = [tenant, log, reason, until, by, body]
    return this.#refusable('select audits.place_hold($1, $2, $3, $4::timestamptz, $5, $6)', values)
  }

  /** False where no such hold is in force. */
  async releaseHold(id: string, by: string, body: string): Promise<boolean> {
    const text = 'select audits.release_hold($1::uuid, $2, $3) as released'
    const [row] = await this.#rows<{ released: boolean }>(text, [id, by, body])
    return row?.released === true
  }

  setClass(tenant: string, retentionClass: string, by: string, body: string): Promise<StoreRefusal | undefined> {
    return this.#refusable('select audits.set_retention_class($1, $2, $3, $4)', [tenant, retentionClass, by, body])
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #refusable(text: string, values: readonly unknown[]): Promise<StoreRefusal | undefined> {
    try {
      await this.#rows(text, values)
      return undefined
    } catch (error) {
      if (!(error instanceof DatabaseError) || !/^(?:LG0\d\d|55P03)$/.test(error.code ?? '')) throw error
      return { code: error.code ?? '', message: error.message, todo: error.hint ?? 'Try again.' }
    }
  }

  async #rows<Row>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const client = await this.#connection.client()
    const { rows } = await client.query(text, [...values])
    return rows as readonly Row[]
  }
}

type ExpiredRow = Omit<Expired, 'begin'> & { readonly prev: string | null; readonly frontier: Uint8Array | null }

function msOf(column: string): string {
  return `(extract(epoch from ${column}) * 1000)::float8`
}

function timeOf(value: string): string {
  return `to_timestamp(${value}::float8 / 1000)`
}

function isoOf(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
}
