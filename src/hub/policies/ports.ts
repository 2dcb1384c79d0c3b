/** Limits of a tenant as they are in memory; 0 is none. Numbers of money and tokens are bigints. */
export interface PolicyLimits {
  readonly maxCostPerRunNanoUsd: bigint
  readonly maxAttemptsPerRun: bigint
  readonly maxTokensPerRun: bigint
  readonly maxLatencyPerAttemptMs: bigint
}

export interface CapLimits extends PolicyLimits {
  /** Bare UUID. */
  readonly id: string
  readonly name: string
  readonly providerType: string
  readonly provider: string
  readonly model: string
  readonly maxCostPerAttemptNanoUsd: bigint
  readonly maxTokensPerAttempt: bigint
  readonly priority: number
  readonly dryRun: boolean
}

/** What governs the attempts of a tenant beside the gate; in memory as keys are, so that it holds everywhere within a second. */
export interface RulesPort {
  /** By the tenant's bare UUID; undefined where nothing is limited: then an attempt is only recorded. */
  of(tenantId: string): TenantRules | undefined
}

export interface TenantRules {
  readonly policy: PolicyLimits | undefined
  /** Active ones only. */
  readonly caps: readonly CapLimits[]
  /** Some active budget exists. */
  readonly budgets: boolean
}

/** Nothing is limited. */
export const noRules: RulesPort = { of: () => undefined }
