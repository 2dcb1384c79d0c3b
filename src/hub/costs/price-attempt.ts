import type { TokenColumns } from '../rows.ts'
import type { PricedModel, PricePort } from './ports.ts'
import { tokenClasses } from './unit-prices.ts'

/** What an attempt is booked at. */
export interface AttemptPrice {
  readonly costNanoUsd: string
  /** Empty where no price was known: then the cost is what was reported, and a hard budget of money has no room for it. */
  readonly priceVersion: string
  readonly unitPrices: string
}

const storedMax = 2n ** 63n - 1n

/**
 * The hub's own price of what was used (SPEC H11). What the agent reported stands beside it and counts only where nothing better is
 * known: without a price, or without any count of tokens.
 */
export function priceAttempt(
  asked: PricedModel,
  tokens: TokenColumns,
  reportedNanoUsd: string,
  atMs: number,
  prices: PricePort,
): AttemptPrice {
  const untold = reportedNanoUsd !== '0' && tokenClasses.every(([, column]) => tokens[column] === '0')
  const quote = untold ? undefined : prices.quoteOf(asked, tokens, atMs)
  // More than a column holds is no cost: counts and a price of the settings that are both absurd.
  if (quote === undefined || quote.nanoUsd > storedMax)
    return { costNanoUsd: reportedNanoUsd, priceVersion: '', unitPrices: '' }
  return { costNanoUsd: String(quote.nanoUsd), priceVersion: prices.version, unitPrices: quote.unitPrices }
}
