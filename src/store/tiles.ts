import type { LogStanding, ReadScope, StoredCheckpoint, TlogPort } from '#hub'
import type { Statement } from './connection.ts'

/** Runs one statement under the tenant of a scope. */
type Rows = <Row>(scope: ReadScope, statement: Statement) => Promise<readonly Row[]>

const nobody: ReadScope = { tenantId: '', platform: false }

/** Checkpoints and tiles as a caller may see them: by key, never a scan (SPEC L11). */
export class TlogReader implements TlogPort {
  readonly #rows: Rows

  constructor(rows: Rows) {
    this.#rows = rows
  }

  async scopeOf(log: string): Promise<ReadScope | undefined> {
    const [row] = await this.#rows<{ readonly log: string; readonly tenantId: string | null }>(nobody, {
      name: 'read.scope',
      text: 'select s.log, s.tenant_id as "tenantId" from audits.checkpoint_state($1) s where s.log = $1',
      values: [log],
    })
    return row === undefined ? undefined : { tenantId: row.tenantId ?? '', platform: row.tenantId === null }
  }

  async standing(scope: ReadScope, log: string): Promise<LogStanding | undefined> {
    const [row] = await this.#rows<StandingRow>(scope, {
      name: 'read.standing',
      text: `select c.size, encode(c.root, 'hex') as root, c.note, (extract(epoch from c.signed_at) * 1000)::float8 as "signedAtMs",
          s.reason as stopped,
          (select json_agg(json_build_object('sink', a.sink, 'size', a.size,
                                             'atMs', floor(extract(epoch from a.at) * 1000)) order by a.sink)
             from audits.anchors a where a.log = h.log) as anchors
        from audits.heads h
        left join lateral (select k.* from audits.checkpoints k where k.log = h.log order by k.size desc limit 1) c on true
        left join audits.checkpoint_stops s on s.log = h.log
        where h.log = $1`,
      values: [log],
    })
    if (row === undefined) return undefined
    return { checkpoint: checkpointOf(row), anchors: row.anchors ?? [], stopped: row.stopped ?? undefined }
  }

  async noteAt(scope: ReadScope, log: string, size: number): Promise<string | undefined> {
    const [row] = await this.#rows<{ readonly note: string }>(scope, {
      name: 'read.note',
      text: 'select c.note from audits.checkpoints c where c.log = $1 and c.size = $2::bigint',
      values: [log, size],
    })
    return row?.note
  }

  async hashes(scope: ReadScope, log: string, level: number, index: number, width: number): Promise<Uint8Array> {
    const [row] = await this.#rows<{ readonly hashes: Uint8Array | null }>(scope, {
      name: level === 0 ? 'read.leaves' : 'read.tile',
      text: level === 0 ? leavesText : nodesText,
      values: level === 0 ? [log, index, width] : [log, index, width, level],
    })
    return row?.hashes ?? new Uint8Array()
  }
}

interface StandingRow {
  readonly size: string | null
  readonly root: string | null
  readonly note: string | null
  readonly signedAtMs: number | null
  readonly stopped: string | null
  readonly anchors: LogStanding['anchors'] | null
}

function checkpointOf({ size, root, note, signedAtMs }: StandingRow): StoredCheckpoint | undefined {
  if (size === null || root === null || note === null) return undefined
  return { size: Number(size), root, note, signedAtMs: Math.floor(signedAtMs ?? 0) }
}

// The right edge is not a tile yet: it is made of the entries, of what retention left of them, and above of the roots of the
// tiles below.
const leavesText = `select coalesce(
    (select substr(t.hashes, 1, $3::int * 32) from audits.tiles t where t.log = $1 and t.level = 0 and t.index = $2::bigint),
    (select string_agg(l.leaf, '' order by l.seq) from (
      select e.seq, e.leaf from audits.entries e
        where e.log = $1 and e.seq >= $2::bigint * 256 and e.seq < $2::bigint * 256 + $3::int
      union all
      select k.seq, k.leaf from audits.kept_leaves k
        where k.log = $1 and k.seq >= $2::bigint * 256 and k.seq < $2::bigint * 256 + $3::int) l)) as hashes`
const nodesText = `select coalesce(
    (select substr(t.hashes, 1, $3::int * 32) from audits.tiles t
      where t.log = $1 and t.level = $4::int and t.index = $2::bigint),
    (select string_agg(t.root, '' order by t.index) from audits.tiles t
      where t.log = $1 and t.level = $4::int - 1 and t.index >= $2::bigint * 256 and t.index < $2::bigint * 256 + $3::int)) as hashes`
