import { problem, showValue, type Problem } from './problem.ts'

interface Named {
  readonly provider: string
  readonly model?: string
  readonly id?: string
}

interface Given {
  readonly prices: readonly (Named & {
    readonly inputPerMillionUsd?: string | undefined
    readonly outputPerMillionUsd?: string | undefined
    readonly requestUsd?: string | undefined
  })[]
  readonly providerKeys: readonly (Named & { readonly agents: readonly string[] })[]
}

/** One price for a model, one meaning for a key, and no agent behind two keys of one provider: its use would count twice. */
export function costsAreSound({ config }: { readonly config: { readonly costs: Given } }): readonly Problem[] {
  const { prices, providerKeys } = config.costs
  const problems: Problem[] = []
  const twice = (path: string, names: readonly string[], why: string): void => {
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) < index)
        problems.push(problem(`${path}.${index}`, showValue(name), why, 'Remove one of them.'))
    }
  }
  const priced = prices.map(({ provider, model = '' }) => `${provider}/${model}`.toLowerCase())
  twice('costs.prices', priced, 'The model has a price already.')
  for (const [index, given] of prices.entries()) {
    if (given.inputPerMillionUsd ?? given.outputPerMillionUsd ?? given.requestUsd) continue
    const todo = 'Set inputPerMillionUsd and outputPerMillionUsd, or requestUsd; "0" is free.'
    problems.push(problem(`costs.prices.${index}`, showValue(priced[index]), 'It says no price.', todo))
  }
  const keys = providerKeys.map(({ provider, id = '' }) => `${provider}/${id}`.toLowerCase())
  twice('costs.providerKeys', keys, 'The key has its agents already.')
  const users = providerKeys.flatMap(({ provider, agents }) => agents.map((id) => `${provider} ${id}`.toLowerCase()))
  for (const user of new Set(users.filter((one, index) => users.indexOf(one) < index))) {
    const why = 'The use of this agent would be compared with two keys.'
    problems.push(problem('costs.providerKeys', showValue(user), why, 'Leave it with one of them.'))
  }
  return problems
}
