import type { Refusal } from '#core'
import type { Listed, Page, ReadScope } from '../ports.ts'
import type { BudgetUseRow, PastAttempt, ReservationRow } from './spend-rows.ts'

export interface BudgetFilter {
  readonly subjectKind?: number
  readonly subjectId?: string
  readonly active?: string
}

export interface ReservationFilter {
  readonly state?: number
  readonly runId?: string
  readonly agentId?: string
}

/** Attempts of a time, each with the window that a budget had then. */
export interface PastFilter {
  readonly fromMs: number
  readonly untilMs: number
  /** Only what was recorded after this one. */
  readonly after: string | undefined
  readonly window: {
    readonly kind: number
    readonly duration: string
    readonly durationMs: string
    readonly timeZone: string
  }
}

export interface BudgetReader {
  budgets(scope: ReadScope, filter: BudgetFilter, page: Page): Listed<BudgetUseRow>
  reservations(scope: ReadScope, filter: ReservationFilter, page: Page): Listed<ReservationRow>
  /** In the order in which they were recorded. Refused where the tenant has too much to read at a time. */
  pastAttempts(scope: ReadScope, past: PastFilter, limit: number): Promise<readonly PastAttempt[] | Refusal>
}

/** What the settings say of budgets. */
export interface BudgetSettings {
  /** What a model is taken to answer at most where nobody says. */
  readonly defaultMaxOutputTokens: bigint
}
