import { describe, expect, it } from 'vitest'
import { parseDecimal } from '#core'
import type { CorrectionRow, CostHourRow } from './cost-rows.ts'
import { correctionCharge, focusColumns, usageCharges, type FocusRow } from './focus.ts'

const account = { id: 'ten_1', name: 'acme' }
const hour: CostHourRow = {
  id: '0199c0de-0000-7000-8000-000000000001',
  hourMs: Date.UTC(2026, 10, 30, 23),
  agentId: '0199c0de-0000-7000-8000-00000000000a',
  workflow: 'nightly',
  provider: 'anthropic',
  model: 'claude-opus-4-1',
  sku: 'anthropic/claude-opus-4-1',
  priceVersion: '0.1.8+00000000',
  unitPrices: '15 1.5 18.75 75 75 0',
  attempts: '3',
  inputTokens: '1000',
  cachedReadTokens: '20000',
  cacheWriteTokens: '4000',
  outputTokens: '500',
  reasoningTokens: '0',
  costNanoUsd: '157500000',
  reportedCostNanoUsd: '160000000',
}
const correction: CorrectionRow = {
  id: '0199c0de-0000-7000-8000-000000000002',
  importId: '0199c0de-0000-7000-8000-000000000003',
  source: 'anthropic',
  day: '2026-11-30',
  provider: 'anthropic',
  model: 'claude-opus-4-1',
  sku: 'anthropic/claude-opus-4-1',
  providerKey: 'wrkspc_1',
  knownNanoUsd: '157500000',
  chargedNanoUsd: '150000000',
  correctionNanoUsd: '-7500000',
  driftMilli: '47',
  alert: false,
  known: hour,
  charged: hour,
  importedAtMs: 0,
}

// What FOCUS 1.3 asks of columns that are there: which must not be null, and what they may hold.
const decimal = /^-?\d+(\.\d+)?$/
const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/
const rules: Readonly<Record<string, { readonly nullable?: true; readonly form: RegExp }>> = {
  BilledCost: { form: decimal },
  BillingAccountId: { form: /./ },
  BillingCurrency: { form: /^USD$/ },
  BillingPeriodEnd: { form: time },
  BillingPeriodStart: { form: time },
  ChargeCategory: { form: /^(Usage|Purchase|Tax|Credit|Adjustment)$/ },
  ChargeClass: { nullable: true, form: /^Correction$/ },
  ChargeDescription: { form: /./ },
  ChargeFrequency: { form: /^(One-Time|Recurring|Usage-Based)$/ },
  ChargePeriodEnd: { form: time },
  ChargePeriodStart: { form: time },
  ConsumedQuantity: { nullable: true, form: decimal },
  ContractedCost: { form: decimal },
  EffectiveCost: { form: decimal },
  HostProviderName: { form: /./ },
  InvoiceIssuerName: { form: /./ },
  ListCost: { form: decimal },
  ListUnitPrice: { nullable: true, form: decimal },
  PricingCategory: { nullable: true, form: /^(Standard|Dynamic|Committed|Other)$/ },
  PricingQuantity: { nullable: true, form: decimal },
  ProviderName: { form: /./ },
  PublisherName: { form: /./ },
  ServiceCategory: { form: /^AI and Machine Learning$/ },
  ServiceName: { form: /./ },
  ServiceProviderName: { form: /./ },
}

function checkColumns(row: FocusRow): void {
  expect(Object.keys(row)).toEqual(focusColumns)
  for (const [column, { nullable, form }] of Object.entries(rules)) {
    const value = row[column as keyof FocusRow]
    if (value === null) expect([column, nullable]).toEqual([column, true])
    else expect(value, column).toMatch(form)
  }
  // With a quantity there is a unit and a price, and the price times the quantity is the cost to the last digit.
  const { ListCost, ListUnitPrice, PricingQuantity, PricingUnit, SkuPriceId } = row
  expect([ListUnitPrice === null, PricingUnit === null, SkuPriceId === null]).toEqual(
    Array.from({ length: 3 }, () => PricingQuantity === null),
  )
  if (PricingQuantity === null) return
  const exact = BigInt(text(PricingQuantity)) * scaled(ListUnitPrice)
  expect(scaled(ListCost)).toBe(exact)
}

