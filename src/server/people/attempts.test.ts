import { describe, expect, it } from 'vitest'
import { Gcra } from '#gate'
import { Attempts } from './attempts.ts'

function setUp(perAddress = 1000) {
  let nowMs = 0
  const attempts = new Attempts(
    { now: () => nowMs, monotonic: () => nowMs },
    new Gcra({ perSecond: 1, burst: perAddress }),
  )
  const attempt = (person: string, remote: string, failed = true): number => {
    const one = attempts.begin(person, remote)
    if (typeof one === 'number') return one
    one.end(failed)
    return 0
  }
  return { attempts, attempt, pass: (ms: number) => void (nowMs += ms) }
}

describe('failed sign-ins', () => {
  it('A9: after five from one address a person waits, and then has one at a time', () => {
    const { attempt, pass } = setUp()
    for (let count = 0; count < 5; count += 1) expect(attempt('main/ada', '192.0.2.1')).toBe(0)
    expect(attempt('main/ada', '192.0.2.1')).toBeCloseTo(30_000)
    pass(30_000)
    expect(attempt('main/ada', '192.0.2.1')).toBe(0)
    expect(attempt('main/ada', '192.0.2.1')).toBeGreaterThan(0)
  })

  it('A9: somebody else, and the same person from elsewhere, are not kept waiting', () => {
    const { attempt } = setUp()
    for (let count = 0; count < 6; count += 1) attempt('main/ada', '192.0.2.1')
    expect(attempt('main/bob', '192.0.2.1')).toBe(0)
    expect(attempt('main/ada', '192.0.2.2')).toBe(0)
  })

  it('A9: who guesses from many addresses is slowed down by the person', () => {
    const { attempt } = setUp()
    const waits = Array.from({ length: 101 }, (_, at) => attempt('main/ada', `198.51.100.${at}`))
    expect(waits.filter((wait) => wait > 0)).toHaveLength(1)
  })

  it('A9: who guesses many names from one address is slowed down by the address', () => {
    const { attempt } = setUp(10)
    const waits = Array.from({ length: 11 }, (_, at) => attempt(`main/name-${at}`, '192.0.2.1'))
    expect(waits.filter((wait) => wait > 0)).toHaveLength(1)
  })

  it('A9: attempts at the same time are no more than one after the other', () => {
    const { attempts } = setUp()
    const begun = Array.from({ length: 8 }, () => attempts.begin('main/ada', '192.0.2.1'))
    expect(begun.filter((one) => typeof one !== 'number')).toHaveLength(5)
  })

  it('A9: what succeeded is not counted', () => {
    const { attempt } = setUp()
    for (let count = 0; count < 20; count += 1) expect(attempt('main/ada', '192.0.2.1', false)).toBe(0)
  })
})
