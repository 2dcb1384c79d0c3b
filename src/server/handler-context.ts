import { noServices, type Caller, type Clock, type ServiceActions } from '#core'
import {
  denyAll,
  noCostSettings,
  noJobs,
  noKills,
  noPrices,
  noRules,
  type BudgetSettings,
  type CostSettings,
  type Decider,
  type HandlerContext,
  type JobsPort,
  type KillsPort,
  type PricePort,
  type ReaderPort,
  type RulesPort,
  type SealPort,
  type TracePort,
} from '#hub'
import type { Admission } from './admissions.ts'
import type { Pseudonyms } from './pseudonyms.ts'

/** What handlers are given beside the message and its caller. */
export interface HandlerParts {
  readonly reader: ReaderPort
  /** For services that ask; nobody is let in without one. */
  readonly decider?: Decider
  readonly services?: ServiceActions
  /** Seals what is stored as a secret; undefined where no master keys are configured (SPEC S1). */
  readonly sealing?: () => SealPort | undefined
  /** What the links in replies begin with. */
  readonly origin?: () => string
  readonly signInTenants?: readonly string[]
  readonly pseudonyms?: Pick<Pseudonyms, 'of' | 'all'> | undefined
  readonly prices?: PricePort | undefined
  readonly costs?: CostSettings | undefined
  readonly rules?: RulesPort | undefined
  readonly budgets?: BudgetSettings | undefined
  readonly jobs?: JobsPort | undefined
  readonly traces?: TracePort | undefined
  readonly kills?: KillsPort | undefined
}

type ContextParts = HandlerParts & { readonly clock: Clock }

/** What the handler of an admitted call knows. */
export function contextOf(parts: ContextParts, { call, decision }: Admission, caller: Caller): HandlerContext {
  const { reader, clock, pseudonyms, decider = denyAll, services = noServices } = parts
  return {
    caller,
    ownOnly: decision.ownOnly,
    reader,
    clock,
    decider,
    services,
    sealing: parts.sealing?.(),
    origin: parts.origin,
    signInTenants: parts.signInTenants,
    pseudonyms,
    prices: parts.prices ?? noPrices,
    costs: parts.costs ?? noCostSettings,
    rules: parts.rules ?? noRules,
    budgets: parts.budgets,
    jobs: parts.jobs ?? noJobs,
    requestId: call.requestId,
    kills: parts.kills ?? noKills,
    traces: parts.traces,
  }
}
