import { modelNames } from './model-names.ts'
import type { PricedModel, PricePort } from './ports.ts'

/** What prices say of a model, whatever was used of it. */
export interface ModelFacts {
  /** What a call uses that names the model and no tool: its names, see `modelNames`. */
  readonly uses: { readonly models: readonly string[] }
  readonly sku: string
}

/** The models of one call, each asked about once: a batch has a thousand attempts and a handful of models. */
export class CallModels {
  readonly #prices: PricePort
  readonly #known = new Map<string, ModelFacts>()

  constructor(prices: PricePort) {
    this.#prices = prices
  }

  of(asked: PricedModel): ModelFacts {
    // No text of a caller holds a NUL.
    const key = `${asked.provider}\0${asked.model}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const facts = { uses: { models: modelNames(asked, this.#prices) }, sku: this.#prices.skuOf(asked) }
    this.#known.set(key, facts)
    return facts
  }
}
