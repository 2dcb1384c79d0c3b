import type { Client } from 'pg'
import { canonicalJson } from '#core'
import { formatEntry, Frontier, recordHash } from './index.ts'

/**
 * Appends entries as if they had been written at those times, in order: as the superuser, past the append function. The chain,
 * the leaves and the head are right.
 */
export async function appendInThePast(admin: Client, log: string, times: readonly Date[]): Promise<void> {
  const { rows } = await admin.query<Head>(
    'select size, frontier, last_hash, tenant_id, retention_class from audits.heads where log = $1',
    [log],
  )
  const [head] = rows
  if (head === undefined) throw new Error(`the log ${log} has no head`)
  const frontier = Frontier.fromBytes(Number(head.size), head.frontier)
  let prev = head.last_hash.toString('hex')
  for (const time of times) {
    const seq = frontier.size
    const ts = `${time.toISOString().slice(0, 23)}000Z`
    const bodyJson = canonicalJson({ kind: 'decision', n: seq })
    const entry = Buffer.from(formatEntry({ bodyJson, log, prev, seq, ts }))
    const leaf = recordHash(entry)
    await admin.query('select audits.make_partition($1, $2)', [head.retention_class, ts])
    await admin.query(
      `insert into audits.entries (log, seq, ts, tenant_id, caller, outcome, code, request_id, leaf, entry, retention_class)
       values ($1, $2, $3, $4, 'agt_past', 'allow', null, $5, $6, $7, $8)`,
      [log, seq, ts, head.tenant_id, `req_${log}_${seq}`, leaf, entry, head.retention_class],
    )
    frontier.push(leaf)
    prev = leaf.toString('hex')
    await admin.query('update audits.heads set size = $2, frontier = $3, last_hash = $4, last_ts = $5 where log = $1', [
      log,
      frontier.size,
      frontier.toBytes(),
      leaf,
      ts,
    ])
  }
}

interface Head {
  readonly size: string
  readonly frontier: Buffer
  readonly last_hash: Buffer
  readonly tenant_id: string | null
  readonly retention_class: string
}
