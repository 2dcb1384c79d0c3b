import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refuse } from '#core'
import { Table, attempt, budgetOf, dayMs, extend, reserve, settle, who } from './decide.fixture.ts'
import type { SpendArgs } from './spend-rows.ts'

const call = fc.oneof(
  fc.record({ kind: fc.constant('reserve'), amount: fc.bigInt(0n, 40n), tokens: fc.bigInt(0n, 40n) }),
  fc.record({ kind: fc.constant('settle'), of: fc.nat(30), amount: fc.bigInt(1n, 50n), tokens: fc.bigInt(0n, 50n) }),
  fc.record({ kind: fc.constant('extend'), of: fc.nat(30), amount: fc.bigInt(0n, 20n), tokens: fc.bigInt(0n, 20n) }),
  fc.record({ kind: fc.constant('release'), of: fc.nat(30) }),
  fc.record({ kind: fc.constant('expire'), of: fc.nat(30) }),
  fc.record({ kind: fc.constant('kill'), of: fc.nat(30) }),
  fc.record({ kind: fc.constant('wait'), ms: fc.nat(2000) }),
)

describe('decisions on spending', () => {
  it('B4: whatever is reserved, settled, extended, released, expired, killed or done twice: the sums are exact, and no hard budget is exceeded by what was admitted', () => {
    fc.assert(
      fc.property(fc.array(fc.array(call, { maxLength: 6 }), { maxLength: 30 }), (batches) => {
        const table = new Table([
          budgetOf(),
          budgetOf({ id: 'b2', unit: 2, limit: 120n, windowKind: 2, durationMs: 3000 }),
          budgetOf({ id: 'b3', unit: 3, limit: 8n, windowKind: 3, resetsAtMs: null }),
          budgetOf({ id: 'b4', hard: false, limit: 10n }),
        ])
        let made = 0
        for (const batch of batches) {
          const waits = batch.reduce((sum, one) => sum + ('ms' in one ? one.ms : 0), 0)
          table.nowMs += waits
          const at = Math.floor(table.nowMs / 1000) * 1000
          const rolling = table.budgets[1]
          if (rolling !== undefined)
            table.budgets[1] = { ...rolling, startMs: at, fromMs: Math.floor((table.nowMs - 3000) / 1000) * 1000 }
          const before = JSON.stringify([...table.windows], (_, value: unknown) =>
            typeof value === 'bigint' ? `${value}` : value,
          )
          const calls = batch.flatMap((one): SpendArgs[] => {
            const id = `r${'of' in one ? one.of : -1}`
            if (one.kind === 'reserve' && 'amount' in one) return [reserve(`r${made++}`, one.amount, one.tokens)]
            if (one.kind === 'settle' && 'amount' in one) return [settle(id, one.amount, one.tokens)]
            if (one.kind === 'extend' && 'amount' in one) return [extend(id, one.amount, one.tokens)]
            if (one.kind === 'release') return [{ ...who, kind: 'release', reservationId: id }]
            if (one.kind === 'expire') return [{ ...who, kind: 'expire', reservationId: id, killed: false }]
            if (one.kind === 'kill') return [{ ...who, kind: 'expire', reservationId: id, killed: true }]
            return []
          })
          const rows = table.decide(calls)
          table.expectExact()
          expect(rows).toHaveLength(calls.length)
          // A denial changes nothing.
          if (rows.every(({ verdict }) => verdict === 'refused')) {
            const after = JSON.stringify([...table.windows], (_, value: unknown) =>
              typeof value === 'bigint' ? `${value}` : value,
            )
            expect(after).toBe(before)
          }
        }
        // Each leaves the state held once.
        expect(new Set(table.left).size).toBe(table.left.length)
        if (
          table.overage ||
          [...table.reservations.values()].some((one) => one.state === 4 && one.settledNanoUsd + one.settledTokens > 0n)
        )
          return
        for (const { budgetId, held, settled } of table.windows.values()) {
          const budget = table.budgets.find(({ id }) => id === budgetId)
          if (budget?.hard === true) expect(held + settled <= budget.limit).toBe(true)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('B4: of many reserves in one batch as many are admitted as have room, in their order', () => {
    const table = new Table([budgetOf()])
    const rows = table.decide(Array.from({ length: 30 }, (_, n) => reserve(`r${n}`, 10n)))
    expect(rows.map(({ verdict }) => verdict)).toEqual([
      ...Array<string>(10).fill('done'),
      ...Array<string>(20).fill('refused'),
    ])
  })

  it('B4: a settlement after midnight lands in the day that was reserved', () => {
    const table = new Table([budgetOf()])
    table.decide([reserve('r', 60n)])
    table.budgets[0] = budgetOf({ startMs: dayMs, fromMs: dayMs, resetsAtMs: 2 * dayMs })
    table.decide([settle('r', 40n)])
    expect([...table.windows.values()].map(({ startMs, held, settled }) => [startMs, held, settled])).toEqual([
      [0, 0n, 40n],
    ])
    // The new day has all of its room.
    expect(table.decide([reserve('n', 100n)])[0]?.verdict).toBe('done')
  })

  it('B4: use leaves a rolling window with its bucket', () => {
    const rolling = { windowKind: 2, durationMs: 3000 }
    const table = new Table([budgetOf(rolling)])
    table.decide([reserve('a', 90n)])
    table.budgets[0] = budgetOf({ ...rolling, startMs: 2000, fromMs: -1000 })
    const denied = table.decide([reserve('b', 20n)])[0]
    expect(denied).toMatchObject({
      verdict: 'refused',
      refusal: { facts: { held: '90', resetsAt: new Date(4000).toISOString() } },
    })
    table.budgets[0] = budgetOf({ ...rolling, startMs: 4000, fromMs: 1000 })
    expect(table.decide([reserve('c', 20n)])[0]?.verdict).toBe('done')
  })

  it('B4: a limit of 0 has room for nothing, not for what is free either', () => {
    const table = new Table([budgetOf({ limit: 0n })])
    expect(table.decide([reserve('r', 0n)])[0]).toMatchObject({
      verdict: 'refused',
      refusal: { code: 'budget.exceeded' },
    })
  })

  it('B4: where nobody says what was used, what was held is', () => {
    const table = new Table([budgetOf()])
    table.decide([reserve('r', 30n)])
    const untold = {
      ...who,
      kind: 'settle',
      reservationId: 'r',
      tokens: undefined,
      nanoUsd: undefined,
      priceOf: () => undefined,
      isPriced: () => true,
    } as const
    expect(table.decide([untold])[0]).toMatchObject({ verdict: 'done', settledNanoUsd: 30n })
    expect(table.decide([untold])[0]).toMatchObject({ verdict: 'done', settledNanoUsd: 30n, unchanged: true })
  })

  it('B4: as many output tokens as there is room for are admitted, to the token', () => {
    const table = new Table([budgetOf()])
    const args = {
      ...reserve('r', 0n),
      mayCap: true,
      maxOutputTokens: 1000n,
      costOf: (output: bigint) => 5n + output * 3n,
    } as SpendArgs
    expect(table.decide([args])[0]).toMatchObject({
      verdict: 'done',
      capped: true,
      maxOutputTokens: 31n,
      heldNanoUsd: 98n,
    })
  })

  it('B4: an attempt that a cap refuses is not recorded, and what it spent is booked with the expiry of its reservation', () => {
    const table = new Table([budgetOf(), budgetOf({ id: 'b2', unit: 2 })])
    table.decide([reserve('r', 60n, 30n)])
    const refused = { verdict: 'refused', refusal: { code: 'policy.cap_exceeded' } }
    // Said twice, it was spent once.
    const rows = table.decide([attempt('r', 40n, 20n), attempt('r', 40n, 20n)])
    expect(rows).toMatchObject([refused, refused])
    expect(table.reservations.get('r')).toMatchObject({ state: 1, seenNanoUsd: 40n, seenTokens: 20n })
    const release = { ...who, kind: 'release', reservationId: 'r' } as const
    expect(table.decide([release])[0]).toMatchObject({ verdict: 'refused', refusal: { code: 'object.state' } })
    table.nowMs = 2000
    table.decide([{ ...who, kind: 'expire', reservationId: 'r', killed: false }])
    const used = (): unknown => [...table.windows.values()].map(({ held, settled }) => [held, settled])
    expect(used()).toEqual([
      [0n, 40n],
      [0n, 20n],
    ])
    table.expectExact()
    // After the expiry nothing else would book it.
    expect(table.decide([attempt('r', 50n, 25n)])[0]).toMatchObject(refused)
    expect(used()).toEqual([
      [0n, 50n],
      [0n, 25n],
    ])
    expect([table.reservations.get('r')?.late, table.overage]).toEqual([true, true])
    table.expectExact()
  })

  it('K1: what holds a model or a tool that is stopped gets nothing more', () => {
    const table = new Table([budgetOf()])
    table.decide([reserve('r', 10n)])
    const [asked, before] = [extend('r', 1n, 0n), table.reservations.get('r')]
    const stopped = () => refuse('kill.engaged', 'a test')
    expect(table.decide([{ ...asked, stopped } as SpendArgs])[0]).toMatchObject({ refusal: { code: 'kill.engaged' } })
    expect(table.reservations.get('r')).toBe(before)
    expect(table.decide([asked])[0]).toMatchObject({ verdict: 'done' })
  })

  it('B4: an attempt that a cap refuses leaves the reservation of another caller as it is', () => {
    const table = new Table([budgetOf()])
    table.decide([reserve('r', 60n)])
    const before = table.reservations.get('r')
    const stranger = { ...attempt('r', 40n, 20n), ownerAgentId: 'other' }
    expect(table.decide([stranger])[0]).toMatchObject({ verdict: 'refused', refusal: { code: 'policy.cap_exceeded' } })
    expect(table.reservations.get('r')).toBe(before)
  })

  it('B6: a dry run answers what the reserve would, and leaves nothing behind', () => {
    for (const amount of [50n, 150n]) {
      const [tried, table] = [new Table([budgetOf()]), new Table([budgetOf()])]
      const dry = tried.decide([{ ...reserve('r', amount), dryRun: true } as SpendArgs])[0]
      const real = table.decide([reserve('r', amount)])[0]
      expect(dry?.verdict === 'done' && dry.denial === undefined).toBe(real?.verdict === 'done')
      expect([tried.windows.size, tried.reservations.size]).toEqual([0, 0])
    }
  })
})