const text = (value: FocusRow[keyof FocusRow]): string => (typeof value === 'string' ? value : '')
const scaled = (value: FocusRow[keyof FocusRow]): bigint => {
  const [sign, rest] = text(value).startsWith('-') ? [-1n, text(value).slice(1)] : [1n, text(value)]
  return sign * (parseDecimal(`${rest}e6`) ?? -1n)
}
const billed = (rows: readonly FocusRow[]): bigint => rows.reduce((sum, row) => sum + scaled(row.BilledCost), 0n)
const nano = 10n ** 15n

describe('charges in FOCUS columns', () => {
  it('H12: each class of tokens is a charge: its unit price times its quantity is its list cost', () => {
    const rows = usageCharges(hour, account)
    for (const row of rows) checkColumns(row)
    expect(
      rows.map(({ SkuMeter, PricingQuantity, ListUnitPrice, ListCost }) => [
        SkuMeter,
        PricingQuantity,
        ListUnitPrice,
        ListCost,
      ]),
    ).toEqual([
      ['Input tokens', '1000', '0.000015', '0.015'],
      ['Cached input tokens read', '20000', '0.0000015', '0.03'],
      ['Cached input tokens written', '4000', '0.00001875', '0.075'],
      ['Output tokens', '500', '0.000075', '0.0375'],
    ])
    expect(billed(rows)).toBe(157_500_000n * nano)
    expect(rows[0]).toMatchObject({
      BillingPeriodStart: '2026-11-01T00:00:00Z',
      BillingPeriodEnd: '2026-12-01T00:00:00Z',
      ChargePeriodStart: '2026-11-30T23:00:00Z',
      ChargePeriodEnd: '2026-12-01T00:00:00Z',
      Tags: { agent: 'agt_0199c0de-0000-7000-8000-00000000000a', workflow: 'nightly' },
      x_ReportedCost: '0.16',
    })
  })

  it('H12: what rounding added is a charge of its own, so that all of them are what was booked', () => {
    const rows = usageCharges({ ...hour, unitPrices: '0.0000001 1.5 18.75 75 75 0', costNanoUsd: '142500001' }, account)
    for (const row of rows) checkColumns(row)
    expect(rows.at(-1)).toMatchObject({ ChargeCategory: 'Adjustment', BilledCost: '0.0000000009' })
    expect(billed(rows)).toBe(142_500_001n * nano)
  })

  it('H12: calls are charged where they have a price', () => {
    const rows = usageCharges({ ...hour, unitPrices: '15 1.5 18.75 75 75 0.012', costNanoUsd: '193500000' }, account)
    expect(rows.at(-1)).toMatchObject({
      SkuMeter: 'Requests',
      PricingQuantity: '3',
      ListUnitPrice: '0.012',
      ListCost: '0.036',
    })
    expect(billed(rows)).toBe(193_500_000n * nano)
  })

  it('H12: without a price the charge is what was reported, and says so', () => {
    const rows = usageCharges({ ...hour, unitPrices: '', priceVersion: '', agentId: null, workflow: '' }, account)
    for (const row of rows) checkColumns(row)
    expect(rows).toMatchObject([
      { BilledCost: '0.1575', ListUnitPrice: null, SkuMeter: 'Reported cost', x_PriceVersion: null },
    ])
  })

  it('H12: a correction is one, for the day that it is of', () => {
    const row = correctionCharge(correction, account)
    checkColumns(row)
    expect(row).toMatchObject({
      BilledCost: '-0.0075',
      ChargeClass: 'Correction',
      ChargePeriodStart: '2026-11-30T00:00:00Z',
      ChargePeriodEnd: '2026-12-01T00:00:00Z',
      x_ImportId: 'imp_0199c0de-0000-7000-8000-000000000003',
      x_ProviderKey: 'wrkspc_1',
    })
  })
})
