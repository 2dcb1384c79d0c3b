import type { LedgerRecord } from '#ledger'
import type { AttemptRecord, Idempotency, OperationName, SpendArgs, SpendOutcome, WriterMember } from '#hub'
import type { Statement } from './connection.ts'
import { AttemptBatch } from './operations/attempt-batch.ts'
import { operations } from './operations/index.ts'
import { lockReservations, lookOf, openSpending, spendStatements } from './operations/spend.ts'
import { addToRuns, lockRuns } from './run-totals.ts'

export const begin: Statement = { name: 'begin', text: 'begin', values: [] }
export const waitShort: Statement = { name: 'locks.short', text: `set local lock_timeout = '250ms'`, values: [] }
/** Kill operations change what every other write was decided under, or end what it works on: they have the lock of all writes for themselves. */
const exclusively: ReadonlySet<OperationName> = new Set<OperationName>(['kill.engage', 'kill.release', 'kill.cancel'])

/** Waits for a change of the kill switch that is under way, and fails where one has happened since `epoch` (SPEC K2). */
export function enterStatement(members: readonly WriterMember[], epoch: string): Statement {
  const exclusive = members.some(({ effect }) =>
    effect === undefined
      ? false
      : 'parts' in effect
        ? effect.parts.some(({ operation }) => exclusively.has(operation))
        : exclusively.has(effect.operation),
  )
  return {
    name: 'kill.enter',
    text: 'select portcullis.enter_writes($1::text::bigint, $2::text::boolean)',
    values: [epoch, String(exclusive)],
  }
}

export const commit: Statement = { name: 'commit', text: 'commit', values: [] }

/** The members of one tenant in a batch. Tenants come in order of id, on every replica. */
export interface TenantGroup {
  readonly tenantId: string | undefined
  readonly members: readonly WriterMember[]
  /** Positions of the members in the batch: the `n` of their rows. */
  readonly indexes: readonly number[]
  readonly effects: number
}

export function groupByTenant(members: readonly WriterMember[]): readonly TenantGroup[] {
  const indexes = new Map<string, number[]>()
  for (const [index, { tenantId }] of members.entries()) {
    const known = indexes.get(tenantId ?? '')
    if (known === undefined) indexes.set(tenantId ?? '', [index])
    else known.push(index)
  }
  return [...indexes]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([tenantId, positions]) => {
      const own = positions.flatMap((index) => members[index] ?? [])
      return {
        tenantId: tenantId === '' ? undefined : tenantId,
        members: own,
        indexes: positions,
        effects: own.reduce((count, member) => (member.effect === undefined ? count : count + 1), 0),
      }
    })
}

/**
 * Whether the batch locks rows in flush 1 that others update late: then all its runs are locked before them, of every tenant, so that
 * two batches cannot wait for each other.
 */
export function locksEarly(groups: readonly TenantGroup[]): boolean {
  return groups.some(({ members }) =>
    members.some(({ effect }) =>
      effect === undefined ? false : 'parts' in effect ? effect.parts.some(locks) : locks(effect),
    ),
  )
}

/** Whether a call of this tenant spends. */
export function spends({ members }: TenantGroup): boolean {
  return members.some(({ effect }) =>
    effect === undefined
      ? false
      : 'parts' in effect
        ? effect.parts.some(({ operation }) => operation === 'spend')
        : effect.operation === 'spend',
  )
}

function locks({ operation }: { readonly operation: OperationName }): boolean {
  return operation === 'spend' || operation === 'run.finish' || operation === 'run.trace'
}

export const claimName = 'idempotency.claim'
export const openName = openSpending.name
export const storedName = 'idempotency.stored'

// The advisory lock is held by the transaction that works under the key. A key held by another replica is left alone instead
// of waited for, so that a replica which froze with it delays nobody but its own callers.
const claimText = `select encode(m.idem, 'hex') as key from json_to_recordset($1::json) as m(lock1 int, lock2 int, idem bytea)
  where pg_try_advisory_xact_lock(m.lock1, m.lock2)`

// A statement of its own behind the locks: its snapshot sees whatever the holder before us committed.
const storedText = `select encode(i.key_digest, 'hex') as key, encode(i.payload_digest, 'hex') as payload, i.reply
  from json_to_recordset($1::json) as m(idem bytea)
  cross join lateral (select * from portcullis.idempotency i where i.key_digest = m.idem limit 1) i`

/** Flush 1 of one tenant: its identity, the idempotency keys, the locks, then one statement per kind of operation. */
export function effectStatements(group: TenantGroup, early = locksEarly([group])): readonly Statement[] {
  const claims: string[] = []
  const runIds = new Set<string>()
  const byOperation = new Map<OperationName, { key: string; row: string }[]>()
  const attempts = new AttemptBatch()
  for (const [at, { effect, idempotency }] of group.members.entries()) {
    if (effect === undefined) continue
    const claim = idempotency === undefined ? '' : `${claimOf(idempotency)},`
    const claimed = new Set<OperationName>()
    if (idempotency !== undefined) claims.push(`{${claim.slice(0, -1)}}`)
    const many = 'parts' in effect
    if (many) attempts.begin(group.indexes[at] ?? -1, claim)
    for (const [part, { args, key, operation, runId }] of (many ? effect.parts : [effect]).entries()) {
      if (runId !== undefined) runIds.add(runId)
      if (many && operation === 'attempt.record') {
        attempts.add(part, args as AttemptRecord)
        continue
      }
      // One part of each statement says under which key all of them are.
      const own = claimed.has(operation) ? '' : claim
      claimed.add(operation)
      // Pasted rather than copied into one object first: this runs once a call.
      const row = `{"n":${group.indexes[at] ?? -1},"p":${part},${own}${textOf(operation, args)}`
      const known = byOperation.get(operation)
      if (known === undefined) byOperation.set(operation, [{ key, row }])
      else known.push({ key, row })
    }
  }
  const statements = [setTenant(group.tenantId)]
  if (claims.length > 0) {
    const values = [`[${claims.join(',')}]`]
    statements.push({ name: claimName, text: claimText, values }, { name: storedName, text: storedText, values })
  }
  // Rows that this flush updates are locked with all that the next one will: in one order, whatever the batch holds.
  if (early) statements.push(...lockRuns([...runIds]))
  if (byOperation.has('spend') && (byOperation.has('budget.put') || byOperation.has('budget.delete')))
    statements.push(...lockReservations(group.members))
  for (const [name, statement] of operations) {
    if (name === 'attempt.record') statements.push(...attempts.statements())
    const rows = byOperation.get(name)
    if (rows === undefined) continue
    rows.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    statements.push({ ...statement, values: [`[${rows.map(({ row }) => row).join(',')}]`] })
  }
  return statements
}

