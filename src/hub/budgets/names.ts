import { formatDecimal, publicId } from '#core'

/** By the number of SubjectKind. */
export const subjectKinds = ['', 'tenant', 'team', 'agent', 'key', 'run', 'model', 'tool'] as const
/** By the number of BudgetUnit. */
export const units = ['', 'nano_usd', 'tokens', 'requests'] as const

const prefixes = { 3: 'agt', 4: 'key', 5: 'run' } as const

/** The id of a subject as callers see it. */
export function publicSubject(kind: number, id: string): string {
  const prefix = kind === 3 || kind === 4 || kind === 5 ? prefixes[kind] : undefined
  return prefix === undefined || id === '*' ? id : publicId(prefix, id)
}

/** Such as `agent:agt_0199...`, or `tenant`. */
export function subjectName(kind: number, id: string): string {
  const name = subjectKinds[kind] ?? ''
  return kind === 1 ? name : `${name}:${publicSubject(kind, id)}`
}

export function unitName(unit: number): string {
  return units[unit] ?? String(unit)
}

/** An amount in words: `$0.10`, `1200 tokens`, `3 requests`. */
export function amountText(unit: number, amount: bigint): string {
  return unit === 1 ? dollars(amount) : `${amount} ${unitName(unit)}`
}

/** Exact: as many digits as it has, two at the least. */
export function dollars(nanoUsd: bigint): string {
  const [whole = '0', fraction = ''] = formatDecimal(nanoUsd, 9).split('.')
  return `$${whole}.${fraction.padEnd(2, '0')}`
}
