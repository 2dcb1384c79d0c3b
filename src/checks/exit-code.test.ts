import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exitCodeOf } from './exit-code.ts'
import { joined, outcomes, severities, type Outcome, type Source } from './outcome.ts'

const judged = fc.record({
  outcome: fc.constantFrom(...outcomes),
  severity: fc.constantFrom(...severities),
  known: fc.boolean(),
})

describe('exitCodeOf', () => {
  it.each([
    [[], 3],
    [['NOT_APPLICABLE', 'NOT_APPLICABLE'], 3],
    [['PASS'], 0],
    [['PASS', 'NOT_APPLICABLE', 'WARN', 'MANUAL', 'WAIVED'], 0],
    [['PASS', 'UNKNOWN'], 4],
    [['NOT_APPLICABLE', 'ERROR'], 4],
    [['ERROR', 'FAIL'], 1],
    [['UNKNOWN', 'CONFLICT'], 1],
  ] as const)('V1: %j ends with %i', (all, code) => {
    expect(
      exitCodeOf(
        all.map((outcome: Outcome) => ({ outcome, severity: 'high' as const })),
        'medium',
        false,
      ),
    ).toBe(code)
  })

  it('V1: --fail-on lets milder findings pass', () => {
    const low = [{ outcome: 'FAIL', severity: 'low' }] as const
    expect([exitCodeOf(low, 'medium', false), exitCodeOf(low, 'low', false), exitCodeOf(low, 'info', false)]).toEqual([
      0, 1, 1,
    ])
  })

  it('V1: whatever comes together, the first of 5, 1, 4, 3 is the code', () => {
    fc.assert(
      fc.property(
        fc.array(judged, { maxLength: 8 }),
        fc.constantFrom(...severities),
        fc.boolean(),
        (all, failOn, broken) => {
          const found = all.some(
            ({ outcome, severity, known }) =>
              ['FAIL', 'CONFLICT'].includes(outcome) &&
              !known &&
              severities.indexOf(severity) <= severities.indexOf(failOn),
          )
          const blind = all.some(({ outcome }) => ['ERROR', 'UNKNOWN'].includes(outcome))
          const nothing = all.every(({ outcome }) => outcome === 'NOT_APPLICABLE')
          const holding = [broken && 5, found && 1, blind && 4, nothing && 3, 0].filter((code) => code !== false)
          expect(exitCodeOf(all, failOn, broken)).toBe(holding[0])
        },
      ),
    )
  })

  it('V1: the verdict of a control is the worst of its checks, and a conflict only where sources disagree', () => {
    const result = fc.record({
      source: fc.constantFrom<Source>('repo', 'config', 'live'),
      outcome: fc.constantFrom(...outcomes.filter((each) => each !== 'CONFLICT')),
    })
    fc.assert(
      fc.property(fc.array(result, { minLength: 1, maxLength: 5 }), (all) => {
        const verdict = joined(all) ?? 'none'
        const failing = all.filter(({ outcome }) => outcome === 'FAIL')
        const other = all.some(
          ({ outcome, source }) => outcome === 'PASS' && failing.every((each) => each.source !== source),
        )
        if (failing.length > 0) expect(verdict).toBe(other ? 'CONFLICT' : 'FAIL')
        else expect(verdict).toBe(outcomes.find((each) => all.some(({ outcome }) => outcome === each)))
      }),
    )
  })
})
