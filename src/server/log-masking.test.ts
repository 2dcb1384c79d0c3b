import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maskJsonText } from '#ledger'

const address = ['jane.doe', 'example.com'].join('@')
const card = 4111_1111_1111_1111
const key = ['sk', 'proj', 'abc123DEF456ghi789'].join('-')

describe('a line of the log', () => {
  it('L3: is one line of JSON whatever is masked in it, and nothing of a secret is left', () => {
    const piece = fc.constantFrom(address, key, '"', '\\', '\n', ' ', 'word')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const text = pieces.join(' ')
        const masked = maskJsonText(`${JSON.stringify({ level: 30, msg: text, deep: { text }, n: 1, card })}\n`)
        expect(JSON.parse(masked)).toMatchObject({ level: 30, n: 1 })
        expect(masked.trimEnd()).not.toContain('\n')
        expect(masked).not.toMatch(/jane\.doe|abc123DEF456|4111/)
      }),
    )
  })
})
