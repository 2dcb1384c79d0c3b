import { describe, expect, it } from 'vitest'
import { divideHalfUp, divideUp, formatDecimal, parseDecimal, parseNanoUsd } from './decimal.ts'

describe('decimals', () => {
  it('H11: are read exactly, whatever a float would make of them', () => {
    expect(parseDecimal('0.1')).toBe(10n ** 17n)
    expect(parseDecimal('2.50')).toBe(25n * 10n ** 17n)
    expect(parseDecimal('0.003625')).toBe(3625n * 10n ** 12n)
    expect(parseDecimal('1e-7')).toBe(10n ** 11n)
    expect(parseDecimal('1.000000000000000000000')).toBe(10n ** 18n)
    expect(parseDecimal('0.0000000000000000001')).toBeUndefined()
  })

  it.each(['', '-1', '+1', '1,5', '.5', '1.', 'NaN', '0x10', '1e400', ' 1'])('H11: %j is no amount', (text) => {
    expect(parseDecimal(text)).toBeUndefined()
    expect(parseNanoUsd(text)).toBeUndefined()
  })

  it('H11: are written as they were read', () => {
    for (const text of ['0', '1', '2.5', '0.003625', '123456789.000000001']) {
      expect(formatDecimal(parseDecimal(text) ?? -1n)).toBe(text)
    }
    expect(formatDecimal(-1_500_000_000n, 9)).toBe('-1.5')
  })

  it('H11: money is rounded half up, a bound always up', () => {
    expect([divideHalfUp(4n, 10n), divideHalfUp(5n, 10n), divideHalfUp(15n, 10n)]).toEqual([0n, 1n, 2n])
    expect([divideUp(0n, 10n), divideUp(1n, 10n), divideUp(10n, 10n)]).toEqual([0n, 1n, 1n])
    expect(parseNanoUsd('0.0000000005')).toBe(1n)
    expect(parseNanoUsd('12.34')).toBe(12_340_000_000n)
  })
})
