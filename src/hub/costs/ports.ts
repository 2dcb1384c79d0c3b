import type { TokenColumns } from '../rows.ts'

/** What tokens cost, in nano-USD: integers only (SPEC H11). */
export interface PricePort {
  /** The version of the table: what a reservation or an attempt was priced with. */
  readonly version: string
  /** What these tokens of a model cost at a time; undefined where no price is known. Each class of tokens counts apart. */
  priceOf(asked: PricedModel, tokens: TokenColumns, atMs: number): bigint | undefined
  /** The most that a call can cost: its input at the dearest class, its output as far as it may go. */
  boundOf(
    asked: PricedModel,
    most: { readonly inputTokens: bigint; readonly outputTokens: bigint },
    atMs: number,
  ): bigint | undefined
  /** The most that the model can answer; undefined where nobody knows. */
  maxOutputOf(asked: PricedModel): bigint | undefined
  /** As `priceOf`, with what it was made of. Of `sum` are tokens of many calls: no price for long contexts applies. */
  quoteOf(asked: PricedModel, tokens: TokenColumns, atMs: number, of?: 'call' | 'sum'): Quote | undefined
  /** One name for all names of a model: what agents and providers call differently. */
  skuOf(asked: PricedModel): string
  /** What is in force at a time, sorted by provider and model. */
  list(atMs: number): readonly ListedPrice[]
}

export interface PricedModel {
  /** Such as `openai`; empty finds the model by its name alone, where that is unambiguous. */
  readonly provider: string
  readonly model: string
}

export interface Quote {
  readonly nanoUsd: bigint
  /** USD for a million tokens of each class and for one request, as exact decimals: see `formatUnitPrices`. */
  readonly unitPrices: string
}

/** In USD x 10^-18: for a million tokens, and for one request. Undefined where there is no price. */
export interface UnitPrices {
  readonly input: bigint | undefined
  readonly cachedRead: bigint | undefined
  readonly cacheWrite: bigint | undefined
  readonly output: bigint | undefined
  readonly reasoning: bigint | undefined
  readonly request: bigint
}

export interface ListedPrice extends PricedModel {
  readonly prices: UnitPrices
  /** Long contexts cost more. */
  readonly tiered: boolean
}

/** Nobody knows what anything costs. */
export const noPrices: PricePort = {
  version: '',
  priceOf: () => undefined,
  boundOf: () => undefined,
  maxOutputOf: () => undefined,
  quoteOf: () => undefined,
  skuOf: ({ provider, model }) => `${provider}/${model}`.toLowerCase(),
  list: () => [],
}

/** How the figures of providers are compared with what the hub knows (SPEC H12). */
export interface CostSettings {
  /** Agents that use a key of a provider; `agents` are bare UUIDs. */
  readonly providerKeys: readonly {
    readonly provider: string
    readonly key: string
    readonly agents: readonly string[]
  }[]
  /** Both must be passed for an alert: thousandths of what the hub knows, and nano-USD. */
  readonly alertMilli: number
  readonly alertNanoUsd: bigint
}

export const noCostSettings: CostSettings = { providerKeys: [], alertMilli: 10, alertNanoUsd: 1_000_000_000n }
