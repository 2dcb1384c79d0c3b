import { describe, expect, it } from 'vitest'
import { budgetOf, budgetShape, subjectOf, usedOf, windowText } from './commands/budget-values.ts'
import { fakeIo, fakeServer, runLine, type FakeServer } from './fakes.ts'

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

const budget = {
  id: 'bud_1',
  name: 'all',
  subject: { kind: 'SUBJECT_KIND_TENANT' },
  unit: 'BUDGET_UNIT_NANO_USD',
  limit: '50000000000',
  window: { kind: 'WINDOW_KIND_CALENDAR', duration: 'day', timeZone: 'Europe/Berlin' },
  hard: true,
  action: 'BUDGET_ACTION_DENY',
  active: true,
}
const ioFor = ({ url }: FakeServer) => fakeIo({ env: { PORTCULLIS_URL: url } })

describe('budget commands', () => {
  it('B3: list says what is used and held, and how strict each budget is', async () => {
    const window = { used: '1500000000', held: '250000000', resetsAt: '2026-11-21T23:00:00Z' }
    const budgets = [
      { budget, windows: [window] },
      { budget: { ...budget, action: 'BUDGET_ACTION_DRY_RUN' } },
      { budget: { ...budget, hard: false, window: { kind: 'WINDOW_KIND_ROLLING', duration: '1h' } } },
      { budget: { ...budget, active: false, window: { kind: 'WINDOW_KIND_TOTAL' } } },
    ]
    await using server = await fakeServer(() => ({ body: { budgets } }))
    const { code, out } = await runLine('budget list --active', ioFor(server))
    expect([code, server.seen[0]?.message['activeOnly']]).toEqual([0, true])
    const rows = out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    expect(rows[1]).toEqual([
      'bud_1',
      'all',
      'tenant',
      '$1.50 + $0.25 of $50.00',
      'a day in Europe/Berlin',
      '2026-11-21T23:00:00Z',
      'hard',
    ])
    expect(rows.slice(2).map((cells) => cells.slice(4))).toEqual([
      ['a day in Europe/Berlin', '-', 'dry run'],
      ['the last 1h', '-', 'soft'],
      ['for good', '-', 'inactive'],
    ])
  })

  it('B3: set sends a hard budget that denies, or what its options say instead', async () => {
    await using server = await fakeServer(() => ({ body: { budget } }))
    const plain = await runLine('budget set --tenant --limit-dollars 50 --per day --zone Europe/Berlin', ioFor(server))
    expect([plain.code, plain.out]).toEqual([
      0,
      'Budget bud_1: tenant, $0.00 + $0.00 of $50.00, a day in Europe/Berlin.\n',
    ])
    expect(server.seen[0]?.message['budget']).toMatchObject({
      limit: '50000000000',
      hard: true,
      action: 'BUDGET_ACTION_DENY',
      active: true,
    })
    const line =
      'budget set --id bud_1 --name n --agent * --limit-requests 9 --last 1h --soft --dry-run --inactive --json'
    const json = await runLine(line, ioFor(server))
    expect(JSON.parse(json.out)).toMatchObject({ id: 'bud_1', hard: true })
    expect(server.seen[1]?.message['budget']).toMatchObject({
      id: 'bud_1',
      name: 'n',
      subject: { kind: 'SUBJECT_KIND_AGENT', id: '*' },
      hard: false,
      action: 'BUDGET_ACTION_DRY_RUN',
      active: false,
    })
  })

  it('B3: an agent may be named, and is sent by its id; one that is not there is said to be missing', async () => {
    await using server = await fakeServer(({ path }) =>
      path.endsWith('/ListAgents') ? { body: { agents: [{ id: 'agt_1', name: 'researcher' }] } } : { body: { budget } },
    )
    const line = 'budget set --limit-requests 2 --per day --agent'
    expect((await runLine(`${line} researcher`, ioFor(server))).code).toBe(0)
    expect(server.seen.at(-1)?.message['budget']).toMatchObject({
      subject: { kind: 'SUBJECT_KIND_AGENT', id: 'agt_1' },
    })
    const missing = await runLine(`${line} reseacher`, ioFor(server))
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('Did you mean researcher?')])
  })

  it('B3: delete names the budget', async () => {
    await using server = await fakeServer(() => ({ body: {} }))
    expect((await runLine('budget delete bud_1', ioFor(server))).out).toBe('The budget bud_1 is gone.\n')
    expect(JSON.parse((await runLine('budget delete bud_1 --json', ioFor(server))).out)).toEqual({ deleted: 'bud_1' })
    expect(server.seen.map(({ message }) => message)).toEqual([{ budgetId: 'bud_1' }, { budgetId: 'bud_1' }])
  })

  it('B6: simulate asks for the last days, and says when the first would have been refused', async () => {
    const told = { attempts: '40', admitted: '38', denied: '2', firstDeniedAt: '2026-11-20T08:00:00Z' }
    await using server = await fakeServer((_, count) => ({
      body: count === 1 ? told : { attempts: '3', admitted: '3' },
    }))
    const budgeted = 'budget simulate --tenant --limit-dollars 5 --per day'
    const some = await runLine(`${budgeted} --days 30`, ioFor(server))
    expect(some.out).toBe('40 attempts: 38 admitted, 2 refused, the first at 2026-11-20T08:00:00Z.\n')
    expect((await runLine(budgeted, ioFor(server))).out).toBe('3 attempts: 3 admitted, 0 refused.\n')
    expect(server.seen.map(({ message }) => message['from'])).toEqual([
      '2026-10-22T12:00:00.000Z',
      '2026-11-14T12:00:00.000Z',
    ])
    expect(JSON.parse((await runLine(`${budgeted} --json`, ioFor(server))).out)).toMatchObject({ firstDeniedAt: null })
    const wrong = await runLine(`${budgeted} --days 32`, ioFor(server))
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('Write a number of days, 1 to 31.')])
  })

  it('B4: reservations show what is held and settled, and which came late or were killed', async () => {
    const reservations = [
      { id: 'res_1', state: 'RESERVATION_STATE_HELD', agentId: 'agt_1', heldNanoUsd: '20000000', heldTokens: '100' },
      { id: 'res_2', state: 'RESERVATION_STATE_SETTLED', model: 'gpt-5', late: true, killed: true },
    ]
    await using server = await fakeServer((_, count) => ({ body: count === 1 ? { reservations } : {} }))
    const line = 'budget reservations --state held --run run_1 --agent agt_1'
    const { out } = await runLine(line, ioFor(server))
    expect(server.seen[0]?.message).toMatchObject({ state: 'RESERVATION_STATE_HELD', runId: 'run_1', agentId: 'agt_1' })
    expect(out).toMatch(/^res_1 +held +agt_1 +\$0\.02, 100 tokens +\$0\.00, 0 tokens/m)
    expect(out).toMatch(/^res_2 +settled, late, killed +gpt-5 +- /m)
    expect((await runLine('budget reservations', ioFor(server))).err).toBe('There are no reservations.\n')
    expect((await runLine('budget reservations --state lost')).err).toContain('Allowed choices are held, settled')
  })
})
