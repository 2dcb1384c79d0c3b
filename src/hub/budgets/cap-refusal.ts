import { publicId, refuse, type Refusal } from '#core'
import { maskText } from '#ledger'
import type { Violation } from '../policies/judge.ts'

export function capExceeded(violation: Violation): Refusal {
  const { limit, limitName, name, value } = violation
  const text = `${maskText(name)}: ${limitName} is ${limit}, and this attempt makes it ${value}`
  return refuse('policy.cap_exceeded', text, { detail: text, facts: violationFacts(violation) })
}

export function violationFacts({ capId, name, limitName, limit, value }: Violation): Readonly<Record<string, string>> {
  return {
    ...(capId === undefined ? {} : { capId: publicId('cap', capId) }),
    name: maskText(name),
    limitName,
    limit: limit.toString(),
    value: value.toString(),
  }
}
