import type { LedgerRecord } from '#ledger'
import type { OperationName, WriterMember } from '#hub'
import type { Statement } from './connection.ts'
import { operations } from './operations/index.ts'

export const begin: Statement = { name: 'begin', text: 'begin', values: [] }
export const commit: Statement = { name: 'commit', text: 'commit', values: [] }

/** The members of one tenant in a batch. Tenants come in order of id, on every replica. */
export interface TenantGroup {
  readonly tenantId: string | undefined
  readonly members: readonly WriterMember[]
  /** Positions of the members in the batch: the `n` of their rows. */
  readonly indexes: readonly number[]
  readonly effects: number
}

/** What becomes of an idempotency row: the reply to store, forget it after a refusal, or leave it. */
export type Settlement = Uint8Array | 'forget' | 'none'

export function groupByTenant(members: readonly WriterMember[]): readonly TenantGroup[] {
  const indexes = new Map<string, number[]>()
  for (const [index, { tenantId }] of members.entries()) {
    const known = indexes.get(tenantId ?? '')
    if (known === undefined) indexes.set(tenantId ?? '', [index])
    else known.push(index)
  }
  return [...indexes].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([tenantId, positions]) => {
    const own = positions.flatMap((index) => members[index] ?? [])
    return {
      tenantId: tenantId === '' ? undefined : tenantId,
      members: own,
      indexes: positions,
      effects: own.reduce((count, member) => (member.effect === undefined ? count : count + 1), 0),
    }
  })
}

export const claimName = 'idempotency.claim'

// The advisory lock is held by the transaction that works under the key. A key held by another replica is left alone instead
// of waited for, so that a replica which froze with it delays nobody but its own callers.
const claimText = `insert into portcullis.idempotency (tenant_id, key_digest, payload_digest)
  select (select portcullis.tenant()), decode(m.key, 'hex'), decode(m.payload, 'hex')
    from (select * from json_to_recordset($1::json) as m(key text, payload text) order by key) m
   where pg_try_advisory_xact_lock(('x' || left(m.key, 16))::bit(64)::bigint)
  on conflict (tenant_id, key_digest) do nothing
  returning tenant_id as tenant, encode(key_digest, 'hex') as key`

/** Flush 1 of one tenant: its identity, the idempotency keys, the locks, then one statement per kind of operation. */
export function effectStatements(group: TenantGroup): readonly Statement[] {
  const claims: { key: string; payload: string }[] = []
  const runIds = new Set<string>()
  const byOperation = new Map<OperationName, { key: string; row: unknown }[]>()
  for (const [at, { effect, idempotency }] of group.members.entries()) {
    if (effect === undefined) continue
    if (idempotency !== undefined) claims.push({ key: idempotency.keyDigest, payload: idempotency.payloadDigest })
    if (effect.runId !== undefined) runIds.add(effect.runId)
    const row = { n: group.indexes[at], idem: idempotency?.keyDigest ?? null, ...effect.args }
    const known = byOperation.get(effect.operation)
    if (known === undefined) byOperation.set(effect.operation, [{ key: effect.key, row }])
    else known.push({ key: effect.key, row })
  }
  const statements = [setTenant(group.tenantId)]
  if (claims.length > 0) statements.push({ name: claimName, text: claimText, values: [JSON.stringify(claims)] })
  if (runIds.size > 0) {
    statements.push({
      name: 'runs.lock',
      text: `select from portcullis.runs where tenant_id = (select portcullis.tenant())
        and id in (select value::uuid from json_array_elements_text($1::json)) order by id for no key update`,
      values: [JSON.stringify([...runIds])],
    })
  }
  for (const [name, statement] of operations) {
    const rows = byOperation.get(name)
    if (rows === undefined) continue
    rows.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    statements.push({ ...statement, values: [JSON.stringify(rows.map(({ row }) => row))] })
  }
  return statements
}

/** The rows behind keys that were there before this transaction. */
export function storedStatements(group: TenantGroup): readonly Statement[] {
  return [
    setTenant(group.tenantId),
    {
      name: 'idempotency.stored',
      text: `select encode(key_digest, 'hex') as key, encode(payload_digest, 'hex') as payload, reply from portcullis.idempotency
        where tenant_id = (select portcullis.tenant())
          and key_digest in (select decode(value, 'hex') from json_array_elements_text($1::json))`,
      values: [JSON.stringify(group.members.flatMap(({ idempotency }) => idempotency?.keyDigest ?? []))],
    },
  ]
}

/** The first part of flush 2: replies are stored with the effects that earned them; a refused call may be tried again. */
export function settleStatements(group: TenantGroup, settlementOf: (index: number) => Settlement): readonly Statement[] {
  const stored: { key: string; reply: string }[] = []
  const forgotten: string[] = []
  for (const [at, { idempotency }] of group.members.entries()) {
    if (idempotency === undefined) continue
    const settlement = settlementOf(group.indexes[at] ?? -1)
    if (settlement === 'none') continue
    if (settlement === 'forget') forgotten.push(idempotency.keyDigest)
    else stored.push({ key: idempotency.keyDigest, reply: Buffer.from(settlement).toString('base64') })
  }
  if (stored.length === 0 && forgotten.length === 0) return []
  const statements = [setTenant(group.tenantId)]
  if (stored.length > 0) {
    statements.push({
      name: 'idempotency.store',
      text: `update portcullis.idempotency i set reply = decode(m.reply, 'base64')
        from json_to_recordset($1::json) as m(key text, reply text)
        where i.tenant_id = (select portcullis.tenant()) and i.key_digest = decode(m.key, 'hex')`,
      values: [JSON.stringify(stored)],
    })
  }
  if (forgotten.length > 0) {
    statements.push({
      name: 'idempotency.forget',
      text: `delete from portcullis.idempotency where tenant_id = (select portcullis.tenant()) and xid = pg_current_xact_id()
        and key_digest in (select decode(value, 'hex') from json_array_elements_text($1::json))`,
      values: [JSON.stringify(forgotten)],
    })
  }
  return statements
}

/** The entries of the batch through the append function, which alone may write them. */
export function appendStatement(records: readonly LedgerRecord[]): readonly Statement[] {
  if (records.length === 0) return []
  const column = (pick: (record: LedgerRecord) => string | undefined): string => records.map((record) => pick(record) ?? '').join('\n')
  return [
    {
      name: 'ledger.append',
      text: 'select * from audits.append($1, $2, $3, $4, $5, $6, $7, $8, $9)',
      values: [
        column((record) => record.log),
        column((record) => record.tenantId),
        column((record) => record.caller),
        column((record) => record.actor),
        column((record) => record.action),
        column((record) => record.outcome),
        column((record) => record.code),
        column((record) => record.requestId),
        column((record) => record.body),
      ],
    },
  ]
}

function setTenant(tenantId: string | undefined): Statement {
  return { name: 'tenant.set', text: `select set_config('portcullis.tenant', $1, true)`, values: [tenantId ?? ''] }
}
