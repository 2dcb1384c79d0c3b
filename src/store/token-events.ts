import type { EntryRow, EventCursor, TokenEvents } from '#hub'
import { tokenEventKinds } from '#ledger'
import type { Statement } from './connection.ts'

// No index tells these entries from others: so many of each log are looked at for one answer.
const lookAtMost = 20_000
const bytesMax = 1024 * 1024

const kinds = tokenEventKinds.map((kind) => `'${kind}'`).join(', ')

export interface EventRow {
  readonly log: string
  readonly size: string
  /** Below it everything was looked at. */
  readonly looked: string
  readonly seq: string | null
  readonly leaf: Uint8Array
  readonly entry: Uint8Array
  /** The last that is not in the answer for its bytes or their number. */
  readonly cut: boolean
}

/**
 * The next events of each log of the tenant. A log that the cursor does not name has been made since; without a cursor nothing
 * has happened yet. Numbers of a log have no gaps but those that retention made, so the part that was looked at is known.
 */
export function eventsStatement(cursor: EventCursor | undefined, limit: number): Statement {
  const known = cursor === undefined ? null : Object.entries(cursor).map(([log, next]) => ({ log, next }))
  return {
    name: 'read.token_events',
    text: `with logs as materialized (
        select h.log, h.size, case when $1::json is null then h.size else least(greatest(coalesce(c.next, 0), h.min_index), h.size) end as first
          from audits.heads h left join json_to_recordset($1::json) as c(log text, next bigint) on c.log = h.log
         where h.tenant_id = (select portcullis.tenant())),
      ranges as materialized (select log, size, first, least(first + ${lookAtMost}, size) as looked from logs)
      select r.log, r.size, r.looked, e.seq, e.leaf, e.entry, coalesce(e.cut, false) as cut
        from ranges r
        left join lateral (
          select s.seq, s.leaf, s.entry, s.nth > $2 or s.bytes > ${bytesMax} as cut from (
            select f.*, row_number() over (order by f.seq) as nth,
                   sum(octet_length(f.entry)) over (order by f.seq rows unbounded preceding) - octet_length(f.entry) as bytes
              from (select e.seq, e.leaf, e.entry from audits.entries e
                     where e.log = r.log and e.seq >= r.first and e.seq < r.looked and e.action in (${kinds})
                     order by e.seq limit $2 + 1) f) s) e on true
       order by r.log, e.seq`,
    values: [known === null ? null : JSON.stringify(known), limit],
  }
}

/** What the rows come to, with where the next answer begins. `limit` holds for each log. */
export function eventsOf(rows: readonly EventRow[]): TokenEvents {
  const next: Record<string, number> = Object.create(null)
  const events: EntryRow[] = []
  let more = false
  for (const { log, size, looked, seq, leaf, entry, cut } of rows) {
    const [at, end] = [Number(looked), Number(size)]
    if (cut) {
      // Of several that are left out the first counts.
      more = true
      next[log] = Math.min(next[log] ?? at, Number(seq))
      continue
    }
    next[log] ??= at
    if (at < end) more = true
    if (seq !== null) events.push({ log, seq, leaf, entry })
  }
  return { rows: events, next, more }
}
