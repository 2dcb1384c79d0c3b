import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { PolicyCapSchema, PolicySchema, type Policy, type PolicyCap } from '@portcullis/contract'
import { publicId } from '#core'
import { maskText } from '#ledger'
import { modelName } from '../costs/model-names.ts'
import type { Fields } from '../fields.ts'
import type { Summary } from '../ports.ts'
import { sizes } from '../runs/rules.ts'
import type { CapRow, PolicyRow } from './policy-rows.ts'

/** Caps of one tenant at most: every replica has them all in memory. */
export const capsAtMost = 500
/** Far beyond real use, far below what a sum could not hold. */
const limitMax = 10n ** 18n
const priorityMax = 1_000_000

type Limits = Omit<PolicyRow, 'updatedAtMs'>
type NewCap = Omit<CapRow, 'id' | 'updatedAtMs'>

/** The limits of a policy, checked. All of them may be 0: then nothing is limited. */
export function policyLimits(fields: Fields, policy: Policy): Limits {
  return {
    maxCostPerRunNanoUsd: fields.count('policy.maxCostPerRunNanoUsd', policy.maxCostPerRunNanoUsd, limitMax),
    maxAttemptsPerRun: fields.count('policy.maxAttemptsPerRun', policy.maxAttemptsPerRun, limitMax),
    maxTokensPerRun: fields.count('policy.maxTokensPerRun', policy.maxTokensPerRun, limitMax),
    maxLatencyPerAttemptMs: fields.count('policy.maxLatencyPerAttemptMs', policy.maxLatencyPerAttemptMs, limitMax),
  }
}

/** A cap, checked: one without a limit would only hide the caps that are less specific. */
export function capFields(fields: Fields, cap: PolicyCap): NewCap {
  const checked: NewCap = {
    name: fields.required('cap.name', cap.name, sizes.name),
    providerType: fields.text('cap.providerType', cap.providerType, sizes.name),
    provider: fields.text('cap.provider', cap.provider, sizes.name),
    model: fields.text('cap.model', modelName(cap.model), sizes.name),
    maxCostPerRunNanoUsd: fields.count('cap.maxCostPerRunNanoUsd', cap.maxCostPerRunNanoUsd, limitMax),
    maxAttemptsPerRun: fields.count('cap.maxAttemptsPerRun', cap.maxAttemptsPerRun, limitMax),
    maxTokensPerRun: fields.count('cap.maxTokensPerRun', cap.maxTokensPerRun, limitMax),
    maxLatencyPerAttemptMs: fields.count('cap.maxLatencyPerAttemptMs', cap.maxLatencyPerAttemptMs, limitMax),
    maxCostPerAttemptNanoUsd: fields.count('cap.maxCostPerAttemptNanoUsd', cap.maxCostPerAttemptNanoUsd, limitMax),
    maxTokensPerAttempt: fields.count('cap.maxTokensPerAttempt', cap.maxTokensPerAttempt, limitMax),
    priority: fields.integer('cap.priority', cap.priority, -priorityMax, priorityMax),
    dryRun: cap.dryRun,
    active: cap.active ?? true,
  }
  const none = Object.entries(checked).every(([name, value]) => !name.startsWith('max') || value === '0')
  if (none) fields.wrong('cap', 'needs at least one limit above 0; DeletePolicyCap takes a cap away')
  return checked
}

export function policyMessage(row: PolicyRow, kill: KillInForce | undefined): Policy {
  return create(PolicySchema, {
    killSwitch: kill !== undefined,
    killSwitchReason: kill === undefined ? '' : maskText(kill.reason),
    maxCostPerRunNanoUsd: BigInt(row.maxCostPerRunNanoUsd),
    maxAttemptsPerRun: BigInt(row.maxAttemptsPerRun),
    maxTokensPerRun: BigInt(row.maxTokensPerRun),
    maxLatencyPerAttemptMs: BigInt(row.maxLatencyPerAttemptMs),
    ...(row.updatedAtMs === null ? {} : { updatedAt: timestampFromMs(row.updatedAtMs) }),
  })
}

/** A kill of the whole tenant that is in force. */
export interface KillInForce {
  readonly reason: string
}

export function capMessage(row: CapRow): PolicyCap {
  return create(PolicyCapSchema, {
    id: publicId('cap', row.id),
    name: maskText(row.name),
    providerType: maskText(row.providerType),
    provider: maskText(row.provider),
    model: maskText(row.model),
    maxCostPerRunNanoUsd: BigInt(row.maxCostPerRunNanoUsd),
    maxAttemptsPerRun: BigInt(row.maxAttemptsPerRun),
    maxTokensPerRun: BigInt(row.maxTokensPerRun),
    maxLatencyPerAttemptMs: BigInt(row.maxLatencyPerAttemptMs),
    maxCostPerAttemptNanoUsd: BigInt(row.maxCostPerAttemptNanoUsd),
    maxTokensPerAttempt: BigInt(row.maxTokensPerAttempt),
    priority: row.priority,
    dryRun: row.dryRun,
    active: row.active,
    updatedAt: timestampFromMs(row.updatedAtMs),
  })
}

/** A policy as the ledger shows it, before and after a change (SPEC B8). */
export function shownPolicy(row: Limits): Summary {
  const { maxCostPerRunNanoUsd, maxAttemptsPerRun, maxTokensPerRun, maxLatencyPerAttemptMs } = row
  return { maxAttemptsPerRun, maxCostPerRunNanoUsd, maxLatencyPerAttemptMs, maxTokensPerRun }
}

export function shownCap(row: NewCap): Summary {
  const { active, dryRun, maxCostPerAttemptNanoUsd, maxTokensPerAttempt, model, name, priority, provider } = row
  return {
    ...shownPolicy(row),
    active,
    dryRun,
    maxCostPerAttemptNanoUsd,
    maxTokensPerAttempt,
    model,
    name,
    priority,
    provider,
    providerType: row.providerType,
  }
}
