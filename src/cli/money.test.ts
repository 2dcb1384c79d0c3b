import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDollars, showDollars } from './money.ts'

describe('dollars', () => {
  it.each([
    ['5', '5000000000', '$5.00'],
    ['0.25', '250000000', '$0.25'],
    ['0.000000001', '1', '$0.000000001'],
    ['999999999.999999999', '999999999999999999', '$999999999.999999999'],
    ['0', '0', '$0.00'],
  ])('B1: %s is %s nano-USD and is shown as %s', (text, nano, shown) => {
    expect(parseDollars(text)).toBe(nano)
    expect(showDollars(nano)).toBe(shown)
  })

  it.each(['', '-1', '1e3', '1.0000000001', '.5', '1,5', '$5', '10000000000'])('B1: "%s" is no amount', (text) => {
    expect(() => parseDollars(text)).toThrow('Write dollars')
  })

  it('B1: what is shown reads back as the same amount', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 17n }), (nano) => {
        expect(parseDollars(showDollars(nano).slice(1))).toBe(String(nano))
      }),
    )
  })
})
