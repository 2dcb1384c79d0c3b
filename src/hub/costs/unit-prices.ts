import { divideHalfUp, divideUp, formatDecimal, parseDecimal } from '#core'
import type { TokenColumns } from '../rows.ts'
import type { UnitPrices } from './ports.ts'

export type TokenClass = Exclude<keyof UnitPrices, 'request'>

/** The classes of tokens, in the order in which prices are written down, and the column of each. */
export const tokenClasses = [
  ['input', 'inputTokens'],
  ['cachedRead', 'cachedReadTokens'],
  ['cacheWrite', 'cacheWriteTokens'],
  ['output', 'outputTokens'],
  ['reasoning', 'reasoningTokens'],
] as const satisfies readonly (readonly [TokenClass, keyof TokenColumns])[]

/** 10^-18 USD for a million tokens, to nano-USD for one. */
const tokenDivisor = 10n ** 15n
/** 10^-18 USD to nano-USD. */
export const requestDivisor = 10n ** 9n

/**
 * What these tokens cost in nano-USD: each class at its own price, rounded half up once; undefined where a class that was used has no
 * price. A call is one request.
 */
export function costOf(prices: UnitPrices, tokens: TokenColumns, requests = 1n): bigint | undefined {
  let sum = divideHalfUp(prices.request * requests, requestDivisor)
  for (const [name, column] of tokenClasses) {
    const count = BigInt(tokens[column])
    const price = prices[name]
    if (count === 0n) continue
    if (price === undefined) return undefined
    sum += divideHalfUp(count * price, tokenDivisor)
  }
  return sum
}

/** What any split of a call's tokens among the classes can cost at most. */
export interface Ceiling {
  /** The dearest of all that input can be. */
  readonly input: bigint | undefined
  readonly output: bigint | undefined
  readonly request: bigint
  /** Prices that are not whole nano-USD for a token: each of them may round half a nano-USD up. */
  readonly fractional: number
}

/** The most that so many tokens can cost, rounded up; undefined where a price is missing. */
export function ceilingOf(
  ceiling: Ceiling,
  { inputTokens, outputTokens }: { readonly inputTokens: bigint; readonly outputTokens: bigint },
): bigint | undefined {
  if (inputTokens > 0n && ceiling.input === undefined) return undefined
  if (outputTokens > 0n && ceiling.output === undefined) return undefined
  const input = divideUp(inputTokens * (ceiling.input ?? 0n), tokenDivisor)
  const output = divideUp(outputTokens * (ceiling.output ?? 0n), tokenDivisor)
  return input + output + divideUp(ceiling.request, requestDivisor) + BigInt(ceiling.fractional >> 1)
}

/** Whether tokens at this price may cost parts of a nano-USD. */
export function isFractional(price: bigint | undefined): boolean {
  return price !== undefined && price % tokenDivisor !== 0n
}

/** `2.5 1.25 2.5 10 10 0`: USD for a million tokens of each class and for a request; `-` where there is no price. */
export function formatUnitPrices(prices: UnitPrices): string {
  const words = tokenClasses.map(([name]) => {
    const price = prices[name]
    return price === undefined ? '-' : formatDecimal(price)
  })
  return [...words, formatDecimal(prices.request)].join(' ')
}

/** Undefined where the text is not of {@link formatUnitPrices}. */
export function parseUnitPrices(text: string): UnitPrices | undefined {
  const words = text.split(' ')
  if (words.length !== tokenClasses.length + 1) return undefined
  const [input, cachedRead, cacheWrite, output, reasoning, request] = words.map((word) => parseDecimal(word))
  if (request === undefined || words.some((word) => word !== '-' && parseDecimal(word) === undefined)) return undefined
  return { input, cachedRead, cacheWrite, output, reasoning, request }
}