/** The first part of flush 2, of one tenant. `alone`: its identity is still set from flush 1. */
export function closeStatements(
  group: TenantGroup,
  alone: boolean,
  replyOf: (index: number) => Uint8Array | undefined,
  isDone: (index: number, part: number) => boolean,
  spent?: SpendOutcome,
): readonly Statement[] {
  const statements = [
    ...(spent === undefined ? [] : spendStatements(spent)),
    ...followUps(group, isDone),
    ...storeReplies(group, replyOf),
    ...addToRuns(group, isDone),
  ]
  return alone || statements.length === 0 ? statements : [setTenant(group.tenantId), ...statements]
}

/** What is done behind parts that were not refused. */
function followUps(group: TenantGroup, isDone: (index: number, part: number) => boolean): readonly Statement[] {
  const byOperation = new Map<OperationName, string[]>()
  for (const [at, { effect }] of group.members.entries()) {
    if (effect === undefined || !('parts' in effect)) continue
    const index = group.indexes[at] ?? -1
    for (const [part, { after }] of effect.parts.entries()) {
      if (after === undefined || !isDone(index, part)) continue
      for (const { args, operation } of after) {
        const row = `{"n":${index},"p":${part},${textOf(operation, args)}`
        const known = byOperation.get(operation)
        if (known === undefined) byOperation.set(operation, [row])
        else known.push(row)
      }
    }
  }
  if (byOperation.size === 0) return []
  return [...operations].flatMap(([name, statement]) => {
    const rows = byOperation.get(name)
    return rows === undefined ? [] : [{ ...statement, values: [`[${rows.join(',')}]`] }]
  })
}

/**
 * Replies are stored with the effects that earned them. A refused call stores nothing and may be
 * tried again under its key. The primary key stands behind the locks: a second effect under one key cannot commit.
 */
function storeReplies(group: TenantGroup, replyOf: (index: number) => Uint8Array | undefined): readonly Statement[] {
  const rows: string[] = []
  for (const [at, { idempotency }] of group.members.entries()) {
    if (idempotency === undefined) continue
    const reply = replyOf(group.indexes[at] ?? -1)
    if (reply === undefined) continue
    const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength).toString('hex')
    // Hexadecimal needs no escape in JSON but that of its prefix.
    rows.push(
      `{"key":"\\\\x${idempotency.keyDigest}","payload":"\\\\x${idempotency.payloadDigest}","reply":"\\\\x${bytes}"}`,
    )
  }
  if (rows.length === 0) return []
  const store: Statement = {
    name: 'idempotency.store',
    text: `insert into portcullis.idempotency (tenant_id, key_digest, payload_digest, reply)
      select (select portcullis.tenant()), m.* from json_to_recordset($1::json) as m(key bytea, payload bytea, reply bytea) order by key`,
    values: [`[${rows.join(',')}]`],
  }
  return [store]
}

/** Leaves the id of the batch behind, so that it can be asked for where the answer to the commit is lost. */
export function markStatement(id: string | undefined): readonly Statement[] {
  if (id === undefined) return []
  return [{ name: 'batch.mark', text: 'insert into portcullis.commits (id) values ($1)', values: [id] }]
}

/** The entries of the batch through the append function, which alone may write them. */
export function appendStatement(records: readonly LedgerRecord[]): readonly Statement[] {
  if (records.length === 0) return []
  const column = (pick: (record: LedgerRecord) => string | undefined): string =>
    records.map((record) => pick(record) ?? '').join('\n')
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

/** What the statement reads of the arguments, as the rest of a JSON object. */
function textOf(operation: OperationName, args: object): string {
  if (operation === 'attempt.record') return JSON.stringify(said(args)).slice(1)
  return JSON.stringify(operation === 'spend' ? lookOf(args as SpendArgs) : args).slice(1)
}

/** Without what the statement takes for granted (see `sparseMembers`): most of an attempt is empty, and to read JSON is half of the work. */
function said(args: object): object {
  const kept: Record<string, unknown> = {}
  for (const name in args) {
    const value: unknown = args[name as keyof typeof args]
    if (value !== '' && value !== '0' && value !== null) kept[name] = value
  }
  return kept
}

/** The members of a JSON object that name a key: its digest, and the two halves of the lock that stands for it. */
function claimOf({ keyDigest }: Idempotency): string {
  const half = (from: number): number => Number.parseInt(keyDigest.slice(from, from + 8), 16) | 0
  return `"lock1":${half(0)},"lock2":${half(8)},"idem":"\\\\x${keyDigest}"`
}

function setTenant(tenantId: string | undefined): Statement {
  return { name: 'tenant.set', text: `select set_config('portcullis.tenant', $1, true)`, values: [tenantId ?? ''] }
}
