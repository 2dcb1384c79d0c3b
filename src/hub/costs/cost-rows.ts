import type { TokenColumns } from '../rows.ts'

/** The arguments of `cost.import`. */
export interface UsageImport {
  readonly id: string
  readonly source: string
  readonly lines: readonly UsageGroup[]
  /** Both are passed by what alerts. */
  readonly alertMilli: number
  readonly alertNanoUsd: string
}

/** All that one call says about a day, a model and a key: what is compared and corrected as one. */
export interface UsageGroup {
  /** Of the first line of it in the call. */
  readonly line: number
  readonly id: string
  /** Hex. */
  readonly digest: string
  readonly day: string
  readonly provider: string
  readonly model: string
  readonly sku: string
  /** Empty for all keys that no setting names. */
  readonly providerKey: string
  /** Bare UUIDs of the agents whose use it is; null for all. */
  readonly agents: readonly string[] | null
  /** Bare UUIDs of agents that have a key of their own; null for none. */
  readonly others: readonly string[] | null
  readonly chargedNanoUsd: string
  readonly input: string
  readonly cachedRead: string
  readonly cacheWrite: string
  readonly output: string
  readonly reasoning: string
  readonly requests: string
}

/** What came of an import. */
export interface UsageImported {
  readonly result: {
    readonly lines: readonly {
      readonly line: number
      readonly duplicate: boolean
      /** The hub has no attempt of it. */
      readonly unknown: boolean
      readonly knownNanoUsd: string
      readonly correctionNanoUsd: string
      readonly driftMilli: string
      readonly alert: boolean
    }[]
    /** `2026-11-20 openai/gpt-4o` */
    readonly gaps: readonly string[]
  }
}

/** One comparison as stored. */
export interface CorrectionRow {
  readonly id: string
  readonly importId: string
  readonly source: string
  readonly day: string
  readonly provider: string
  readonly model: string
  readonly sku: string
  readonly providerKey: string
  readonly knownNanoUsd: string
  readonly chargedNanoUsd: string
  readonly correctionNanoUsd: string
  readonly driftMilli: string
  readonly alert: boolean
  readonly known: TokenColumns
  readonly charged: TokenColumns
  readonly importedAtMs: number
}

/** What one agent used of one model in one hour, at one set of prices. Sums have no bound: decimal strings. */
export interface CostHourRow extends TokenColumns {
  readonly id: string
  readonly hourMs: number
  readonly agentId: string | null
  readonly workflow: string
  readonly provider: string
  readonly model: string
  readonly sku: string
  readonly priceVersion: string
  readonly unitPrices: string
  readonly attempts: string
  readonly costNanoUsd: string
  readonly reportedCostNanoUsd: string
}

export interface DriftFilter {
  readonly provider?: string
  /** `true`, or absent. */
  readonly alert?: string
  readonly fromMs?: number
  readonly untilMs?: number
}

export interface ChargeFilter {
  readonly fromMs?: number
  readonly untilMs?: number
}
