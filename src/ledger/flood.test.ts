import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Flood } from './flood.ts'

/** A call of one of a few subjects, some milliseconds after the one before. */
const calls = fc.array(fc.tuple(fc.nat(6), fc.oneof(fc.nat(50), fc.nat(200_000))), { maxLength: 400 })

describe('floods', () => {
  it('L14, T2: whatever comes when, entries and counts add up to it, by subject, with the times of the first and the last', () => {
    fc.assert(
      fc.property(
        calls,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (made, ownEntries, subjectsMax) => {
          const flood = new Flood<string>({ ownEntries, subjectsMax })
          const told = new Map<string, number>()
          const add = (subject: string, count: number): void => void told.set(subject, (told.get(subject) ?? 0) + count)
          let nowMs = 0
          const count = (end: boolean): void => {
            for (const { subject, count: many, firstAtMs, lastAtMs, about } of flood.due(nowMs, end)) {
              expect(many).toBeGreaterThan(0)
              expect(firstAtMs).toBeLessThanOrEqual(lastAtMs)
              expect(lastAtMs).toBeLessThanOrEqual(nowMs)
              expect(about).toBe(subject === 'others' ? undefined : subject)
              add(subject, many)
            }
          }
          for (const [who, laterMs] of made) {
            nowMs += laterMs
            count(false)
            const subject = `subject ${who}`
            if (flood.own(subject, nowMs, () => subject)) add(subject, 1)
          }
          count(true)
          const others = told.get('others') ?? 0
          expect([...told.values()].reduce((sum, many) => sum + many, 0)).toBe(made.length)
          for (const [subject, many] of told) {
            const wanted = made.filter(([who]) => `subject ${who}` === subject).length
            if (subject !== 'others') expect(many).toBeLessThanOrEqual(wanted)
            if (others === 0) expect(many).toBe(wanted)
          }
        },
      ),
    )
  })

  it('L14: windows grow while a flood lasts, so that a day of it is few entries', () => {
    const flood = new Flood<string>()
    let entries = 0
    let counted = 0
    const seconds = 24 * 3600
    for (let second = 0; second < seconds; second += 1) {
      for (const { count } of flood.due(second * 1000)) {
        entries += 1
        counted += count
      }
      if (flood.own('one', second * 1000, () => 'one')) {
        entries += 1
        counted += 1
      }
    }
    expect(entries).toBeLessThan(24 * 12 + 10)
    counted += flood.due(seconds * 1000, true).reduce((sum, { count }) => sum + count, 0)
    expect(counted).toBe(seconds)
  })
})
