import type { Refusal } from '#core'
import type { ReadScope } from '../ports.ts'
import type { TokenColumns } from '../rows.ts'

/** Which attempts: whole hours in UTC, `untilMs` excluded. */
export interface AnalyticsRange {
  readonly fromMs: number
  readonly untilMs: number
}

export interface AnalyticsFilter extends AnalyticsRange {
  readonly workflow?: string
  readonly promptVersion?: string
  readonly model?: string
}

/** What a row stands for, and what rows are sorted by. */
export interface AnalyticsKey {
  readonly workflow: string
  readonly promptVersion: string
  readonly provider: string
  readonly model: string
}

/** Sums as decimal text; a latency is null where there is no attempt. */
export interface AnalyticsRow extends AnalyticsKey, TokenColumns {
  readonly attempts: string
  readonly successes: string
  readonly retries: string
  readonly costNanoUsd: string
  readonly p50LatencyMs: number | null
  readonly p95LatencyMs: number | null
}

export interface AnalyticsRows {
  readonly rows: readonly AnalyticsRow[]
  /** There are rows behind the last one. A page may end before its limit. */
  readonly more: boolean
}

export interface VersionsFilter extends AnalyticsRange {
  readonly workflow: string
  readonly versions: readonly [string, string]
  readonly model?: string
}

/** A model at a published workflow, of all tenants that publish it. */
export interface LeaderboardRow {
  readonly workflow: string
  readonly provider: string
  readonly model: string
  readonly benchmark: boolean
  readonly samples: string
  readonly successes: string
  readonly costNanoUsd: string
  readonly latencyMs: string
}

export interface AnalyticsReader {
  /** How prompts did, sorted by their key: so many rows behind one. Counted by the hour. */
  promptAnalytics(
    scope: ReadScope,
    filter: AnalyticsFilter,
    limit: number,
    after: AnalyticsKey | undefined,
  ): Promise<AnalyticsRows | Refusal>
  /** A row for each version that was used. */
  promptVersions(scope: ReadScope, filter: VersionsFilter): Promise<AnalyticsRows | Refusal>
  /** Models at published workflows, of all tenants together; the answer is kept for some seconds. */
  leaderboard(minimumSamples: number, days: number): Promise<readonly LeaderboardRow[]>
}
