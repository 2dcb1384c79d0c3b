import { InvalidArgumentError } from 'commander'
import { formatDecimal } from '#core'

/** Nano-USD of dollars such as `0.25`, exactly, as decimal text: amounts are never floats. */
export function parseDollars(text: string): string {
  const match = /^(\d{1,9})(?:\.(\d{1,9}))?$/.exec(text)
  if (match === null)
    throw new InvalidArgumentError('Write dollars such as 5 or 0.25, with nine digits behind the point at most.')
  const [, whole = '', fraction = ''] = match
  return String(BigInt(whole + fraction.padEnd(9, '0')))
}

/** `$1.25`, of nano-USD: every digit that is there, two at the least. */
export function showDollars(nanoUsd: string | bigint): string {
  const value = BigInt(nanoUsd)
  const [whole = '0', fraction = ''] = formatDecimal(value < 0n ? -value : value, 9).split('.')
  return `${value < 0n ? '-' : ''}$${whole}.${fraction.padEnd(2, '0')}`
}
