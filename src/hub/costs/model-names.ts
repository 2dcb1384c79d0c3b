import type { PricedModel, PricePort } from './ports.ts'

/**
 * All names of the model of a call, the one that stands for it first: budgets, caps and kill switches of any of them hold for it, so that
 * no other spelling of a model goes around them (SPEC B1, K1). What follows the last slash is a name too: routers put one in front.
 * Empty where the call names no model.
 */
export function modelNames(asked: PricedModel, prices: Pick<PricePort, 'skuOf'>): readonly string[] {
  const text = modelName(asked.model)
  if (text === '') return []
  const tail = text.slice(text.lastIndexOf('/') + 1)
  const skus = [asked, { provider: '', model: text }, { provider: '', model: tail }].map((one) => prices.skuOf(one))
  const names = skus.flatMap((sku) => {
    const name = sku.slice(sku.indexOf('/') + 1)
    return sku.startsWith('/') ? [name] : [name, sku]
  })
  return [...new Set([...names, text, tail].map(modelName))].filter((name) => name !== '')
}

/** The name of a model as rules keep it. */
export function modelName(text: string): string {
  return text.trim().toLowerCase()
}
