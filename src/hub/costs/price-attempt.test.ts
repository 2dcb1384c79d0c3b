import { describe, expect, it } from 'vitest'
import { noPrices, type PricePort } from './ports.ts'
import { priceAttempt } from './price-attempt.ts'

const tokens = {
  inputTokens: '5',
  cachedReadTokens: '0',
  cacheWriteTokens: '0',
  outputTokens: '0',
  reasoningTokens: '0',
}
const asked = { provider: 'p', model: 'm' }
const at = (nanoUsd: bigint): PricePort => ({
  ...noPrices,
  version: 'v1',
  quoteOf: () => ({ nanoUsd, unitPrices: '1 1 1 1 1 0' }),
})

describe('the price of an attempt', () => {
  it('H11: is the hub’s own, whatever was reported', () => {
    expect(priceAttempt(asked, tokens, '999', 0, at(5n))).toEqual({
      costNanoUsd: '5',
      priceVersion: 'v1',
      unitPrices: '1 1 1 1 1 0',
    })
  })

  it('H11: is what was reported where none is known, no token was told, or no column could hold it', () => {
    const unknown = { costNanoUsd: '999', priceVersion: '', unitPrices: '' }
    expect(priceAttempt(asked, tokens, '999', 0, noPrices)).toEqual(unknown)
    expect(priceAttempt(asked, { ...tokens, inputTokens: '0' }, '999', 0, at(0n))).toEqual(unknown)
    expect(priceAttempt(asked, tokens, '999', 0, at(2n ** 63n))).toEqual(unknown)
    expect(priceAttempt(asked, { ...tokens, inputTokens: '0' }, '0', 0, at(0n)).priceVersion).toBe('v1')
  })
})
