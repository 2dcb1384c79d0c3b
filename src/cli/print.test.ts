import { describe, expect, it } from 'vitest'
import { wantsColours } from './io.ts'
import { paint, printable, relativeTime, table, wrapped } from './print.ts'

const nowMs = Date.parse('2026-11-21T12:00:00Z')

describe('table', () => {
  it('U1: columns are aligned, lines have no blanks at their end', () => {
    const text = table(
      ['NAME', 'ID', 'STATE'],
      [
        ['a', 'agt_1', 'active'],
        ['longer-name', '', ''],
      ],
      paint(false),
    )
    expect(text).toBe('NAME         ID     STATE\na            agt_1  active\nlonger-name\n')
  })

  it('U1: characters of several code units count as one column', () => {
    expect(
      table(
        ['N', 'X'],
        [
          ['e\u0301😀', 'x'],
          ['abc', 'y'],
        ],
        paint(false),
      ),
    ).toBe('N    X\ne\u0301😀   x\nabc  y\n')
  })

  it('U1: text from a server cannot steer the terminal', () => {
    const text = table(['NAME'], [['\u001B[2J\u202Eevil\r\nx']], paint(false))
    expect(text).toBe('NAME\n\\u{1b}[2J\\u{202e}evil\\u{d}\\u{a}x\n')
    expect(printable('plain text, ünïcode ✓')).toBe('plain text, ünïcode ✓')
  })
})

describe('relativeTime', () => {
  it.each([
    [null, 'never'],
    ['2026-11-21T11:59:57Z', 'now'],
    ['2026-11-21T11:59:30Z', '30 seconds ago'],
    ['2026-11-21T11:59:00Z', '1 minute ago'],
    ['2026-11-21T09:00:00Z', '3 hours ago'],
    ['2026-12-21T11:59:58Z', 'in 30 days'],
    ['2027-11-21T12:00:00Z', 'in 12 months'],
    ['2036-11-21T12:00:00Z', 'in 10 years'],
    ['not a time', 'not a time'],
  ])('U1: %j reads %j', (time, expected) => {
    expect(relativeTime(time, nowMs)).toBe(expected)
  })
})

describe('colours', () => {
  it('U1: long lines are broken at blanks where the width is known, and what goes on is set further in', () => {
    const long = `  a.yml:1:2  ${'word '.repeat(20).trim()}`
    const rows = wrapped(`short\n${long}\n`, 60).split('\n')
    expect(rows.every((row) => row.length <= 60)).toBe(true)
    expect(rows.slice(0, 3)).toEqual([
      'short',
      expect.stringMatching(/^ {2}a\.yml:1:2 {2}word/),
      expect.stringMatching(/^ {6}word/),
    ])
    expect(wrapped(long, undefined)).toBe(long)
    expect(wrapped(`  \u001B[1m${'x'.repeat(80)}\u001B[22m`, 60)).toBe(`  \u001B[1m${'x'.repeat(80)}\u001B[22m`)
  })

  it('U1: colours are for terminals only, and NO_COLOR wins', () => {
    expect(wantsColours(true, {})).toBe(true)
    expect(wantsColours(true, { NO_COLOR: '' })).toBe(true)
    expect(wantsColours(true, { NO_COLOR: '1' })).toBe(false)
    expect(wantsColours(true, { TERM: 'dumb' })).toBe(false)
    expect(wantsColours(false, {})).toBe(false)
    expect(paint(false).red('x')).toBe('x')
    expect(paint(true).red('x')).toBe('\u001B[31mx\u001B[39m')
  })
})
