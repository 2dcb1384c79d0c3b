import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRefusal } from '#core'
import { formatCursor, readCursor } from './token-events.ts'

describe('the cursor of token events', () => {
  it('A11: is read as it was written', () => {
    const log = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}(\/(hipaa|pci|soc2))?$/)
    fc.assert(
      fc.property(fc.dictionary(log, fc.nat(2 ** 31 - 1), { minKeys: 1, maxKeys: 5 }), (cursor) => {
        expect({ ...readCursor(formatCursor(cursor)) }).toEqual({ ...cursor })
      }),
    )
    expect(readCursor('')).toBeUndefined()
    expect({ ...readCursor('main:12,main/pci:0') }).toEqual({ main: 12, 'main/pci': 0 })
  })

  it.each([
    'main',
    'main:',
    ':1',
    'main:x',
    'main:-1',
    'main:1.5',
    'main:1,',
    'main:1,main:2',
    'Main:1',
    'main:1 ',
    `main:${'1'.repeat(16)}`,
    '__proto__:1',
    Array.from({ length: 21 }, (_, at) => `l${at}:1`).join(','),
    `a${'b'.repeat(3000)}:1`,
  ])('A11: is refused where it is none: %j', (text) => {
    const read = readCursor(text)
    expect(isRefusal(read) && read.code).toBe('input.invalid')
  })
})
