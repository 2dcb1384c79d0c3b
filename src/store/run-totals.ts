import type { AttemptRecord, OperationName, SpendArgs } from '#hub'
import type { Statement } from './connection.ts'
import type { TenantGroup } from './batch-statements.ts'

const attemptSucceeded = 1
const attemptFailed = 2
const counted = ['inputTokens', 'cachedReadTokens', 'cacheWriteTokens', 'outputTokens', 'reasoningTokens'] as const

interface Sums {
  readonly id: string
  attempts: number
  success: number
  failed: number
  inputTokens: number
  cachedReadTokens: number
  cacheWriteTokens: number
  outputTokens: number
  reasoningTokens: number
  costNanoUsd: bigint
}

// A total stops at the largest number it can hold: an overflow would be an error of the whole batch, and so of everybody in it.
function added(column: string, sum: string): string {
  return `least(r.${column}::numeric + m."${sum}", 9223372036854775807)::bigint`
}

const addText = `with m as materialized (
    select * from json_to_recordset($1::json) as m(id uuid, attempts bigint, success bigint, failed bigint, "inputTokens" bigint,
      "cachedReadTokens" bigint, "cacheWriteTokens" bigint, "outputTokens" bigint, "reasoningTokens" bigint, "costNanoUsd" numeric))
  update portcullis.runs r set (total_attempts, success_attempts, failed_attempts, input_tokens, cached_read_tokens,
      cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd) = (
    select r.total_attempts + m.attempts, r.success_attempts + m.success, r.failed_attempts + m.failed,
           ${added('input_tokens', 'inputTokens')}, ${added('cached_read_tokens', 'cachedReadTokens')},
           ${added('cache_write_tokens', 'cacheWriteTokens')}, ${added('output_tokens', 'outputTokens')},
           ${added('reasoning_tokens', 'reasoningTokens')}, ${added('cost_nano_usd', 'costNanoUsd')}
      from m where m.id = r.id)
   where r.tenant_id = (select portcullis.tenant()) and r.id = any (array(select id from m))`

/** Locks runs in order, so that two batches cannot wait for each other. */
export function lockRuns(ids: readonly string[]): readonly Statement[] {
  if (ids.length === 0) return []
  return [
    {
      name: 'runs.lock',
      text: `select from portcullis.runs where tenant_id = (select portcullis.tenant()) and id = any ($1::uuid[])
        order by id for no key update`,
      values: [`{${ids.join(',')}}`],
    },
  ]
}

/**
 * What the attempts of a batch add to their runs: one update a run, whatever the number of attempts (SPEC H6). Part of flush 2,
 * so that a run which many agents report to is locked only while the transaction ends, and batches overlap.
 */
export function addToRuns(group: TenantGroup, isDone: (index: number, part: number) => boolean): readonly Statement[] {
  const sums = new Map<string, Sums>()
  for (const [at, { effect }] of group.members.entries()) {
    if (effect === undefined) continue
    for (const [part, { operation, args }] of ('parts' in effect ? effect.parts : [effect]).entries()) {
      const attempt = attemptIn(operation, args)
      if (attempt !== undefined && isDone(group.indexes[at] ?? -1, part)) add(sums, attempt)
    }
  }
  if (sums.size === 0) return []
  const rows = [...sums.values()].map((one) => ({ ...one, costNanoUsd: one.costNanoUsd.toString() }))
  // One run alone cannot be taken in the wrong order.
  return [
    ...(sums.size < 2 ? [] : lockRuns([...sums.keys()])),
    { name: 'runs.add', text: addText, values: [JSON.stringify(rows)] },
  ]
}

function attemptIn(operation: OperationName, args: object): AttemptRecord | undefined {
  if (operation === 'attempt.record') return args as AttemptRecord
  if (operation !== 'spend') return undefined
  const spends = args as SpendArgs
  return spends.kind === 'attempt' ? spends.attempt : undefined
}

function add(sums: Map<string, Sums>, args: AttemptRecord): void {
  let sum = sums.get(args.runId)
  if (sum === undefined) {
    sum = {
      id: args.runId,
      attempts: 0,
      success: 0,
      failed: 0,
      inputTokens: 0,
      cachedReadTokens: 0,
      cacheWriteTokens: 0,
      outputTokens: 0,
      reasoningTokens: 0,
      costNanoUsd: 0n,
    }
    sums.set(args.runId, sum)
  }
  sum.attempts += 1
  if (args.outcome === attemptSucceeded) sum.success += 1
  if (args.outcome === attemptFailed) sum.failed += 1
  // Exact: a count is at most 10^12, and a batch has at most some thousand of them.
  for (const name of counted) if (args[name] !== '0') sum[name] += Number(args[name])
  if (args.costNanoUsd !== '0') sum.costNanoUsd += BigInt(args.costNanoUsd)
}
