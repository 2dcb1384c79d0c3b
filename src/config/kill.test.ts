import { describe, expect, it } from 'vitest'
import { killRulesAreSound } from './kill-rules.ts'
import { configSchema } from './schema.ts'

const rule = { name: 'denials', on: 'denial_rate', threshold: 0.5 }
const pathsOf = (auto: readonly object[]): readonly string[] =>
  killRulesAreSound({ config: configSchema.parse({ kill: { auto } }) }).map(({ path }) => path)

describe('the settings of the kill switch', () => {
  it('K6: a rule has sensible defaults, and begins by noting only', () => {
    expect(configSchema.parse({ kill: { auto: [rule] } }).kill.auto).toEqual([
      { ...rule, scope: 'agent', windowSeconds: 60, minSamples: 20, mode: 'shadow' },
    ])
    expect(pathsOf([rule, { ...rule, name: 'spend', on: 'spend_rate', threshold: '20.5' }])).toEqual([])
  })

  it('K6: thresholds that cannot be reached and names that are taken are told', () => {
    expect(pathsOf([rule, { ...rule, threshold: 1.5 }])).toEqual(['kill.auto.1.name', 'kill.auto.1.threshold'])
    expect(
      pathsOf([
        { ...rule, threshold: 0 },
        { ...rule, name: 'b', on: 'spend_rate', threshold: '0' },
      ]),
    ).toEqual(['kill.auto.0.threshold', 'kill.auto.1.threshold'])
  })

  it.each([
    { ...rule, on: 'rate' },
    { ...rule, name: 'Not Good' },
    { ...rule, threshold: '-1' },
    { ...rule, threshold: 'half' },
    { ...rule, windowSeconds: 0 },
    { ...rule, mode: 'kill' },
    { ...rule, more: true },
  ])('K6: what is no rule is refused %#', (wrong) => {
    expect(configSchema.safeParse({ kill: { auto: [wrong] } }).success).toBe(false)
  })
})
