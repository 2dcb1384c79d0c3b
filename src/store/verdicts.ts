import { fromBinary, toBinary, type Message } from '@bufbuild/protobuf'
import { isRefusal, refuse, type Refusal } from '#core'
import type { Answer, Idempotency, OperationRow, WriterMember } from '#hub'
import type { LedgerRecord } from '#ledger'
import * as sql from './batch-statements.ts'
import type { Place, Statement } from './connection.ts'
import type { Held } from './batch-kills.ts'
import type { Answered } from './pipeline.ts'

/** What became of a member. */
export type Verdict =
  | {
      readonly kind: 'done'
      readonly answer: Answer | undefined
      /** The reply that was stored, if it is the reply given. */ bytes?: Uint8Array
    }
  | { readonly kind: 'replayed'; readonly reply: Message }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'elsewhere' }

/** By member, the row of each of its parts. */
export type Rows = ReadonlyMap<number, readonly OperationRow[]>

export interface Told {
  readonly rows: Map<number, OperationRow[]>
  /** What each look at spending found. */
  readonly opened: readonly (readonly Readonly<Record<string, unknown>>[])[]
  /** Idempotency keys that this transaction holds. */
  readonly claimed: ReadonlySet<string>
  /** What was answered under a key before. */
  readonly stored: ReadonlyMap<string, Record<string, unknown>>
}

export function readRows(statements: readonly Statement[], results: readonly Answered[]): Told {
  const rows = new Map<number, OperationRow[]>()
  const claimed = new Set<string>()
  const stored = new Map<string, Record<string, unknown>>()
  const opened: (readonly Readonly<Record<string, unknown>>[])[] = []
  for (const [index, statement] of statements.entries()) {
    if (statement.name === sql.openName) {
      opened.push(results[index]?.rows ?? [])
      continue
    }
    for (const row of results[index]?.rows ?? []) {
      if (statement.name === sql.claimName) claimed.add(String(row['key']))
      else if (statement.name === sql.storedName) stored.set(String(row['key']), row)
      else if (typeof row['n'] === 'number') addRow(rows, row['n'], Number(row['p'] ?? 0), row)
      else if (statement.places !== undefined) addRows(rows, statement.places[Number(row['s'])], row)
    }
  }
  return { rows, claimed, stored, opened }
}

/** What became of each member, from what flush 1 answered. */
export function judge(held: readonly Held[], { rows, claimed, stored }: Told): readonly Verdict[] {
  return held.map(({ member }, index) => {
    const { effect, idempotency } = member
    if (effect === undefined) return { kind: 'done', answer: undefined }
    const own = rows.get(index)
    if (idempotency !== undefined && own === undefined) {
      const earlier = stored.get(idempotency.keyDigest)
      if (earlier !== undefined) return replay(member, idempotency, earlier)
      if (!claimed.has(idempotency.keyDigest)) return { kind: 'elsewhere' }
    }
    const answer =
      'parts' in effect ? effect.answerAll(effect.parts.map((_, part) => own?.[part])) : effect.answer(own?.[0])
    if (!isRefusal(answer)) return { kind: 'done', answer }
    // Another replica let go of the key between our claim and the work: what it did under the key is what counts.
    if (idempotency !== undefined && !claimed.has(idempotency.keyDigest)) return { kind: 'elsewhere' }
    return { kind: 'refused', refusal: answer }
  })
}

export function addRow(rows: Map<number, OperationRow[]>, member: number, part: number, row: object): void {
  const known = rows.get(member) ?? []
  known[part] = row as unknown as OperationRow
  rows.set(member, known)
}

/** One row that all of these parts were answered with. */
function addRows(rows: Map<number, OperationRow[]>, place: Place | undefined, row: object): void {
  if (place === undefined) throw new Error('a statement answered for parts that it was not given')
  const known = rows.get(place.n) ?? []
  for (const part of place.parts) known[part] = row as unknown as OperationRow
  rows.set(place.n, known)
}

function replay(member: WriterMember, idempotency: Idempotency, earlier: Record<string, unknown>): Verdict {
  if (earlier['payload'] !== idempotency.payloadDigest) {
    return { kind: 'refused', refusal: refuse('idempotency.payload_mismatch', 'key used with another payload') }
  }
  if (member.output === undefined || !(earlier['reply'] instanceof Uint8Array))
    throw new Error('a replay without a reply')
  return { kind: 'replayed', reply: fromBinary(member.output, earlier['reply']) }
}

/** What a later call with the same key will be answered; undefined where nothing is kept. */
export function storedReply(held: Held | undefined, verdict: Verdict | undefined): Uint8Array | undefined {
  const { idempotency, output } = held?.member ?? {}
  if (idempotency === undefined || output === undefined || verdict?.kind !== 'done') return undefined
  const { reply, stored } = verdict.answer ?? {}
  if (stored !== undefined) return toBinary(output, stored)
  if (reply !== undefined) verdict.bytes = toBinary(output, reply)
  return verdict.bytes
}

/** Spending answers a row for what it refused, too. */
export function isDone(row: OperationRow | undefined): boolean {
  return row !== undefined && !('verdict' in row && row.verdict === 'refused')
}

/** Adds what is recorded of a member. */
export function addEntries(entries: LedgerRecord[], member: WriterMember, verdict: Verdict | undefined): void {
  if (member.silent === true) {
    if (verdict?.kind === 'done') for (const record of verdict.answer?.entries ?? []) entries.push(record)
    return
  }
  switch (verdict?.kind) {
    case 'refused':
      entries.push(member.record({ outcome: 'deny', code: verdict.refusal.code, reason: verdict.refusal.reason }))
      return
    case 'replayed':
      entries.push(member.record({ outcome: 'allow', replayed: true }))
      return
    case 'done':
      entries.push(member.record({ outcome: 'allow', told: verdict.answer?.told }))
      for (const record of verdict.answer?.entries ?? []) entries.push(record)
      for (const record of member.more ?? []) entries.push(record)
      return
    case 'elsewhere':
    case undefined:
      return
  }
}
