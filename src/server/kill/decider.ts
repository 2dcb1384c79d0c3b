import type { Decider } from '#hub'
import type { KillSwitch } from './switch.ts'

const kinds = ['model', 'tool'] as const

/**
 * The decider, with what is stopped denied (SPEC K2): a party that a kill switch stops, and a question that names a model or a tool
 * that is stopped, as `model:gpt-5` in the resource or as `model` in the context.
 */
export function withKills(decider: Decider, kill: KillSwitch): Decider {
  return {
    ...decider,
    epoch: () => `${decider.epoch()}-k${kill.cache.epoch()}`,
    fine: (asked) => {
      const { caller, resource, context } = asked
      const uses = Object.fromEntries(
        kinds.flatMap((kind) => {
          const prefix = `${kind}:`
          const named = resource.startsWith(prefix) ? resource.slice(prefix.length) : context[kind]
          return named === undefined ? [] : [[kind, named]]
        }),
      )
      return kill.refusalForCaller(caller) ?? kill.refusalOf(uses, caller) ?? decider.fine?.(asked)
    },
  }
}
