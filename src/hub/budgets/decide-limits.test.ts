import { describe, expect, it } from 'vitest'
import { noPrices } from '../costs/ports.ts'
import type { HandlerContext } from '../handler.ts'
import type { SpendArgs, SpendAttempt } from '../ports.ts'
import { chargedAttempt } from './attempt-effect.ts'
import { attempt, attemptOf, budgetOf, extend, noCaps, reserve, settle, Table, who } from './decide.fixture.ts'

/** Of a tenant without limits on attempts. */
const paidBy = (reservationId: string, nanoUsd: bigint, more: Partial<SpendAttempt> = {}): SpendArgs =>
  ({ ...attempt(reservationId, nanoUsd, 1n), rules: noCaps, ...more }) as SpendArgs
const asking = (id: string, nanoUsd: bigint, more: object): SpendArgs => ({ ...reserve(id, nanoUsd), ...more })
const refusal = (code: string) => ({ verdict: 'refused', refusal: { code } })
const bigMax = 9_000_000_000_000_000_000n

describe('what a reservation pays for', () => {
  it.each([
    ['run', { runId: 'other' }, {}],
    ['model', { model: 'cheap', models: ['cheap'] }, {}],
    ['provider', { provider: 'one' }, { attempt: { ...attemptOf('run', 20n), provider: 'two' } }],
    ['tool', { tool: 'one' }, { tool: 'two' }],
  ])('B4: a reservation for another %s does not pay for an attempt', (name, reserved, attempted) => {
    const table = new Table([budgetOf()])
    table.decide([asking('r', 60n, reserved)])
    expect(table.decide([paidBy('r', 20n, attempted)])[0]).toMatchObject({
      verdict: 'refused',
      refusal: { code: 'object.state', detail: `the reservation was made for another ${name}` },
    })
    expect(table.reservations.get('r')).toMatchObject({ state: 1, seenNanoUsd: 0n })
  })

  it('B4: a budget that could not know of an attempt from its reservation is asked, and counts it', () => {
    const table = new Table([budgetOf(), budgetOf({ id: 'b2', subjectKind: 5, subjectId: '*', limit: 30n })])
    table.decide([reserve('r', 20n), reserve('s', 20n)])
    const [first, second] = table.decide([paidBy('r', 20n), paidBy('s', 20n)])
    expect([first, second]).toMatchObject([{ verdict: 'done' }, refusal('budget.exceeded')])
    expect(table.windows.get('b2 run 0')).toMatchObject({ held: 0n, settled: 20n })
    // It was spent, and so its reservation keeps it.
    expect(table.reservations.get('s')).toMatchObject({ state: 1, seenNanoUsd: 20n })
    table.expectExact()
  })

  it('B4: a reservation pays for one attempt', () => {
    const table = new Table([budgetOf()])
    table.decide([reserve('r', 40n), reserve('s', 40n)])
    expect(table.decide([paidBy('r', 20n), paidBy('r', 20n)])).toMatchObject([
      { verdict: 'done' },
      refusal('object.state'),
    ])
    // One that was settled by itself pays for the attempt that it was settled for.
    table.decide([settle('s', 20n)])
    expect(table.decide([paidBy('s', 20n), paidBy('s', 20n)])).toMatchObject([
      { verdict: 'done', unchanged: true },
      refusal('object.state'),
    ])
    table.expectExact()
  })
})

