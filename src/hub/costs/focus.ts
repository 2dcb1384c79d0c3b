import { maskText } from '#ledger'
import { formatDecimal, publicId, scaleDigits } from '#core'
import type { CorrectionRow, CostHourRow } from './cost-rows.ts'
import { parseUnitPrices, tokenClasses } from './unit-prices.ts'

/** The columns of FOCUS 1.3 that are given, in their order; `x_` ones are ours. Money is an exact decimal, quantities are whole. */
export const focusColumns = [
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ConsumedQuantity',
  'ConsumedUnit',
  'ContractedCost',
  'ContractedUnitPrice',
  'EffectiveCost',
  'HostProviderName',
  'InvoiceIssuerName',
  'ListCost',
  'ListUnitPrice',
  'PricingCategory',
  'PricingCurrency',
  'PricingQuantity',
  'PricingUnit',
  'ProviderName',
  'PublisherName',
  'ResourceId',
  'ServiceCategory',
  'ServiceName',
  'ServiceProviderName',
  'ServiceSubcategory',
  'SkuId',
  'SkuMeter',
  'SkuPriceId',
  'Tags',
  'x_Agent',
  'x_Attempts',
  'x_ImportId',
  'x_Model',
  'x_PriceVersion',
  'x_ProviderKey',
  'x_ReportedCost',
  'x_Workflow',
] as const

export type FocusColumn = (typeof focusColumns)[number]
/** One charge; null where a column has no value. */
export type FocusRow = Readonly<Record<FocusColumn, string | null | Readonly<Record<string, string>>>>

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const meters = {
  input: 'Input tokens',
  cachedRead: 'Cached input tokens read',
  cacheWrite: 'Cached input tokens written',
  output: 'Output tokens',
  reasoning: 'Reasoning tokens',
} as const
/** For a million tokens to one: six digits more behind the point. */
const perToken = scaleDigits + 6

interface Account {
  readonly id: string
  readonly name: string
}

/**
 * The charges of one hour, agent, workflow and model: one for each class of tokens, whose list cost is its unit price times its
 * quantity exactly. What was booked is whole nano-USD for each attempt; the rest of the rounding is a charge of its own, so that the
 * billed costs add up to what was booked.
 */
export function usageCharges(row: CostHourRow, account: Account): readonly FocusRow[] {
  const start = iso(row.hourMs)
  const base = {
    ...common(row.provider, row.hourMs, account),
    ChargeFrequency: 'Usage-Based',
    ChargePeriodStart: start,
    ChargePeriodEnd: iso(row.hourMs + hourMs),
    Tags: tags(row),
    x_Agent: row.agentId === null ? null : publicId('agt', row.agentId),
    x_Attempts: row.attempts,
    x_Model: maskText(row.model),
    x_PriceVersion: row.priceVersion === '' ? null : row.priceVersion,
    x_ReportedCost: formatDecimal(BigInt(row.reportedCostNanoUsd), 9),
    x_Workflow: row.workflow === '' ? null : maskText(row.workflow),
  }
  const model = maskText(row.model)
  const sku = maskText(row.sku)
  const prices = parseUnitPrices(row.unitPrices)
  const booked = BigInt(row.costNanoUsd) * 10n ** 15n
  if (prices === undefined) {
    return [
      charge({
        ...base,
        ...money(formatDecimal(booked, perToken)),
        ChargeCategory: 'Usage',
        ChargeDescription: `${model}: as reported, no price is known`,
        ConsumedQuantity: String(tokenClasses.reduce((sum, [, column]) => sum + BigInt(row[column]), 0n)),
        ConsumedUnit: 'Tokens',
        SkuId: sku,
        SkuMeter: 'Reported cost',
      }),
    ]
  }
  const rows: FocusRow[] = []
  let listed = 0n
  const add = (name: string, meter: string, unit: string, quantity: bigint, price: bigint): void => {
    if (quantity === 0n) return
    listed += quantity * price
    const unitPrice = formatDecimal(price, perToken)
    rows.push(
      charge({
        ...base,
        ...money(formatDecimal(quantity * price, perToken)),
        ChargeCategory: 'Usage',
        ChargeDescription: `${model}: ${meter.toLowerCase()}`,
        ConsumedQuantity: String(quantity),
        ConsumedUnit: unit,
        ContractedUnitPrice: unitPrice,
        ListUnitPrice: unitPrice,
        PricingCategory: 'Standard',
        PricingQuantity: String(quantity),
        PricingUnit: unit,
        SkuId: sku,
        SkuMeter: meter,
        SkuPriceId: `${sku}/${name}/${unitPrice}`,
      }),
    )
  }
  for (const [name, column] of tokenClasses) add(name, meters[name], 'Tokens', BigInt(row[column]), prices[name] ?? 0n)
  // A price of a request is in 10^-18, one of a token in 10^-24.
  if (prices.request > 0n) add('request', 'Requests', 'Requests', BigInt(row.attempts), prices.request * 10n ** 6n)
  if (listed !== booked) {
    rows.push(
      charge({
        ...base,
        ...money(formatDecimal(booked - listed, perToken)),
        ChargeCategory: 'Adjustment',
        ChargeDescription: `${model}: rounding of each attempt to whole nano-USD`,
        SkuId: sku,
      }),
    )
  }
  return rows
}

