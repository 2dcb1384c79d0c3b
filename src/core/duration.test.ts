import { expect, it } from 'vitest'
import { parseDuration } from './duration.ts'

it.each([
  ['0s', 0],
  ['500ms', 500],
  ['10s', 10_000],
  ['00:00:10', 10_000],
  ['1.02:00:00', 93_600_000],
  ['PT10S', 10_000],
  ['PT1M30S', 90_000],
  ['P1DT1H', 90_000_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['30d', 2_592_000_000],
])('O1: the duration %s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

it.each(['', 'P', 'PT', 'P1DT', '10', '-1s', '1.5s', '10 s', '1S', '24:60:00', '00:10', 's', '1e3s', '10s '])(
  'O1: %j is no duration',
  (text) => {
    expect(() => parseDuration(text)).toThrow(/such as/)
  },
)
