import { describe, expect, it } from 'vitest'
import { joined, outcomes, worst, type Outcome, type Source } from './outcome.ts'

const from = (...all: readonly (readonly [Source, Outcome])[]): Outcome | undefined =>
  joined(all.map(([source, outcome]) => ({ source, outcome })))

describe('the verdict over a control', () => {
  it('V1: is a conflict where one source holds and another one does not', () => {
    expect(from(['config', 'PASS'], ['live', 'FAIL'])).toBe('CONFLICT')
    expect(from(['live', 'FAIL'], ['config', 'PASS'])).toBe('CONFLICT')
    expect(from(['repo', 'NOT_APPLICABLE'], ['config', 'FAIL'], ['live', 'PASS'])).toBe('CONFLICT')
  })

  it('V1: is no conflict within one source, nor where the other one could not look', () => {
    expect(from(['config', 'PASS'], ['config', 'FAIL'])).toBe('FAIL')
    for (const outcome of outcomes.filter((each) => each !== 'PASS'))
      expect(from(['config', outcome], ['live', 'FAIL'])).toBe('FAIL')
  })

  it('V1: is otherwise the worst, and what could not be looked at is never a pass', () => {
    expect(from(['config', 'PASS'], ['live', 'UNKNOWN'])).toBe('UNKNOWN')
    expect(from(['config', 'WARN'], ['live', 'ERROR'])).toBe('ERROR')
    expect(from(['config', 'NOT_APPLICABLE'], ['live', 'PASS'])).toBe('NOT_APPLICABLE')
    expect(from()).toBeUndefined()
    for (const outcome of outcomes) expect(worst([outcome, 'PASS'])).toBe(outcome)
  })
})
