import { create } from '@bufbuild/protobuf'
import {
  GetLeaderboardResponseSchema,
  LeaderboardEntrySchema,
  type GetLeaderboardRequest,
  type GetLeaderboardResponse,
  type LeaderboardEntry,
} from '@portcullis/contract'
import type { Refusal } from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import type { ReaderPort } from '../ports.ts'
import { sizes } from '../runs/rules.ts'
import type { LeaderboardRow } from './analytics-rows.ts'
import { wilson, type Proportion } from './intervals.ts'

/** Fewer samples of one tenant say too much about single attempts, and too little about a model (SPEC H10). */
const minimumSamples = 20
/** What is older counts no more. */
const leaderboardDays = 90

const method = `Entries are ordered within each workflow, benchmarks apart from attempts, by the lower bound of the Wilson score \
interval of their success rate at 95 percent. The first has rank 1. An entry whose interval overlaps that of the first of its rank \
shares the rank; the next one that does not begins a rank of its own, numbered by its place. Samples are of the last \
${leaderboardDays} days; a tenant counts for an entry from ${minimumSamples} samples on.`

type Ranked = LeaderboardRow & Proportion & { readonly rank: number }

/** The answer to the public read GetLeaderboard: sums over published workflows, and no tenant. */
export async function leaderboard(
  reader: ReaderPort,
  message: GetLeaderboardRequest,
): Promise<GetLeaderboardResponse | Refusal> {
  const fields = new Fields()
  const workflow = fields.text('workflow', message.workflow, sizes.name)
  if (fields.refusal !== undefined) return fields.refusal
  const entries = entriesOf(await reader.leaderboard(minimumSamples, leaderboardDays))
  return create(GetLeaderboardResponseSchema, {
    entries: entries.filter((entry) => workflow === '' || entry.workflow === workflow),
    minimumSamples,
    method,
  })
}

const made = new WeakMap<readonly LeaderboardRow[], readonly LeaderboardEntry[]>()

/** The reader answers with the same rows for some seconds: their order is worked out once. */
function entriesOf(rows: readonly LeaderboardRow[]): readonly LeaderboardEntry[] {
  const known = made.get(rows)
  if (known !== undefined) return known
  const entries = rank(rows).map(entryMessage)
  made.set(rows, entries)
  return entries
}

/**
 * The order, as `method` describes it. With equal lower bounds the higher rate goes first, then the more samples, then the names: the
 * same rows always come in the same order.
 */
export function rank(rows: readonly LeaderboardRow[]): readonly Ranked[] {
  const judged = rows.map((row) => ({
    ...row,
    ...wilson({ trials: BigInt(row.samples), successes: BigInt(row.successes) }),
  }))
  const ranked: Ranked[] = []
  let place = 0
  let first: Ranked | undefined
  for (const row of judged.toSorted(inOrder)) {
    const sameBoard = first !== undefined && first.workflow === row.workflow && first.benchmark === row.benchmark
    place = sameBoard ? place + 1 : 1
    const tied = sameBoard && first !== undefined && row.highPpm >= first.lowPpm
    const one: Ranked = { ...row, rank: tied && first !== undefined ? first.rank : place }
    if (!tied) first = one
    ranked.push(one)
  }
  return ranked
}

function inOrder(a: LeaderboardRow & Proportion, b: LeaderboardRow & Proportion): number {
  return (
    byName(a.workflow, b.workflow) ||
    Number(a.benchmark) - Number(b.benchmark) ||
    b.lowPpm - a.lowPpm ||
    b.ratePpm - a.ratePpm ||
    Number(BigInt(b.samples) - BigInt(a.samples)) ||
    byName(a.provider, b.provider) ||
    byName(a.model, b.model)
  )
}

function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function entryMessage(row: Ranked): LeaderboardEntry {
  const samples = BigInt(row.samples)
  return create(LeaderboardEntrySchema, {
    rank: row.rank,
    workflow: maskText(row.workflow),
    provider: maskText(row.provider),
    model: maskText(row.model),
    samples,
    successRatePpm: row.ratePpm,
    lowPpm: row.lowPpm,
    highPpm: row.highPpm,
    averageCostNanoUsd: BigInt(row.costNanoUsd) / samples,
    averageLatencyMs: BigInt(row.latencyMs) / samples,
    benchmark: row.benchmark,
  })
}
