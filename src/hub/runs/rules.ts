import { create, type DescEnum } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { EventLevel, RunSchema, TaskState, TokenCountsSchema, type Run, type TokenCounts } from '@portcullis/contract'
import { publicId, refuse } from '#core'
import { maskText } from '#ledger'
import type { Fields } from '../fields.ts'
import type { RunRow, TokenColumns } from '../ports.ts'

/** The states that end a run. */
export const finalStates: readonly TaskState[] = [
  TaskState.COMPLETED,
  TaskState.FAILED,
  TaskState.CANCELED,
  TaskState.REJECTED,
]

export const eventLevels: readonly EventLevel[] = [EventLevel.DEBUG, EventLevel.INFO, EventLevel.WARN, EventLevel.ERROR]

export const noRun = refuse('object.not_found', 'no such run for this caller')

/** The largest amount of money in one record, in nano-USD. */
export const costMax = 1_000_000_000_000_000n
/** Of one reservation. */
export const tokensMax = 1_000_000_000n

/** Sizes of text that callers may store, in characters. */
export const sizes = { name: 200, error: 4000, message: 8000, dataJson: 65_536 } as const

export function tokenColumns(fields: Fields, tokens: TokenCounts | undefined): TokenColumns {
  return {
    inputTokens: fields.count('tokens.input', tokens?.input ?? 0n),
    cachedReadTokens: fields.count('tokens.cachedRead', tokens?.cachedRead ?? 0n),
    cacheWriteTokens: fields.count('tokens.cacheWrite', tokens?.cacheWrite ?? 0n),
    outputTokens: fields.count('tokens.output', tokens?.output ?? 0n),
    reasoningTokens: fields.count('tokens.reasoning', tokens?.reasoning ?? 0n),
  }
}

export function tokenCounts(row: TokenColumns): TokenCounts {
  return create(TokenCountsSchema, {
    input: BigInt(row.inputTokens),
    cachedRead: BigInt(row.cachedReadTokens),
    cacheWrite: BigInt(row.cacheWriteTokens),
    output: BigInt(row.outputTokens),
    reasoning: BigInt(row.reasoningTokens),
  })
}

export function runMessage(row: RunRow): Run {
  return create(RunSchema, {
    id: publicId('run', row.id),
    taskId: maskText(row.taskId),
    workflow: maskText(row.workflow),
    agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
    promptVersion: maskText(row.promptVersion),
    modelPolicy: maskText(row.modelPolicy),
    status: row.status as TaskState,
    maxRetries: row.maxRetries,
    totalAttempts: BigInt(row.totalAttempts),
    successAttempts: BigInt(row.successAttempts),
    failedAttempts: BigInt(row.failedAttempts),
    tokens: tokenCounts(row),
    costNanoUsd: BigInt(row.costNanoUsd),
    durationMs: row.finishedAtMs === null ? 0n : BigInt(Math.round(row.finishedAtMs - row.startedAtMs)),
    lastError: maskText(row.lastError),
    startedAt: timestampFromMs(row.startedAtMs),
    ...(row.finishedAtMs === null ? {} : { finishedAt: timestampFromMs(row.finishedAtMs) }),
  })
}

/** Undefined where the text is a JSON document or empty; else what is wrong with it. */
export function jsonProblem(text: string): string | undefined {
  if (text === '') return undefined
  try {
    JSON.parse(text)
    return undefined
  } catch {
    return 'must be a JSON document'
  }
}

/** The name of an enum value as the contract spells it, or its number where the contract has none. */
export function enumName(schema: DescEnum, value: number): string {
  return schema.value[value]?.name ?? String(value)
}
