import type { Listed, Page, ReadScope } from '../ports.ts'

/** The limits of a tenant as stored; decimal text, 0 is none. */
export interface PolicyRow {
  readonly maxCostPerRunNanoUsd: string
  readonly maxAttemptsPerRun: string
  readonly maxTokensPerRun: string
  readonly maxLatencyPerAttemptMs: string
  /** Null before the first change. */
  readonly updatedAtMs: number | null
}

export interface StoredPolicy {
  /** Undefined before the first change: nothing is limited. */
  readonly policy: PolicyRow | undefined
  readonly kill: { readonly reason: string } | undefined
}

export interface CapRow extends Omit<PolicyRow, 'updatedAtMs'> {
  readonly id: string
  readonly name: string
  readonly providerType: string
  readonly provider: string
  readonly model: string
  readonly maxCostPerAttemptNanoUsd: string
  readonly maxTokensPerAttempt: string
  readonly priority: number
  readonly dryRun: boolean
  readonly active: boolean
  readonly updatedAtMs: number
}

export type PolicySet = Omit<PolicyRow, 'updatedAtMs'> & { readonly updatedAtMs: number }

export interface CapPut extends CapRow {
  /** The cap is a new one: its id is not there yet. */
  readonly made: boolean
  /** New ones are refused where the tenant has so many. */
  readonly atMost: number
}

/** What stood there before the change (SPEC B8). */
export interface CapBefore extends CapRow {
  readonly verdict: 'done' | 'object.state'
}

export interface PolicyReader {
  /** The limits of the tenant, and a kill of it that is in force. */
  policy(scope: ReadScope): Promise<StoredPolicy>
  caps(scope: ReadScope, filter: { readonly active?: string }, page: Page): Listed<CapRow>
}
