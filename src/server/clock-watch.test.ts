import { pino } from 'pino'
import { expect, it } from 'vitest'
import { ClockWatch } from './clock-watch.ts'

function watch() {
  const lines: { readonly level: number; readonly event: string }[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  return { clocks: new ClockWatch(log), lines }
}

it('O15: clocks more than 1 s apart are a WARN, once while it lasts, in either direction', () => {
  const { clocks, lines } = watch()
  for (const skewMs of [0, 999, 1_500, 2_000, -3_000, 10, -1_200, -1_300]) clocks.measured(skewMs, 0)
  expect(lines.map(({ event, level }) => [event, level])).toEqual([
    ['clock.apart', 40],
    ['clock.agrees', 30],
    ['clock.apart', 40],
  ])
  expect(clocks.notReady()).toBeUndefined()
})

it('O15: clocks more than 30 s apart are not ready, until they agree', () => {
  const { clocks } = watch()
  for (const [skewMs, ready] of [
    [30_000, true],
    [30_001, false],
    [-31_000, false],
    [500, true],
  ] as const) {
    clocks.measured(skewMs, 0)
    expect(clocks.notReady() === undefined, String(skewMs)).toBe(ready)
  }
})

it('O15: what a slow answer leaves open counts in favour of the clocks', () => {
  const { clocks, lines } = watch()
  clocks.measured(2_500, 2_000)
  expect([clocks.skewMs, lines]).toEqual([2_500, []])
})
