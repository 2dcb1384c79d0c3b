/** Digits behind the point that are kept: prices in USD are counted in 10^-18. */
export const scaleDigits = 18
const scale = 10n ** 18n
const nano = 10n ** 9n

/**
 * The value of a decimal such as `2.50`, `0.003625` or `1e-7` in 10^-18; undefined where it is none, is negative, or has more digits than
 * are kept: what cannot be told exactly is not known.
 */
export function parseDecimal(text: string): bigint | undefined {
  const match = /^(\d{1,18})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?$/.exec(text)
  if (match === null) return undefined
  const [, whole = '', fraction = '', exponent = '0'] = match
  const shift = scaleDigits - fraction.length + Number(exponent)
  const digits = BigInt(whole + fraction)
  if (shift >= 0) return digits * 10n ** BigInt(shift)
  const divisor = 10n ** BigInt(-shift)
  return digits % divisor === 0n ? digits / divisor : undefined
}

/** The shortest exact decimal of a value in 10^-`digits`. */
export function formatDecimal(value: bigint, digits = scaleDigits): string {
  const sign = value < 0n ? '-' : ''
  const text = String(value < 0n ? -value : value).padStart(digits + 1, '0')
  const fraction = text.slice(text.length - digits).replace(/0+$/, '')
  return `${sign}${text.slice(0, text.length - digits)}${fraction === '' ? '' : `.${fraction}`}`
}

/** A decimal in USD as nano-USD, half up; undefined where it is none. */
export function parseNanoUsd(text: string): bigint | undefined {
  const value = parseDecimal(text)
  return value === undefined ? undefined : divideHalfUp(value, scale / nano)
}

export function divideHalfUp(value: bigint, by: bigint): bigint {
  return (value * 2n + by) / (by * 2n)
}

export function divideUp(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by
}
