import { describe, expect, it } from 'vitest'
import { budgetOf, budgetShape, subjectOf, usedOf, windowText } from './commands/budget-values.ts'

describe('budget options', () => {
  it('B3: say what is counted, how much and over which time', () => {
    expect(budgetOf({ tenant: true, limitDollars: '50000000000', per: 'day', zone: 'Europe/Berlin' })).toEqual({
      subject: { kind: 'SUBJECT_KIND_TENANT' },
      unit: 'BUDGET_UNIT_NANO_USD',
      limit: '50000000000',
      window: { kind: 'WINDOW_KIND_CALENDAR', duration: 'day', timeZone: 'Europe/Berlin' },
    })
    expect(budgetOf({ keyId: '*', limitRequests: '10', last: '1h' })).toMatchObject({
      subject: { kind: 'SUBJECT_KIND_KEY', id: '*' },
      window: { kind: 'WINDOW_KIND_ROLLING', duration: '1h' },
    })
  })

  it.each([
    ['no subject', { limitTokens: '1', total: true }, /one of --tenant/],
    ['two subjects', { tenant: true, model: 'm', limitTokens: '1', total: true }, /one of --tenant/],
    ['no limit', { tenant: true, total: true }, /Give one limit/],
    ['two limits', { tenant: true, limitTokens: '1', limitRequests: '1', total: true }, /Give one limit/],
    ['no window', { tenant: true, limitTokens: '1' }, /one of --per, --last, --total/],
    ['a zone of no calendar', { tenant: true, limitTokens: '1', last: '1h', zone: 'UTC' }, /--zone goes with --per/],
  ])('B3: %s is a usage error that says what to write', (_, options, why) => {
    expect(() => budgetOf(options)).toThrow(why)
  })

  it('B5: what is used and held is shown in the unit of the budget', () => {
    const budget = budgetShape.parse({
      id: 'bud_1',
      subject: { kind: 'SUBJECT_KIND_TEAM', id: 'red' },
      unit: 'BUDGET_UNIT_NANO_USD',
      limit: '5000000000',
      window: { kind: 'WINDOW_KIND_CALENDAR', duration: 'day', timeZone: 'UTC' },
    })
    expect([subjectOf(budget), windowText(budget)]).toEqual(['team red', 'a day'])
    expect(usedOf(budget, { used: '43460000', held: '1' })).toBe('$0.04346 + $0.000000001 of $5.00')
    expect(usedOf({ ...budget, unit: 'BUDGET_UNIT_TOKENS', limit: '7' }, undefined)).toBe('0 + 0 of 7 tokens')
  })
})
