import { expect, it } from 'vitest'
import { planPrune, type Month } from './retention.ts'

const month = (retentionClass: string, text: string): Month => {
  const firstMs = Date.parse(`${text}-01T00:00:00Z`)
  const next = new Date(firstMs + 32 * 86_400_000).toISOString().slice(0, 7)
  const nextMs = Date.parse(`${next}-01T00:00:00Z`)
  return { name: `entries_${retentionClass}_${text.replace('-', '')}`, retentionClass, firstMs, nextMs, bytes: 0 }
}
const months = ['2025-01', '2025-02', '2025-03', '2026-10', '2026-11'].map((text) => month('soc2', text))
const input = {
  months,
  hotDays: new Map([['soc2', 366]]),
  holdsIn: () => [],
  nowMs: Date.parse('2026-11-21T00:00:00Z'),
}

it('L12: whole months go once they are older than the policy, and the newest that may go says how far', () => {
  const [plan] = planPrune(input)
  expect(plan?.beforeMs).toBe(Date.parse('2025-04-01T00:00:00Z'))
  expect(plan?.months.map(({ stays }) => stays)).toEqual([
    undefined,
    undefined,
    undefined,
    'not_expired',
    'not_expired',
  ])
  expect(plan?.months.at(-1)?.why).toBe('it is kept until 2027-12-02')
})

it('L12: a month is expired to the millisecond, not before', () => {
  const atMs = Date.parse('2025-02-01T00:00:00Z') + 366 * 86_400_000
  expect(planPrune({ ...input, nowMs: atMs })[0]?.beforeMs).toBe(Date.parse('2025-02-01T00:00:00Z'))
  expect(planPrune({ ...input, nowMs: atMs - 1 })[0]?.beforeMs).toBeUndefined()
})

it('L12: a held month stays, and so does everything after it', () => {
  const holdsIn = (one: Month) => (one.name.endsWith('202502') ? [{ log: 'acme/soc2', reason: 'litigation' }] : [])
  const [plan] = planPrune({ ...input, holdsIn })
  expect(plan?.beforeMs).toBe(Date.parse('2025-02-01T00:00:00Z'))
  expect(plan?.months.map(({ stays }) => stays)).toEqual([
    undefined,
    'held',
    'after_held',
    'not_expired',
    'not_expired',
  ])
  expect(plan?.months[1]?.why).toBe('a legal hold keeps the log acme/soc2: litigation')
})

it('L12: a class without a policy is kept for good, whatever its age', () => {
  const plans = planPrune({ ...input, months: [...months, month('default', '2001-01')] })
  expect(plans.find(({ retentionClass }) => retentionClass === 'default')).toMatchObject({
    beforeMs: undefined,
    months: [{ stays: 'kept_for_good' }],
  })
})
