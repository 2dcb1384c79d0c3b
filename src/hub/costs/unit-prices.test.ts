import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TokenColumns } from '../rows.ts'
import type { UnitPrices } from './ports.ts'
import { PriceTable, type Rates } from './price-table.ts'
import { costOf, formatUnitPrices, parseUnitPrices, tokenClasses } from './unit-prices.ts'

const price = fc.bigInt({ min: 0n, max: 10n ** 21n })
const prices: fc.Arbitrary<UnitPrices> = fc.record({
  input: price,
  cachedRead: price,
  cacheWrite: price,
  output: price,
  reasoning: price,
  request: price,
})
const count = fc.bigInt({ min: 0n, max: 10n ** 12n }).map(String)
const tokens: fc.Arbitrary<TokenColumns> = fc.record({
  inputTokens: count,
  cachedReadTokens: count,
  cacheWriteTokens: count,
  outputTokens: count,
  reasoningTokens: count,
})
const none: TokenColumns = {
  inputTokens: '0',
  cachedReadTokens: '0',
  cacheWriteTokens: '0',
  outputTokens: '0',
  reasoningTokens: '0',
}

function cost(of: UnitPrices, used: TokenColumns): bigint {
  const found = costOf(of, used)
  if (found === undefined) throw new Error('a price was missing')
  return found
}

describe('what tokens cost', () => {
  it('H11: is the sum of what each class costs alone', () => {
    fc.assert(
      fc.property(prices, tokens, (of, used) => {
        const request = cost(of, none)
        const alone = tokenClasses.map(([, column]) => cost(of, { ...none, [column]: used[column] }) - request)
        expect(cost(of, used)).toBe(alone.reduce((sum, one) => sum + one, request))
      }),
    )
  })

  it('H11: is never negative and never falls with one more token', () => {
    fc.assert(
      fc.property(prices, tokens, fc.constantFrom(...tokenClasses), (of, used, [, column]) => {
        const before = cost(of, used)
        expect(before).toBeGreaterThanOrEqual(0n)
        expect(cost(of, { ...used, [column]: String(BigInt(used[column]) + 1n) })).toBeGreaterThanOrEqual(before)
      }),
    )
  })

  it('H11: is the exact rational sum, rounded half up once for each class', () => {
    fc.assert(
      fc.property(prices, tokens, (of, used) => {
        const nano = tokenClasses.map(([name, column]) => {
          const exact = BigInt(used[column]) * (of[name] ?? 0n)
          const [whole, rest] = [exact / 10n ** 15n, exact % 10n ** 15n]
          return rest * 2n >= 10n ** 15n ? whole + 1n : whole
        })
        const request = (of.request * 2n + 10n ** 9n) / (2n * 10n ** 9n)
        expect(cost(of, used)).toBe(nano.reduce((sum, one) => sum + one, request))
      }),
    )
  })

  it('H11: a class that was used and has no price makes the whole unknown', () => {
    const of = { input: 1n, cachedRead: 1n, cacheWrite: 1n, output: undefined, reasoning: undefined, request: 0n }
    expect(costOf(of, { ...none, inputTokens: '5' })).toBe(0n)
    expect(costOf(of, { ...none, inputTokens: '5', reasoningTokens: '1' })).toBeUndefined()
  })

  it('H11: unit prices are written down so that they can be read back', () => {
    fc.assert(
      fc.property(prices, (of) => {
        expect(parseUnitPrices(formatUnitPrices(of))).toEqual(of)
      }),
    )
    expect(parseUnitPrices('1 - 1 - - 0')).toMatchObject({ cachedRead: undefined, request: 0n })
    for (const text of ['', '1 1 1 1 1', '1 1 1 1 1 -', '1 1 x 1 1 0']) expect(parseUnitPrices(text)).toBeUndefined()
  })

  it('H11: the bound is never below the cost, however the tokens fall into classes and tiers', () => {
    const rate = fc
      .record({ base: price, dearer: price, start: fc.bigInt({ min: 0n, max: 2000n }) })
      .map(({ base, dearer, start }) => ({ base, tiers: [{ start, price: dearer }] }))
    const rates: fc.Arbitrary<Rates> = fc.record({
      input: rate,
      cachedRead: rate,
      cacheWrite: rate,
      output: rate,
      reasoning: rate,
      request: price,
      otherInput: fc.constant([]),
      otherOutput: fc.constant([]),
    })
    const small = fc.bigInt({ min: 0n, max: 1000n })
    fc.assert(
      fc.property(
        rates,
        fc.tuple(small, small, small, small, small),
        (all, [input, read, written, output, thought]) => {
          const model = { provider: 'p', model: 'm', dated: [{ rates: all }] as const }
          const table = new PriceTable({ version: '1', models: [model], find: () => model })
          const used = {
            inputTokens: String(input),
            cachedReadTokens: String(read),
            cacheWriteTokens: String(written),
            outputTokens: String(output),
            reasoningTokens: String(thought),
          }
          const most = { inputTokens: input + read + written, outputTokens: output + thought }
          const bound = table.boundOf(model, most, 0) ?? -1n
          expect(bound).toBeGreaterThanOrEqual(table.priceOf(model, used, 0) ?? 0n)
        },
      ),
    )
  })
})

describe('prices by time', () => {
  const at = (base: bigint): Rates => ({
    input: { base, tiers: [] },
    cachedRead: undefined,
    cacheWrite: undefined,
    output: undefined,
    reasoning: undefined,
    request: 0n,
    otherInput: [],
    otherOutput: [],
  })
  const hour = 3_600_000
  const model = {
    provider: 'p',
    model: 'm',
    dated: [
      { rates: at(3n * 10n ** 18n) },
      { when: { betweenMs: [22 * hour, 6 * hour] as const }, rates: at(10n ** 18n) },
    ] as const,
  }
  const table = new PriceTable({ version: '1', models: [model], find: () => model })

  it.each([
    [21, 3000n],
    [22, 1000n],
    [0, 1000n],
    [5, 1000n],
    [6, 3000n],
  ])('H11: a price of the night counts over midnight: at %i o clock it is %i', (hours, nanoUsd) => {
    const used = { ...none, inputTokens: '1' }
    expect(table.priceOf(model, used, Date.UTC(2026, 1, 3, hours))).toBe(nanoUsd)
  })
})
