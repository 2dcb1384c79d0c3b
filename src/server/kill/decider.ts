import { modelNames, type Decider, type PricePort } from '#hub'
import type { KillSwitch } from './switch.ts'

type Stops = Pick<KillSwitch, 'refusalForCaller' | 'refusalOf'> & { readonly cache: Pick<KillSwitch['cache'], 'epoch'> }

/**
 * The decider, with what is stopped denied (SPEC K2): a party that a kill switch stops, and a question that names a model or a tool
 * that is stopped, as `model:gpt-5` in the resource or as `model` in the context.
 */
export function withKills(decider: Decider, kill: Stops, prices: Pick<PricePort, 'skuOf'>): Decider {
  return {
    ...decider,
    epoch: () => `${decider.epoch()}-k${kill.cache.epoch()}`,
    fine: (asked) => {
      const { caller, resource, context } = asked
      const named = (kind: 'model' | 'tool'): string | undefined =>
        resource.startsWith(`${kind}:`) ? resource.slice(kind.length + 1) : context[kind]
      const [model = '', tool] = [named('model'), named('tool')]
      const models = modelNames({ provider: context['provider'] ?? '', model }, prices)
      const uses = { models, ...(tool === undefined ? {} : { tool }) }
      return kill.refusalForCaller(caller) ?? kill.refusalOf(uses, caller) ?? decider.fine?.(asked)
    },
  }
}