describe('the bounds of a reservation', () => {
  it('B4: what is added to a reservation of a rolling window has room beside all that came since', () => {
    const rolling = { windowKind: 2, durationMs: 3000 }
    const table = new Table([budgetOf(rolling)])
    table.decide([reserve('a', 10n)])
    table.budgets[0] = budgetOf({ ...rolling, startMs: 2000, fromMs: -1000 })
    table.decide([reserve('b', 80n)])
    expect(table.decide([extend('a', 20n, 0n)])[0]).toMatchObject(refusal('budget.exceeded'))
    expect(table.decide([extend('a', 10n, 0n)])[0]).toMatchObject({ verdict: 'done' })
    expect(table.windows.get('b1  0')?.held).toBe(20n)
  })

  it.each([{ hard: false }, { action: 2 }])(
    'B4: what is held is never more than can be stored, under %o too',
    (soft) => {
      const window = { budgetId: 'b1', subject: '', startMs: 0, settled: 0n, alerted: 0 }
      const table = new Table([budgetOf(soft)])
      table.windows.set('b1  0', { ...window, held: bigMax - 10n })
      const [fits, too] = table.decide([reserve('r', 5n), reserve('s', 6n)])
      const [more] = table.decide([extend('r', 6n, 0n)])
      expect([fits, too, more]).toMatchObject([
        { verdict: 'done' },
        refusal('budget.exceeded'),
        refusal('budget.exceeded'),
      ])
      expect(table.decide([reserve('t', 10n ** 15n + 1n)])[0]).toMatchObject(refusal('input.invalid'))
      expect(table.decide([reserve('t', 0n, 10n ** 9n + 1n)])[0]).toMatchObject(refusal('input.invalid'))
    },
  )

  it('B4: a settlement is at least the price of its tokens, and what was seen', () => {
    const table = new Table([budgetOf()])
    table.decide([reserve('r', 60n), reserve('s', 40n)])
    const priced = { ...settle('r', 1n), priceOf: () => 30n } as SpendArgs
    expect(table.decide([priced])[0]).toMatchObject({ verdict: 'done', settledNanoUsd: 30n })
    expect(table.decide([priced])[0]).toMatchObject({ verdict: 'done', settledNanoUsd: 30n, unchanged: true })
    table.decide([extend('s', 0n, 25n)])
    expect(table.decide([settle('s', 1n)])[0]).toMatchObject({ verdict: 'done', settledNanoUsd: 25n })
    expect(table.reservations.get('s')?.settledTokens).toBe(25n)
    // Without a price, what was seen is a guess.
    table.decide([reserve('t', 10n)])
    table.decide([extend('t', 0n, 9n)])
    const unpriced = { ...settle('t', 3n), isPriced: () => false } as SpendArgs
    expect(table.decide([unpriced])[0]).toMatchObject({ settledNanoUsd: 3n })
    table.expectExact()
  })

  it('B4: a settlement that says no tokens is believed down to what was seen, and one that says nothing not at all', () => {
    const silent = (id: string, nanoUsd?: bigint): SpendArgs =>
      ({ ...settle(id, nanoUsd ?? 0n), nanoUsd, tokens: undefined }) as SpendArgs
    const table = new Table([budgetOf()])
    table.decide([reserve('a', 20n, 20n), reserve('b', 20n, 20n), reserve('c', 20n, 20n), reserve('d', 20n, 20n)])
    table.decide([extend('a', 0n, 8n), extend('b', 0n, 8n), extend('d', 0n, 8n)])
    // Nothing was seen: the amount is what the caller says, the tokens are what was held.
    expect(table.decide([silent('c', 2n)])[0]).toMatchObject({ verdict: 'done', settledNanoUsd: 2n })
    expect(table.decide([silent('a', 2n), silent('b')])).toMatchObject([
      { verdict: 'done', settledNanoUsd: 8n },
      { verdict: 'done', settledNanoUsd: 20n },
    ])
    // Late, what its expiry has booked at what was seen is not taken back.
    table.nowMs = 5000
    table.decide([{ ...who, kind: 'expire', reservationId: 'd', killed: false }])
    expect(table.decide([silent('d', 2n)])[0]).toMatchObject({ settledNanoUsd: 8n, late: true })
    const tokens = ['a', 'b', 'c', 'd'].map((id) => table.reservations.get(id)?.settledTokens)
    expect(tokens).toEqual([20n, 20n, 20n, 20n])
    table.expectExact()
  })

  it('B4: an attempt of another time counts at the price of now', () => {
    const nowMs = Date.UTC(2026, 0, 1)
    const caller = { tenant: { id: 'ten_x', name: 'x' }, credential: { id: '' }, principal: {} }
    const prices = {
      ...noPrices,
      quoteOf: (_: object, __: object, atMs: number) => ({ nanoUsd: atMs === nowMs ? 9n : 2n, unitPrices: '' }),
    }
    const context = { caller, prices, rules: { of: () => ({ ...noCaps, budgets: true }) } } as unknown as HandlerContext
    const countedAt = (createdAtMs: number): unknown => {
      const told = { ...attemptOf('run', 2n), inputTokens: '10', createdAtMs }
      const asked = { attempt: told, models: [], reservationId: null, tool: '', nowMs, answer: () => ({}) }
      return (chargedAttempt(asked, context) as unknown as { readonly args: SpendAttempt }).args.nanoUsd
    }
    expect([countedAt(nowMs - 60_000), countedAt(nowMs - 600_000)]).toEqual([2n, 9n])
  })
})

describe('caps before a call', () => {
  const policy = { maxCostPerRunNanoUsd: 50n, maxAttemptsPerRun: 0n, maxTokensPerRun: 0n, maxLatencyPerAttemptMs: 1n }
  const rules = { policy, caps: [] }

  it('B1: a reserve whose bound would break a limit is refused, and nothing is held', () => {
    const table = new Table([budgetOf()])
    const asked = [asking('r', 51n, { runId: 'run', rules }), asking('s', 50n, { runId: 'run', rules })]
    expect(table.decide(asked)).toMatchObject([refusal('policy.cap_exceeded'), { verdict: 'done' }])
    expect(table.decide([{ ...extend('s', 1n, 0n), rules } as SpendArgs])[0]).toMatchObject(
      refusal('policy.cap_exceeded'),
    )
    expect(table.windows.get('b1  0')?.held).toBe(50n)
  })

  it('B1: where the output is left open, as much is admitted as the limits allow', () => {
    const table = new Table([budgetOf()])
    const open = { mayCap: true, maxOutputTokens: 1000n, costOf: (output: bigint) => output, rules }
    expect(table.decide([asking('r', 0n, open)])[0]).toMatchObject({ capped: true, maxOutputTokens: 50n })
  })
})
