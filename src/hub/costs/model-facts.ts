import { modelNames } from './model-names.ts'
import type { PricedModel, PricePort } from './ports.ts'

/** What prices say of a model, whatever was used of it. */
export interface ModelFacts {
  /** What a call uses that names the model and no tool: its names, see `modelNames`. */
  readonly uses: { readonly models: readonly string[] }
  readonly sku: string
}

// Agents use few models, over and over. They may make names up, so their number is bounded.
const known = new WeakMap<PricePort, Map<string, ModelFacts>>()
const knownMax = 1000

/** The same prices say the same of a model, so they are asked once. */
export function modelFacts(asked: PricedModel, prices: PricePort): ModelFacts {
  const facts = known.get(prices) ?? new Map<string, ModelFacts>()
  if (facts.size === 0) known.set(prices, facts)
  // No text of a caller holds a NUL.
  const key = `${asked.provider}\0${asked.model}`
  const found = facts.get(key)
  if (found !== undefined) return found
  const made = { uses: { models: modelNames(asked, prices) }, sku: prices.skuOf(asked) }
  if (facts.size >= knownMax) facts.clear()
  facts.set(key, made)
  return made
}
