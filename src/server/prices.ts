import { readFileSync } from 'node:fs'
import type { ConditionalPrice, ModelInfo, ModelPrice, Provider } from '@pydantic/genai-prices'
import type { Config } from '#config'
import { parseDecimal, parseNanoUsd, sha256Hex } from '#core'
import { bare, noCostSettings, PriceTable } from '#hub'
import type { CostSettings, DatedRates, ModelPrices, PricedModel, PricePort, Rate, Rates } from '#hub'

/** Names that were looked for; agents make them up, so their number is bounded. */
const namesMax = 10_000

/**
 * The prices of `@pydantic/genai-prices` with those of the settings in front (SPEC H11). The package gives data and the matching of
 * names; no amount of money comes from its arithmetic. It is loaded once, and never fetches anything.
 */
export async function loadPrices({ costs }: Pick<Config, 'costs'>): Promise<PricePort> {
  const library = await import('@pydantic/genai-prices')
  const providers = await library.waitForUpdate()
  if (providers === null) throw new Error('the package of prices holds no data')
  const known = new Map<ModelInfo, ModelPrices>()
  for (const provider of providers) {
    for (const model of provider.models) {
      const prices = modelPrices(provider, model)
      if (prices !== undefined) known.set(model, prices)
    }
  }
  const own = new Map(costs.prices.map((given) => [nameOf(given), ownPrices(given)]))
  const names = new Map<string, ModelPrices | undefined>()
  const find = (asked: PricedModel): ModelPrices | undefined => {
    const name = nameOf(asked)
    const mine = own.get(name)
    if (mine !== undefined) return mine
    if (names.has(name)) return names.get(name)
    if (names.size >= namesMax) names.clear()
    const found = matched(asked)
    names.set(name, found)
    return found
  }
  const matched = ({ provider, model }: PricedModel): ModelPrices | undefined => {
    const options = provider === '' ? {} : { providerId: provider }
    // Without usage it only matches.
    const match = library.calcPrice({}, model, options)
    return match === null ? undefined : known.get(match.model)
  }
  const digest = sha256Hex(JSON.stringify([providers, costs.prices])).slice(0, 8)
  const models = [...own.values(), ...[...known.values()].filter((model) => !own.has(nameOf(model)))]
  const sorted = models.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  return new PriceTable({ version: `${packageVersion()}+${digest}`, models: sorted, find })
}

/** The settings of the comparison with providers, as the hub takes them. */
export function costSettings({ costs }: Pick<Config, 'costs'>): CostSettings {
  const providerKeys = costs.providerKeys.map(({ provider, id, agents }) => ({
    provider: provider.toLowerCase(),
    key: id,
    agents: agents.map(bare),
  }))
  const { driftAlertMilli: alertMilli, driftAlertMinUsd } = costs
  return { providerKeys, alertMilli, alertNanoUsd: parseNanoUsd(driftAlertMinUsd) ?? noCostSettings.alertNanoUsd }
}

function nameOf({ provider, model }: PricedModel): string {
  return `${provider}/${model}`.toLowerCase()
}

function packageVersion(): string {
  const manifest = new URL('../package.json', import.meta.resolve('@pydantic/genai-prices'))
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version?: unknown }
  if (typeof version !== 'string') throw new Error('the package of prices does not say its version')
  return version
}

/** Undefined where a price of the model is not exact: then nothing about it is known. */
function modelPrices(provider: Provider, { id, prices }: ModelInfo): ModelPrices | undefined {
  const given: readonly ConditionalPrice[] = Array.isArray(prices) ? prices : [{ prices }]
  const dated: DatedRates[] = []
  for (const { constraint, prices: list } of given) {
    const rates = ratesOf(list)
    if (rates === undefined) return undefined
    dated.push({ rates, when: constraint === undefined ? undefined : whenOf(constraint) })
  }
  const [first, ...more] = dated
  return first === undefined ? undefined : { provider: provider.id, model: id, dated: [first, ...more] }
}

function whenOf(constraint: NonNullable<ConditionalPrice['constraint']>): NonNullable<DatedRates['when']> {
  if (constraint.type === 'start_date') return { fromMs: Date.parse(`${constraint.start_date}T00:00:00Z`) }
  const { start_time: start, end_time: end } = constraint
  return { betweenMs: [timeOfDay(start), timeOfDay(end)] }
}

function timeOfDay(text: string): number {
  const ms = Date.parse(`1970-01-01T${text}`)
  if (Number.isNaN(ms)) throw new Error(`the package of prices has a time of day that cannot be read: ${text}`)
  return ((ms % 86_400_000) + 86_400_000) % 86_400_000
}

// Kinds of tokens that callers do not report apart. They count for the bound: their input or output may be of these.
const otherInput = /^(input|cache)_(?!mtok|read_mtok|write_mtok).*_mtok$/
const otherOutput = /^output_(?!mtok|reasoning_mtok).*_mtok$/

function ratesOf(prices: ModelPrice): Rates | undefined {
  const rates = new Map<string, Rate>()
  for (const [name, price] of Object.entries(prices)) {
    if (price === undefined) continue
    const rate = rateOf(price)
    if (rate === undefined) return undefined
    rates.set(name, rate)
  }
  const others = (pattern: RegExp): readonly Rate[] =>
    [...rates].filter(([name]) => pattern.test(name)).map(([, rate]) => rate)
  const thousandRequests = rates.get('requests_kcount')?.base ?? 0n
  if (thousandRequests % 1000n !== 0n) return undefined
  return {
    input: rates.get('input_mtok'),
    cachedRead: rates.get('cache_read_mtok'),
    cacheWrite: rates.get('cache_write_mtok'),
    output: rates.get('output_mtok'),
    reasoning: rates.get('output_reasoning_mtok'),
    request: thousandRequests / 1000n,
    otherInput: others(otherInput),
    otherOutput: others(otherOutput),
  }
}

/** Numbers of the package are read by their shortest decimal, which is what was published. */
function rateOf(price: NonNullable<ModelPrice[string]>): Rate | undefined {
  const base = parseDecimal(String(typeof price === 'number' ? price : price.base))
  if (base === undefined) return undefined
  if (typeof price === 'number') return { base, tiers: [] }
  const tiers = price.tiers.map(({ start, price: tier }) => ({
    start: BigInt(start),
    price: parseDecimal(String(tier)),
  }))
  if (tiers.some((tier) => tier.price === undefined)) return undefined
  return {
    base,
    tiers: tiers
      .flatMap(({ start, price: tier }) => (tier === undefined ? [] : [{ start, price: tier }]))
      .toSorted((a, b) => (a.start < b.start ? -1 : 1)),
  }
}

type OwnPrice = Config['costs']['prices'][number]

function ownPrices(given: OwnPrice): ModelPrices {
  const rate = (text: string | undefined): Rate | undefined => {
    const base = text === undefined ? undefined : parseDecimal(text)
    return base === undefined ? undefined : { base, tiers: [] }
  }
  const { provider, model, maxOutputTokens } = given
  const rates: Rates = {
    input: rate(given.inputPerMillionUsd),
    cachedRead: rate(given.cachedReadPerMillionUsd),
    cacheWrite: rate(given.cacheWritePerMillionUsd),
    output: rate(given.outputPerMillionUsd),
    reasoning: rate(given.reasoningPerMillionUsd),
    request: rate(given.requestUsd)?.base ?? 0n,
    otherInput: [],
    otherOutput: [],
  }
  return {
    provider,
    model,
    dated: [{ rates }],
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens: BigInt(maxOutputTokens) }),
  }
}
