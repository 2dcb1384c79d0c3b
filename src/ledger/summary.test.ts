import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, type Json } from '#core'
import { summarizeArguments, summaryLimits } from './summary.ts'

describe('summarizeArguments', () => {
  it('L2: cuts long strings, lists, objects and depth, and marks each cut', () => {
    const limits = { stringChars: 4, listItems: 2, members: 2, depth: 3 }
    expect(summarizeArguments({ a: 'abcdef', b: [1, 2, 3, 4], c: 1, d: 2 }, limits)).toEqual({
      a: 'abcd… (6 chars)',
      b: [1, 2, '… 2 more'],
      '…': '2 more',
    })
    expect(summarizeArguments({ a: { b: { c: { d: 1 } } } }, limits)).toEqual({ a: { b: { c: '…' } } })
    expect(summarizeArguments('abcd', limits)).toBe('abcd')
  })

  it('L3: takes out what a name calls secret, at any depth below it', () => {
    expect(
      summarizeArguments({
        clientSecret: 'a',
        accessToken: 'b',
        PASSWORD: 'c',
        Authorization: 'd',
        apiKey: 'e',
        pin: { password: ['f', { g: 'h' }, 5] },
        keyId: 'kept',
        empty: { token: '', secret: null },
      }),
    ).toEqual({
      clientSecret: '[redacted]',
      accessToken: '[redacted]',
      PASSWORD: '[redacted]',
      Authorization: '[redacted]',
      apiKey: '[redacted]',
      pin: { password: ['[redacted]', { g: '[redacted]' }, '[redacted]'] },
      keyId: 'kept',
      empty: { token: '', secret: null },
    })
  })

  it('L3: keeps counts of tokens and nothing else under their names', () => {
    expect(summarizeArguments({ tokens: { input: '123', output: 5 }, maxOutputTokens: '99', token: '123' })).toEqual({
      tokens: { input: '123', output: 5 },
      maxOutputTokens: '99',
      token: '[redacted]',
    })
    expect(summarizeArguments({ refreshTokens: ['abc'] })).toEqual({ refreshTokens: ['[redacted]'] })
  })

  it('L2: turns fractions and huge numbers into strings', () => {
    expect(summarizeArguments([1.5, 1e300, 7])).toEqual(['1.5', '1e+300', 7])
  })

  it('L2: makes anything fit for the ledger, within its limits', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 9 }), fc.string({ unit: 'binary', maxLength: 600 }), (value, text) => {
        const summary = summarizeArguments({ value: value as Json, text, lone: '\ud800\0', ['__proto__']: 1 })
        const back: { text: string } = JSON.parse(canonicalJson(summary))
        expect(back.text.length).toBeLessThanOrEqual(summaryLimits.stringChars + 20)
      }),
    )
  })
})
