import { amountOf, type Account, type Accounts, type Amounts, type Subjects } from './accounts.ts'
import type { Violation } from '../policies/judge.ts'
import type { BudgetState, DenialRow, Leg } from './spend-rows.ts'

/** The numbers of BudgetAction and BudgetUnit. */
const dryRunAction = 2
const moneyUnit = 1

/** What the budgets say of a call. */
export interface Admission {
  /** The first hard budget that has no room; then nothing is held. */
  readonly denial: DenialRow | undefined
  /** The first budget that would refuse if it was asked to. */
  readonly wouldDeny: DenialRow | undefined
  /** No price is known, and a hard budget of money holds. */
  readonly unpriced: BudgetState | undefined
  /** The first limit of a policy or a cap that it would break. */
  readonly violation?: Violation | undefined
  /** Where the call is booked if it is let in. */
  readonly legs: readonly Leg[]
}

/**
 * The one decision (SPEC B6): reservations, attempts that are charged at once, dry runs and simulations are all decided here. A budget has
 * room where what is used, what is held and what is asked for are within its limit; a limit of 0 has room for nothing.
 */
export function admit(
  accounts: Accounts,
  subjects: Subjects,
  amounts: Amounts,
  /** Budgets that count the call already. */
  counted: ReadonlySet<string> = new Set(),
): Admission {
  let denial: DenialRow | undefined
  let wouldDeny: DenialRow | undefined
  let unpriced: BudgetState | undefined
  const legs: Leg[] = []
  for (const account of accounts.matching(subjects)) {
    const { budget, subject } = account
    if (counted.has(budget.id)) continue
    const asked = amountOf(budget.unit, amounts)
    if (budget.unit === moneyUnit && amounts.priceUnknown && isEnforced(budget)) unpriced ??= budget
    if (asked === undefined) continue
    legs.push({ b: budget.id, s: subject, w: budget.startMs, u: budget.unit })
    if (hasRoom(accounts, account, asked)) continue
    const told = { ...accounts.headroom(account), asked }
    if (isEnforced(budget)) denial ??= told
    else if (budget.action === dryRunAction) wouldDeny ??= told
  }
  return { denial, wouldDeny, unpriced, legs }
}

/**
 * The most output tokens that are let in, between 1 and one less than `most`; undefined where not even one is. What a call costs grows with
 * its output, so that halving finds it.
 */
export function mostOutput(
  most: bigint,
  admitted: (outputTokens: bigint) => Admission,
): { readonly outputTokens: bigint; readonly admission: Admission } | undefined {
  let best: { readonly outputTokens: bigint; readonly admission: Admission } | undefined
  let [low, high] = [1n, most - 1n]
  while (low <= high) {
    const middle = (low + high) / 2n
    const admission = admitted(middle)
    if (admission.denial === undefined && admission.unpriced === undefined && admission.violation === undefined) {
      best = { outputTokens: middle, admission }
      low = middle + 1n
    } else high = middle - 1n
  }
  return best
}

export function isEnforced(budget: BudgetState): boolean {
  return budget.hard && budget.action !== dryRunAction
}

export function hasRoom(accounts: Accounts, account: Account, asked: bigint): boolean {
  const { used, held } = accounts.use(account)
  const { limit } = account.budget
  return limit > 0n && used + held + asked <= limit
}
