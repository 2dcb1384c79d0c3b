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
}

export interface PricedModel {
  /** Such as `openai`; empty finds the model by its name alone, where that is unambiguous. */
  readonly provider: string
  readonly model: string
}

/** Nobody knows what anything costs. */
export const noPrices: PricePort = {
  version: '',
  priceOf: () => undefined,
  boundOf: () => undefined,
  maxOutputOf: () => undefined,
}
