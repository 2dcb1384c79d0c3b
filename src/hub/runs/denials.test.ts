import { describe, expect, it } from 'vitest'
import { refuse, type Caller } from '#core'
import { effect } from '../ports.ts'
import { denialsOf, type DeniedItem } from './denials.ts'

const uuid = (n: number): string => `0199a3c2-7b1e-7d42-9c55-${String(n).padStart(12, '0')}`
const caller: Caller = {
  kind: 'agent',
  id: `agt_${uuid(1)}`,
  tenant: { id: `ten_${uuid(2)}`, name: 'acme' },
  scopes: new Set(),
  credential: { kind: 'api_key', id: `key_${uuid(3)}` },
}
const of = effect({
  operation: 'spans.claim',
  key: 'a',
  runId: uuid(4),
  args: { owner: uuid(1), spans: [] },
  answer: () => ({}),
})
const over: DeniedItem = {
  of,
  refusal: refuse('budget.exceeded', 'no room', { facts: { budgetId: `bud_${uuid(5)}`, limit: '10' } }),
}
const asking = { caller, requestId: 'r-1' }

describe('items that are refused', () => {
  it('B5: each of the first twenty has an entry with its facts, and all are counted by their code', () => {
    const capped: DeniedItem = { of, refusal: refuse('policy.cap_exceeded', 'too long') }
    const told = denialsOf([...Array.from({ length: 30 }, () => over), capped], asking, 1_800_000_000_000)
    expect(told.told).toEqual({ refused: { 'budget.exceeded': 30, 'policy.cap_exceeded': 1 } })
    expect(told.denied).toHaveLength(31)
    expect(told.entries).toHaveLength(20)
    const [first] = told.entries ?? []
    expect(first).toMatchObject({ log: 'acme', code: 'budget.exceeded', outcome: 'deny', requestId: 'r-1' })
    expect(JSON.parse(first?.body ?? '')).toMatchObject({
      kind: 'budget.denied',
      reason: 'no room',
      args: { budgetId: `bud_${uuid(5)}`, limit: '10', runId: `run_${uuid(4)}` },
    })
    expect(denialsOf([capped], asking, 0).entries).toMatchObject([{ action: 'policy.denied' }])
  })

  it('B5: an item that is refused for another reason is none, and nothing is told of it', () => {
    expect(denialsOf([{ of, refusal: refuse('object.not_found', 'no run') }], asking, 0)).toEqual({})
  })
})