/** What a provider charged beyond what was booked, for the day that it is of. */
export function correctionCharge(row: CorrectionRow, account: Account): FocusRow {
  const dayStart = Date.parse(`${row.day}T00:00:00Z`)
  return charge({
    ...common(row.provider, dayStart, account),
    ...money(formatDecimal(BigInt(row.correctionNanoUsd), 9)),
    ChargeCategory: 'Adjustment',
    ChargeClass: 'Correction',
    ChargeDescription: `${maskText(row.model)}: charged by the provider, beyond what was booked`,
    ChargeFrequency: 'One-Time',
    ChargePeriodStart: iso(dayStart),
    ChargePeriodEnd: iso(dayStart + dayMs),
    SkuId: maskText(row.sku),
    x_ImportId: publicId('imp', row.importId),
    x_Model: maskText(row.model),
    x_ProviderKey: row.providerKey === '' ? null : maskText(row.providerKey),
  })
}

function common(provider: string, atMs: number, account: Account): Partial<FocusRow> {
  const at = new Date(atMs)
  const name = provider === '' ? 'unknown' : maskText(provider)
  return {
    BillingAccountId: account.id,
    BillingAccountName: account.name,
    BillingCurrency: 'USD',
    BillingPeriodStart: iso(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1)),
    BillingPeriodEnd: iso(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1)),
    HostProviderName: name,
    InvoiceIssuerName: name,
    PricingCurrency: 'USD',
    // Both are deprecated in 1.3 for the host and the service provider, and still must be there.
    ProviderName: name,
    PublisherName: name,
    ServiceCategory: 'AI and Machine Learning',
    ServiceName: name,
    ServiceProviderName: name,
    ServiceSubcategory: 'Generative AI',
  }
}

/** No discount is known: what is listed is what is contracted, and effective is what is billed. */
function money(cost: string): Pick<FocusRow, 'BilledCost' | 'ContractedCost' | 'EffectiveCost' | 'ListCost'> {
  return { BilledCost: cost, ContractedCost: cost, EffectiveCost: cost, ListCost: cost }
}

function tags({ agentId, workflow }: CostHourRow): Readonly<Record<string, string>> {
  return {
    ...(agentId === null ? {} : { agent: publicId('agt', agentId) }),
    ...(workflow === '' ? {} : { workflow: maskText(workflow) }),
  }
}

function charge(given: Partial<FocusRow>): FocusRow {
  return Object.fromEntries(focusColumns.map((column) => [column, given[column] ?? null])) as FocusRow
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}
