import { modelName } from '../costs/model-names.ts'
import type { CapLimits, PolicyLimits, TenantRules } from './ports.ts'

/** What a run has used so far: the attempt that is judged is not in it. */
export interface RunTotals {
  readonly costNanoUsd: bigint
  readonly attempts: bigint
  readonly tokens: bigint
}

/** What is undefined is not known yet, as before a call, and violates nothing. */
export interface JudgedAttempt {
  readonly providerType: string
  readonly provider: string
  /** All names of the model: see `modelNames`. */
  readonly models: readonly string[]
  readonly costNanoUsd: bigint | undefined
  readonly tokens: bigint | undefined
  readonly latencyMs: bigint | undefined
}

export type LimitName =
  | 'maxCostPerRunNanoUsd'
  | 'maxAttemptsPerRun'
  | 'maxTokensPerRun'
  | 'maxCostPerAttemptNanoUsd'
  | 'maxTokensPerAttempt'
  | 'maxLatencyPerAttemptMs'

export interface Violation {
  /** Bare UUID; undefined for the policy of the tenant. */
  readonly capId: string | undefined
  readonly name: string
  readonly limitName: LimitName
  readonly limit: bigint
  /** What would stand, this attempt included. */
  readonly value: bigint
  /** It is recorded, and the attempt passes. */
  readonly dryRun: boolean
}

/**
 * The limits that an attempt would break (SPEC B1, B2): those of the tenant's policy, and those of the one cap that decides. `run` is
 * undefined where the attempt belongs to none: then limits of runs hold for the attempt alone.
 */
export function judgeAttempt(
  rules: Pick<TenantRules, 'policy' | 'caps'>,
  run: RunTotals | undefined,
  attempt: JudgedAttempt,
): readonly Violation[] {
  const cap = decidingCap(rules.caps, attempt)
  return [
    ...(rules.policy === undefined
      ? []
      : broken(rules.policy, run, attempt, { capId: undefined, name: 'policy', dryRun: false })),
    ...(cap === undefined ? [] : broken(cap, run, attempt, { capId: cap.id, name: cap.name, dryRun: cap.dryRun })),
  ]
}

/** The most specific of the caps that match: model before provider before provider type; then the priority; then the newest. */
export function decidingCap(
  caps: readonly CapLimits[],
  attempt: Pick<JudgedAttempt, 'providerType' | 'provider' | 'models'>,
): CapLimits | undefined {
  let best: CapLimits | undefined
  for (const cap of caps) {
    if (matches(cap, attempt) && (best === undefined || goesBefore(cap, best))) best = cap
  }
  return best
}

/** Names match whatever their case: another spelling of a model is no way around its cap. */
function matches(cap: CapLimits, attempt: Pick<JudgedAttempt, 'providerType' | 'provider' | 'models'>): boolean {
  return (
    (cap.model === '' || attempt.models.includes(modelName(cap.model))) &&
    covers(cap.provider, attempt.provider) &&
    covers(cap.providerType, attempt.providerType)
  )
}

function covers(named: string, used: string): boolean {
  if (named === '' || named === used) return true
  return named.length === used.length && named.toLowerCase() === used.toLowerCase()
}

function goesBefore(one: CapLimits, other: CapLimits): boolean {
  const specific = specificity(one) - specificity(other)
  if (specific !== 0) return specific > 0
  if (one.priority !== other.priority) return one.priority > other.priority
  // Ids are UUIDv7: the larger one was made later.
  return one.id > other.id
}

function specificity(cap: CapLimits): number {
  return (cap.model === '' ? 0 : 4) + (cap.provider === '' ? 0 : 2) + (cap.providerType === '' ? 0 : 1)
}

function broken(
  limits: PolicyLimits & Partial<CapLimits>,
  run: RunTotals | undefined,
  attempt: JudgedAttempt,
  by: Pick<Violation, 'capId' | 'name' | 'dryRun'>,
): readonly Violation[] {
  const { costNanoUsd, tokens, latencyMs } = attempt
  const looked: readonly (readonly [LimitName, bigint | undefined, bigint | undefined])[] = [
    ['maxCostPerRunNanoUsd', limits.maxCostPerRunNanoUsd, plus(costNanoUsd, run?.costNanoUsd)],
    ['maxAttemptsPerRun', limits.maxAttemptsPerRun, plus(1n, run?.attempts)],
    ['maxTokensPerRun', limits.maxTokensPerRun, plus(tokens, run?.tokens)],
    ['maxCostPerAttemptNanoUsd', limits.maxCostPerAttemptNanoUsd, costNanoUsd],
    ['maxTokensPerAttempt', limits.maxTokensPerAttempt, tokens],
    ['maxLatencyPerAttemptMs', limits.maxLatencyPerAttemptMs, latencyMs],
  ]
  return looked.flatMap(([limitName, limit, value]) =>
    limit === undefined || limit <= 0n || value === undefined || value <= limit
      ? []
      : [{ ...by, limitName, limit, value }],
  )
}

/** What the attempt adds to what the run has; a part that is not known yet adds nothing, and what is there may be too much already. */
function plus(added: bigint | undefined, sofar: bigint | undefined): bigint | undefined {
  if (added === undefined) return sofar
  return added + (sofar ?? 0n)
}
