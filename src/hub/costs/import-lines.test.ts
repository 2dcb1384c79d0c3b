import { create } from '@bufbuild/protobuf'
import { UsageLineSchema, type UsageLine } from '@portcullis/contract'
import { describe, expect, it } from 'vitest'
import { readLines } from './import-lines.ts'
import { noCostSettings, noPrices, type PricePort } from './ports.ts'

const nowMs = Date.UTC(2026, 10, 20, 12)
const prices: PricePort = {
  ...noPrices,
  skuOf: ({ provider, model }) => `${provider}/${model.replace(/-\d{8}$/, '')}`,
  quoteOf: ({ model }, { inputTokens }, _, of) =>
    model === 'gpt-4o' && of === 'sum' ? { nanoUsd: BigInt(inputTokens) * 2500n, unitPrices: '' } : undefined,
}

type Given = Partial<Omit<UsageLine, '$typeName'>>

function line(given: Given = {}): UsageLine {
  const base = { day: '2026-11-19', provider: 'OpenAI', model: 'gpt-4o', chargedNanoUsd: 100n, currency: 'usd' }
  return create(UsageLineSchema, { ...base, ...given })
}

const read = (lines: readonly UsageLine[], settings = noCostSettings) =>
  readLines(lines, 'csv', nowMs, prices, settings)

describe('lines of a provider', () => {
  it.each<[string, Given]>([
    ['future', { day: '2026-11-21' }],
    ['YYYY-MM-DD', { day: '2026-02-30' }],
    ['YYYY-MM-DD', { day: '19.11.2026' }],
    ['2020', { day: '2019-12-31' }],
    ['model is missing', { model: '' }],
    ['provider is missing', { provider: '' }],
    ['200 characters', { model: 'm'.repeat(201) }],
    ['well-formed', { model: 'a\0b' }],
    ['amount', { chargedNanoUsd: -2n }],
    ['amount', { chargedNanoUsd: 10n ** 17n }],
    ['counts', { requests: -1n }],
    ['no price of the model is known', { chargedNanoUsd: -1n, model: 'unheard-of' }],
  ])('H12: a line that is wrong (%s) is flagged and compared with nothing', (why, given) => {
    const { flags, groups } = read([line(given), line({ day: '2026-11-18' })])
    expect(flags[0]).toMatchObject({ kind: 'invalid', detail: expect.stringContaining(why) as string })
    expect(flags[1]).toMatchObject({ kind: 'grouped' })
    expect(groups).toHaveLength(1)
  })

  it('H12: another currency is flagged, also where none is named', () => {
    expect(read([line({ currency: 'EUR' }), line({ currency: '' })]).flags).toMatchObject([
      { kind: 'other_currency', detail: 'the currency is EUR; only USD is compared' },
      { kind: 'other_currency' },
    ])
  })

  it('H12: a line that says nothing about money is priced by its tokens, as the sum that it is', () => {
    const tokens = { input: 1_000_000n }
    const { groups } = read([
      line({ chargedNanoUsd: -1n, currency: '', tokens: create(UsageLineSchema, { tokens }).tokens }),
    ])
    expect(groups).toMatchObject([{ chargedNanoUsd: '2500000000', input: '1000000' }])
  })

  it('H12: the same line twice counts once; two of the same model are compared together, whatever the model is called', () => {
    const { flags, groups } = read([
      line(),
      line(),
      line({ model: 'gpt-4o-20240806', chargedNanoUsd: 40n }),
      line({ day: '2026-11-18' }),
    ])
    expect(flags).toMatchObject([
      { kind: 'grouped', line: 0 },
      { kind: 'duplicate' },
      { kind: 'grouped', line: 0 },
      { line: 3 },
    ])
    expect(groups).toMatchObject([
      { line: 0, sku: 'openai/gpt-4o', chargedNanoUsd: '140' },
      { line: 3, chargedNanoUsd: '100' },
    ])
    expect(groups[0]?.digest).not.toBe(groups[1]?.digest)
  })

  it('H12: a digest tells the same lines again, in any order, and no others', () => {
    const digestOf = (lines: readonly UsageLine[]) => read(lines).groups[0]?.digest
    const two = [line(), line({ chargedNanoUsd: 40n })]
    expect(digestOf(two.toReversed())).toBe(digestOf(two))
    expect(digestOf([line({ chargedNanoUsd: 140n })])).not.toBe(digestOf(two))
  })

  it('H12: a key of the settings has its agents, everything else is everybody else', () => {
    const settings = { ...noCostSettings, providerKeys: [{ provider: 'openai', key: 'k1', agents: ['a1'] }] }
    const { groups } = read(
      [line({ providerKey: 'k1' }), line({ providerKey: 'k2' }), line({ providerKey: '' })],
      settings,
    )
    expect(groups).toMatchObject([
      { providerKey: 'k1', agents: ['a1'], others: null },
      { providerKey: '', agents: null, others: ['a1'], chargedNanoUsd: '200' },
    ])
  })
})
