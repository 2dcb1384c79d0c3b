import type { TokenColumns } from '../rows.ts'
import type { ListedPrice, PricedModel, PricePort, Quote, UnitPrices } from './ports.ts'
import { ceilingOf, costOf, formatUnitPrices, isFractional, type Ceiling } from './unit-prices.ts'

/** A price that may rise with the input of the call; in 10^-18 USD for a million tokens. */
export interface Rate {
  readonly base: bigint
  /** By `start`, ascending: the price of all tokens of a call whose input, cached or not, has more than so many. */
  readonly tiers: readonly { readonly start: bigint; readonly price: bigint }[]
}

export interface Rates {
  readonly input: Rate | undefined
  readonly cachedRead: Rate | undefined
  readonly cacheWrite: Rate | undefined
  readonly output: Rate | undefined
  readonly reasoning: Rate | undefined
  readonly request: bigint
  /** Input of other kinds, such as audio or a cache that lasts longer: counts for the bound alone. */
  readonly otherInput: readonly Rate[]
  readonly otherOutput: readonly Rate[]
}

/** Prices that hold from a time on, or between two times of the day in UTC; without a condition, always. */
export interface DatedRates {
  readonly when?:
    | { readonly fromMs: number }
    /** Milliseconds of the day; over midnight where the end is before the beginning. */
    | { readonly betweenMs: readonly [number, number] }
    | undefined
  readonly rates: Rates
}

export interface ModelPrices extends PricedModel {
  /** The last one whose condition holds counts; the first one where none does. */
  readonly dated: readonly [DatedRates, ...DatedRates[]]
  readonly maxOutputTokens?: bigint | undefined
}

/** What is known, and how a name finds it. */
export interface PriceData {
  readonly version: string
  readonly models: readonly ModelPrices[]
  find(asked: PricedModel): ModelPrices | undefined
}

/** Prices by name and time, over data that somebody else keeps (SPEC H11). Pure: same data, same answer. */
export class PriceTable implements PricePort {
  readonly #data: PriceData

  constructor(data: PriceData) {
    this.#data = data
  }

  get version(): string {
    return this.#data.version
  }

  priceOf(asked: PricedModel, tokens: TokenColumns, atMs: number): bigint | undefined {
    return this.quoteOf(asked, tokens, atMs)?.nanoUsd
  }

  quoteOf(asked: PricedModel, tokens: TokenColumns, atMs: number, of: 'call' | 'sum' = 'call'): Quote | undefined {
    const model = this.#data.find(asked)
    if (model === undefined) return undefined
    const size = of === 'sum' ? 0n : inputOf(tokens)
    const prices = pricesAt(ratesAt(model, atMs), size)
    // How many calls a sum is of is not known here: what a request costs beside its tokens is left out of it.
    const nanoUsd = costOf(prices, tokens, of === 'sum' ? 0n : 1n)
    return nanoUsd === undefined ? undefined : { nanoUsd, unitPrices: formatUnitPrices(prices) }
  }

  boundOf(
    asked: PricedModel,
    most: { readonly inputTokens: bigint; readonly outputTokens: bigint },
    atMs: number,
  ): bigint | undefined {
    const model = this.#data.find(asked)
    if (model === undefined) return undefined
    return ceilingOf(ceilingAt(ratesAt(model, atMs), most.inputTokens), most)
  }

  maxOutputOf(asked: PricedModel): bigint | undefined {
    return this.#data.find(asked)?.maxOutputTokens
  }

  skuOf(asked: PricedModel): string {
    const { provider, model } = this.#data.find(asked) ?? asked
    return `${provider}/${model}`.toLowerCase()
  }

  list(atMs: number): readonly ListedPrice[] {
    return this.#data.models.flatMap((model) => {
      const rates = ratesAt(model, atMs)
      const { provider, model: name } = model
      const tiered = [rates.input, rates.output].some((rate) => (rate?.tiers.length ?? 0) > 0)
      const prices = pricesAt(rates, 0n)
      const said = prices.request > 0n || [prices.input, prices.output].some((price) => price !== undefined)
      return said ? [{ provider, model: name, prices, tiered }] : []
    })
  }
}

const dayMs = 86_400_000

function ratesAt({ dated }: ModelPrices, atMs: number): Rates {
  for (const { when, rates } of dated.toReversed()) {
    if (when === undefined) return rates
    if ('fromMs' in when) {
      if (atMs >= when.fromMs) return rates
      continue
    }
    const [begin, end] = when.betweenMs
    const time = ((atMs % dayMs) + dayMs) % dayMs
    if (end < begin ? time >= begin || time < end : time >= begin && time < end) return rates
  }
  return dated[0].rates
}

function inputOf({ inputTokens, cachedReadTokens, cacheWriteTokens }: TokenColumns): bigint {
  return BigInt(inputTokens) + BigInt(cachedReadTokens) + BigInt(cacheWriteTokens)
}

function rateAt({ base, tiers }: Rate, size: bigint): bigint {
  return tiers.findLast(({ start }) => size > start)?.price ?? base
}

/** A class without a price of its own costs what the tokens around it cost. */
function pricesAt(rates: Rates, size: bigint): UnitPrices {
  const at = (rate: Rate | undefined): bigint | undefined => (rate === undefined ? undefined : rateAt(rate, size))
  return {
    input: at(rates.input),
    cachedRead: at(rates.cachedRead ?? rates.input),
    cacheWrite: at(rates.cacheWrite ?? rates.input),
    output: at(rates.output),
    reasoning: at(rates.reasoning ?? rates.output),
    request: rates.request,
  }
}

/** The dearest prices that a call with at most so much input can have. */
function ceilingAt(rates: Rates, inputMax: bigint): Ceiling {
  const reachable = (list: readonly (Rate | undefined)[]): readonly bigint[] =>
    list.flatMap((rate) =>
      rate === undefined
        ? []
        : [rate.base, ...rate.tiers.filter(({ start }) => inputMax > start).map(({ price }) => price)],
    )
  const input = reachable([rates.input, rates.cachedRead, rates.cacheWrite, ...rates.otherInput])
  const output = reachable([rates.output, rates.reasoning, ...rates.otherOutput])
  const classes = [input, input, input, output, output]
  return {
    input: input.length === 0 ? undefined : dearest(input),
    // A model without a price for output, such as one for embeddings, has none.
    output: output.length > 0 ? dearest(output) : input.length > 0 ? 0n : undefined,
    request: rates.request,
    fractional: classes.filter((list) => list.some(isFractional)).length,
  }
}

function dearest(prices: readonly bigint[]): bigint {
  return prices.reduce((most, price) => (price > most ? price : most), 0n)
}
