import type { Logger } from 'pino'
import type { Config } from '#config'
import { decideSpending, type BudgetSettings, type SpendingPort } from '#hub'

/** What the writer asks of spending; what became of budgets is in the log once it has committed. */
export function composeSpending(log: Logger): SpendingPort {
  return {
    decide: decideSpending,
    told: (records) => {
      for (const { action, body, log: tenant } of records) {
        if (action === 'budget.threshold' || action === 'budget.overage' || action === 'budget.reservation_expired')
          log.warn({ event: action, tenant, args: (JSON.parse(body) as { args: unknown }).args }, wordsOf[action])
      }
    },
  }
}

export function budgetSettings({ budgets }: Pick<Config, 'budgets'>): BudgetSettings {
  return { defaultMaxOutputTokens: BigInt(budgets.defaultMaxOutputTokens) }
}

const wordsOf = {
  'budget.threshold': 'a budget has passed a threshold',
  'budget.overage': 'more was settled than was held',
  'budget.reservation_expired': 'a reservation has expired: nobody settled it',
} as const
