import { parseCidr } from '#core'
import { scopesAreBounded } from './callers-rules.ts'
import { notSet, problem, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'

interface Facts {
  readonly config: CheckedConfig
  /** `2026-11-21`, UTC. */
  readonly today: string
}

// Broader networks are seldom somebody's own.
const narrowBits = { 4: 8, 6: 16 } as const

/** Who comes in without a credential is bounded in place, time and scopes (SPEC G12, G13). */
export function bypassIsSound(facts: Facts): readonly Problem[] {
  return [...networksAreSound(facts), ...anonymousIsSound(facts)]
}

function networksAreSound({ config, today }: Facts): readonly Problem[] {
  const { bypassNetworks } = config.authority
  const keys = bypassNetworks.map(({ cidr }) => JSON.stringify(parseCidr(cidr)))
  return bypassNetworks.flatMap(({ cidr, expires, scopes }, index) => {
    const path = `authority.bypassNetworks.${index}`
    const problems = [...scopesAreBounded(`${path}.scopes`, scopes, config)]
    const other = keys.indexOf(keys[index] ?? '')
    if (other < index) {
      const why = `authority.bypassNetworks.${other} is this network.`
      problems.push(problem(`${path}.cidr`, showValue(cidr), why, 'Keep one of the two.'))
    }
    if (expires < today) {
      const todo = 'Remove the network, or renew it with a later date.'
      problems.push(problem(`${path}.expires`, showValue(expires), 'The bypass has expired.', todo))
    }
    const { family, prefixBits } = parseCidr(cidr)
    if (prefixBits < narrowBits[family]) {
      const why = 'This network is very large: everybody in it is let in without a credential.'
      problems.push(problem(`${path}.cidr`, showValue(cidr), why, 'Name the networks that need it.', 'warning'))
    }
    return problems
  })
}

function anonymousIsSound({ config, today }: Facts): readonly Problem[] {
  const { allowAnonymousFallback, anonymous } = config.authority
  if (!allowAnonymousFallback) return []
  const path = 'authority.anonymous'
  if (anonymous === undefined) {
    const why = 'Every caller belongs to a tenant; there is no default.'
    const todo = 'Set authority.anonymous.tenant and scopes, or authority.allowAnonymousFallback to false.'
    return [problem(`${path}.tenant`, notSet, why, todo)]
  }
  const problems = [...scopesAreBounded(`${path}.scopes`, anonymous.scopes, config)]
  if (anonymous.expires === undefined) {
    if (config.env !== 'production') return problems
    const why = 'Nobody can tell who calls without a credential, and production needs a date on which that ends.'
    const todo = 'Set it to false, or authority.anonymous.expires to its last day.'
    return [...problems, problem('authority.allowAnonymousFallback', 'true', why, todo)]
  }
  if (anonymous.expires >= today) return problems
  const todo = 'Set authority.allowAnonymousFallback to false, or renew the date.'
  return [...problems, problem(`${path}.expires`, showValue(anonymous.expires), 'The fallback has expired.', todo)]
}
