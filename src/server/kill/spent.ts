import type { Message } from '@bufbuild/protobuf'
import {
  BudgetService,
  HubService,
  methodOf,
  type RecordPromptAttemptResponse,
  type SettleResponse,
} from '@portcullis/contract'

const recordAttempt = methodOf(HubService.method.recordPromptAttempt).path
const settle = methodOf(BudgetService.method.settle).path

/** What a reply says that was spent, in nano-USD: of an attempt, which settles its reservation, or of a reservation by itself. */
export function spentOf(path: string, reply: Message): bigint | undefined {
  if (path === recordAttempt) return (reply as RecordPromptAttemptResponse).attempt?.costNanoUsd
  return path === settle ? (reply as SettleResponse).settledNanoUsd : undefined
}
