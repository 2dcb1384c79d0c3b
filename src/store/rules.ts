import type { CapLimits, PolicyLimits, RulesPort, TenantRules } from '#hub'
import type { CachedTable } from './keys.ts'

/**
 * What governs attempts, of every tenant, in memory under the epoch of keys (SPEC B1, B2). The rules of a tenant are put together when one of
 * them changes, not when they are asked for.
 */
export class RulesCache implements RulesPort {
  readonly #policies = new Map<string, PolicyLimits>()
  /** By tenant, then by cap. */
  readonly #caps = new Map<string, Map<string, CapLimits>>()
  /** By tenant, the ids of its active budgets. */
  readonly #budgets = new Map<string, Set<string>>()
  readonly #rules = new Map<string, TenantRules>()

  /** For the cache of keys, which keeps them fresh. */
  readonly tables: readonly CachedTable[] = [
    table('policies', (row) => this.#keepPolicy(row as unknown as LoadedPolicy)),
    table('policy_caps', (row) => this.#keepCap(row as unknown as LoadedCap)),
    table('budgets', (row) => this.#keepBudget(row as unknown as LoadedBudget)),
  ]

  of(tenantId: string): TenantRules | undefined {
    return this.#rules.get(tenantId)
  }

  #keepPolicy(row: LoadedPolicy): void {
    const limits = limitsOf(row)
    if (Object.values(limits).some((limit) => limit > 0n)) this.#policies.set(row.tenant_id, limits)
    else this.#policies.delete(row.tenant_id)
    this.#gather(row.tenant_id)
  }

  #keepCap(row: LoadedCap): void {
    const caps = this.#caps.get(row.tenant_id) ?? new Map<string, CapLimits>()
    if (row.in_force) caps.set(row.id, capOf(row))
    else caps.delete(row.id)
    this.#caps.set(row.tenant_id, caps)
    this.#gather(row.tenant_id)
  }

  #keepBudget(row: LoadedBudget): void {
    const budgets = this.#budgets.get(row.tenant_id) ?? new Set<string>()
    if (row.in_force) budgets.add(row.id)
    else budgets.delete(row.id)
    this.#budgets.set(row.tenant_id, budgets)
    this.#gather(row.tenant_id)
  }

  #gather(tenantId: string): void {
    const policy = this.#policies.get(tenantId)
    const caps = [...(this.#caps.get(tenantId)?.values() ?? [])]
    const budgets = (this.#budgets.get(tenantId)?.size ?? 0) > 0
    if (policy === undefined && caps.length === 0 && !budgets) this.#rules.delete(tenantId)
    else this.#rules.set(tenantId, { policy, caps, budgets })
  }
}

/** One table of `portcullis`, read by its function `load_<name>`. */
function table(source: string, keepOne: (row: Readonly<Record<string, unknown>>) => void): CachedTable {
  return {
    name: `${source}.load`,
    source,
    text: `select * from portcullis.load_${source}($1::text::xid8)`,
    keep: (rows) => {
      for (const row of rows) keepOne(row)
    },
  }
}

interface LoadedPolicy {
  readonly tenant_id: string
  readonly max_cost_per_run_nano_usd: string
  readonly max_attempts_per_run: string
  readonly max_tokens_per_run: string
  readonly max_latency_per_attempt_ms: string
}

interface LoadedCap extends LoadedPolicy {
  readonly id: string
  readonly name: string
  readonly provider_type: string
  readonly provider: string
  readonly model: string
  readonly max_cost_per_attempt_nano_usd: string
  readonly max_tokens_per_attempt: string
  readonly priority: number
  readonly dry_run: boolean
  readonly in_force: boolean
}

interface LoadedBudget {
  readonly tenant_id: string
  readonly id: string
  readonly in_force: boolean
}

function limitsOf(row: LoadedPolicy): PolicyLimits {
  return {
    maxCostPerRunNanoUsd: BigInt(row.max_cost_per_run_nano_usd),
    maxAttemptsPerRun: BigInt(row.max_attempts_per_run),
    maxTokensPerRun: BigInt(row.max_tokens_per_run),
    maxLatencyPerAttemptMs: BigInt(row.max_latency_per_attempt_ms),
  }
}

function capOf(row: LoadedCap): CapLimits {
  return {
    ...limitsOf(row),
    id: row.id,
    name: row.name,
    providerType: row.provider_type,
    provider: row.provider,
    model: row.model,
    maxCostPerAttemptNanoUsd: BigInt(row.max_cost_per_attempt_nano_usd),
    maxTokensPerAttempt: BigInt(row.max_tokens_per_attempt),
    priority: row.priority,
    dryRun: row.dry_run,
  }
}
