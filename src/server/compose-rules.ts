import type { RulesPort } from '#hub'
import { RulesCache, type CachedTable } from '#store'

/** Policies, caps and which tenants have budgets, in memory beside the keys (SPEC B1, B2). */
export interface ComposedRules {
  readonly rules: RulesPort
  /** For the cache of keys, which keeps them fresh. */
  readonly tables: readonly CachedTable[]
}

export function composeRules(): ComposedRules {
  const rules = new RulesCache()
  return { rules, tables: rules.tables }
}
