import { beforeAll, describe, expect, it } from 'vitest'
import { modelNames, type PricePort, type TokenColumns } from '#hub'
import { costSettings, loadPrices } from './prices.ts'

const costs = { prices: [], providerKeys: [], driftAlertMilli: 10, driftAlertMinUsd: '1' }
const november = Date.UTC(2026, 10, 1)
let prices: PricePort

beforeAll(async () => {
  prices = await loadPrices({ costs })
})

function tokens(given: Partial<Record<keyof TokenColumns, bigint>>): TokenColumns {
  const text = (name: keyof TokenColumns): string => String(given[name] ?? 0n)
  return {
    inputTokens: text('inputTokens'),
    cachedReadTokens: text('cachedReadTokens'),
    cacheWriteTokens: text('cacheWriteTokens'),
    outputTokens: text('outputTokens'),
    reasoningTokens: text('reasoningTokens'),
  }
}

describe('prices', () => {
  // As the providers publish them, in USD for a million tokens.
  it.each([
    ['openai', 'gpt-4o', '2.5 1.25 2.5 10 10 0'],
    ['openai', 'gpt-4o-2024-08-06', '2.5 1.25 2.5 10 10 0'],
    ['openai', 'gpt-4o-mini', '0.15 0.075 0.15 0.6 0.6 0'],
    ['openai', 'gpt-4.1', '2 0.5 2 8 8 0'],
    ['anthropic', 'claude-3-5-haiku-latest', '0.8 0.08 1 4 4 0'],
    ['anthropic', 'claude-opus-4-1-20250805', '15 1.5 18.75 75 75 0'],
    ['google', 'gemini-2.5-pro', '1.25 0.125 1.25 10 10 0'],
    ['perplexity', 'sonar', '1 1 1 1 1 0.012'],
  ])('H11: %s %s costs what is published, each class apart', (provider, model, unitPrices) => {
    expect(prices.quoteOf({ provider, model }, tokens({ inputTokens: 1n }), november)?.unitPrices).toBe(unitPrices)
  })

  it('H11: cached tokens have their own price: read is cheaper, written is dearer', () => {
    const asked = { provider: 'anthropic', model: 'claude-opus-4-1' }
    const used = tokens({ inputTokens: 1000n, cachedReadTokens: 20_000n, cacheWriteTokens: 4000n, outputTokens: 500n })
    // 0.015 + 0.03 + 0.075 + 0.0375 USD
    expect(prices.priceOf(asked, used, november)).toBe(157_500_000n)
  })

  it('H11: reasoning is priced as output and counted once', () => {
    const asked = { provider: 'openai', model: 'o3' }
    const apart = prices.priceOf(asked, tokens({ outputTokens: 300n, reasoningTokens: 700n }), november)
    expect(apart).toBe(prices.priceOf(asked, tokens({ outputTokens: 1000n }), november))
  })

  it('H11: a long context makes all tokens of the call dearer, and a sum of many calls is no long context', () => {
    const asked = { provider: 'google', model: 'gemini-2.5-pro' }
    expect(prices.priceOf(asked, tokens({ inputTokens: 200_000n }), november)).toBe(250_000_000n)
    const long = tokens({ inputTokens: 100_001n, cachedReadTokens: 100_000n, outputTokens: 1000n })
    expect(prices.quoteOf(asked, long, november)).toEqual({
      nanoUsd: 250_002_500n + 25_000_000n + 15_000_000n,
      unitPrices: '2.5 0.25 2.5 15 15 0',
    })
    expect(prices.quoteOf(asked, long, november, 'sum')?.unitPrices).toBe('1.25 0.125 1.25 10 10 0')
  })

  it('H11: a price counts from its day on', () => {
    const asked = { provider: 'openai', model: 'o3' }
    const used = tokens({ inputTokens: 1_000_000n })
    expect(prices.priceOf(asked, used, Date.UTC(2025, 5, 9, 23, 59, 59))).toBe(10_000_000_000n)
    expect(prices.priceOf(asked, used, Date.UTC(2025, 5, 10))).toBe(2_000_000_000n)
  })

  it('H11: what is not known has no price, and neither has a class that the model does not sell', () => {
    const used = tokens({ inputTokens: 1n })
    expect(prices.priceOf({ provider: 'acme', model: 'gpt-4o' }, used, november)).toBeUndefined()
    expect(prices.priceOf({ provider: 'openai', model: 'gpt-9000' }, used, november)).toBeUndefined()
    expect(prices.boundOf({ provider: '', model: 'no such' }, { inputTokens: 1n, outputTokens: 1n }, 0)).toBeUndefined()
    const embedding = { provider: 'openai', model: 'text-embedding-3-small' }
    expect(prices.priceOf(embedding, used, november)).toBe(20n)
    expect(prices.priceOf(embedding, tokens({ outputTokens: 1n }), november)).toBeUndefined()
    expect(prices.boundOf(embedding, { inputTokens: 1000n, outputTokens: 1000n }, november)).toBe(20_000n)
  })

  it('H11: a name alone finds its provider, dated names are one model with the plain one', () => {
    expect(prices.priceOf({ provider: '', model: 'gpt-4o' }, tokens({ inputTokens: 2n }), november)).toBe(5000n)
    const sku = (provider: string, model: string): string => prices.skuOf({ provider, model })
    expect(sku('anthropic', 'claude-sonnet-4-5-20250929')).toBe(sku('anthropic', 'claude-sonnet-4-5'))
    expect(sku('Acme', 'Own-Model')).toBe('acme/own-model')
  })

  it('H11: prices of the settings come first, to the last digit, and change the version', async () => {
    const own = await loadPrices({
      costs: {
        ...costs,
        prices: [
          {
            provider: 'Acme',
            model: 'own',
            inputPerMillionUsd: '0.000000000000000001',
            outputPerMillionUsd: '3.999999999',
            requestUsd: '0.25',
            maxOutputTokens: 4096,
          },
          { provider: 'openai', model: 'gpt-4o', inputPerMillionUsd: '1', outputPerMillionUsd: '2' },
        ],
      },
    })
    const asked = { provider: 'acme', model: 'OWN' }
    expect(own.quoteOf(asked, tokens({ outputTokens: 1_000_000n }), november)).toEqual({
      nanoUsd: 4_249_999_999n,
      unitPrices: '0.000000000000000001 0.000000000000000001 0.000000000000000001 3.999999999 3.999999999 0.25',
    })
    expect(own.maxOutputOf(asked)).toBe(4096n)
    expect(own.priceOf({ provider: 'openai', model: 'gpt-4o' }, tokens({ inputTokens: 1n }), november)).toBe(1000n)
    expect(own.version).not.toBe(prices.version)
    expect(
      own.list(november).filter(({ model, provider }) => provider === 'openai' && model === 'gpt-4o'),
    ).toHaveLength(1)
  })

  it('H11: every model of the table that says a price is read, and its version names package and data', () => {
    const list = prices.list(november)
    expect(list.length).toBeGreaterThan(1000)
    expect(prices.version).toMatch(/^\d+\.\d+\.\d+\+[0-9a-f]{8}$/)
    for (const { prices: each } of list) {
      const said = [each.input, each.output, each.cachedRead, each.request].some((price) => price !== undefined)
      expect(said).toBe(true)
    }
  })

  it('B3, K1: other spellings of a model have its name too, and other models do not', () => {
    const spellings = [
      ['openai', 'gpt-4o'],
      ['openai', ' GPT-4o '],
      ['', 'gpt-4o-2024-08-06'],
      ['no-such', 'GPT-4O-2024-08-06'],
      ['openrouter', 'openai/gpt-4o-2024-08-06'],
    ] as const
    for (const [provider, model] of spellings) {
      const names = modelNames({ provider, model }, prices)
      expect(names).toContain('gpt-4o')
      expect(names).toContain(model.trim().toLowerCase())
    }
    // What stands for the model is first, and alone it names the model as well as after its provider.
    expect(modelNames({ provider: 'openai', model: 'gpt-4o-2024-08-06' }, prices)).toEqual([
      'gpt-4o',
      'openai/gpt-4o',
      'gpt-4o-2024-08-06',
    ])
    expect(modelNames({ provider: 'openai', model: 'gpt-4o-mini' }, prices)).not.toContain('gpt-4o')
    expect(modelNames({ provider: '', model: 'No-Such ' }, prices)).toEqual(['no-such'])
    expect(modelNames({ provider: 'openai', model: '' }, prices)).toEqual([])
  })

  it('H11: names that agents make up do not pile up in memory', () => {
    const used = tokens({ inputTokens: 1n })
    for (let index = 0; index < 100; index += 1) {
      expect(prices.priceOf({ provider: 'openai', model: `made-up-${index}` }, used, november)).toBeUndefined()
    }
  })

  it('H12: settings of the comparison are read exactly', () => {
    const keys = [{ provider: 'OpenAI', id: 'proj_1', agents: ['agt_0199c0de-0000-7000-8000-000000000001'] }]
    expect(costSettings({ costs: { ...costs, providerKeys: keys, driftAlertMinUsd: '0.5' } })).toEqual({
      providerKeys: [{ provider: 'openai', key: 'proj_1', agents: ['0199c0de-0000-7000-8000-000000000001'] }],
      alertMilli: 10,
      alertNanoUsd: 500_000_000n,
    })
  })
})
