import type { Message } from '@bufbuild/protobuf'
import {
  BudgetService,
  HubService,
  methodOf,
  type RecordPromptAttemptResponse,
  type SettleResponse,
} from '@portcullis/contract'
import type { AttemptRecord, Effect, OperationRow, SpendArgs, SpendRow, Work } from '#hub'

const recordAttempt = methodOf(HubService.method.recordPromptAttempt).path
const settle = methodOf(BudgetService.method.settle).path

/** Work of many parts, and what its attempts have cost, each, as it was answered last: the reply does not say it. */
export function watchSpent(work: Work): { readonly work: Work; readonly spent: () => readonly bigint[] } {
  if (!('parts' in work)) return { work, spent: () => [] }
  let spent: readonly bigint[] = []
  const answerAll: typeof work.answerAll = (rows) => {
    spent = work.parts.flatMap((part, at) => costOf(part, rows[at]) ?? [])
    return work.answerAll(rows)
  }
  return { work: { ...work, answerAll }, spent: () => spent }
}

/** Of an attempt that was recorded. */
function costOf({ operation, args }: Effect, row: OperationRow | undefined): bigint | undefined {
  if (row === undefined) return undefined
  if (operation === 'attempt.record') return BigInt((args as AttemptRecord).costNanoUsd)
  if (operation !== 'spend' || (row as SpendRow).verdict === 'refused') return undefined
  const asked = args as SpendArgs
  return asked.kind === 'attempt' ? asked.nanoUsd : undefined
}

/** What a reply says that was spent, in nano-USD: of an attempt, which settles its reservation, or of a reservation by itself. */
export function spentOf(path: string, reply: Message): bigint | undefined {
  if (path === recordAttempt) return (reply as RecordPromptAttemptResponse).attempt?.costNanoUsd
  return path === settle ? (reply as SettleResponse).settledNanoUsd : undefined
}
