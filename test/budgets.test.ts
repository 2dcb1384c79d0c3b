import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ReserveRequestSchema, ReserveResponseSchema } from '@portcullis/contract'
import { grpcClient, type GrpcClient } from './harness/grpc.ts'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'

const scopes = ['budget:spend', 'telemetry:write']
const dime = 100_000_000
const day = { kind: 'WINDOW_KIND_CALENDAR', duration: 'day' }

let instance: TestInstance
let grpc: GrpcClient
let agent: { readonly id: string; readonly key: string; readonly keyId: string }
let rival: { readonly id: string; readonly key: string }

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__KEY__BURST: '1000000',
    PORTCULLIS__LIMITS__RATE__KEY__PER_SECOND: '1000000',
    PORTCULLIS__LIMITS__QUEUE__WAIT_MS: '60000',
  })
  grpc = grpcClient(instance.grpc)
  agent = await instance.agent('spender', scopes)
  rival = await instance.agent('rival', scopes)
})
afterAll(async () => {
  grpc.close()
  await instance.stop()
})

const spend = (method: string, body: object, key = agent.key): Promise<Answer> =>
  instance.call(`BudgetService/${method}`, body, { key })

/** A budget of its own for one test, over calls of that model. */
async function budget(model: string, more: object = {}): Promise<string> {
  const subject = { kind: 'SUBJECT_KIND_MODEL', id: model }
  const given = { name: model, subject, unit: 'BUDGET_UNIT_NANO_USD', limit: String(50 * dime), window: day, ...more }
  const { body, status } = await instance.call('BudgetService/UpsertBudget', { budget: given })
  expect([status, body.detail]).toEqual([200, undefined])
  return body.budget.id
}

async function useOf(id: string): Promise<{ readonly used: string; readonly held: string } | undefined> {
  const { body } = await instance.call('BudgetService/ListBudgets', { pageSize: 1000 })
  const found = body.budgets.find((one: { budget: { id: string } }) => one.budget.id === id)
  return found.windows[0] && { used: found.windows[0].used ?? '0', held: found.windows[0].held ?? '0' }
}

async function entriesOf(action: string): Promise<readonly Record<string, unknown>[]> {
  const { body } = await instance.call('LedgerService/Query', { log: 'main', action, pageSize: 100 })
  return body.entries.map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body.args)
}

const selfCheck = async (): Promise<readonly unknown[]> =>
  (await (await instance.connect('postgres')).query('select * from portcullis.check_budgets()')).rows

describe('budgets', () => {
  it('B4: of 1,000 reserves of $0.10 at the same time over gRPC against $5 exactly fifty are admitted', async () => {
    const id = await budget('burst')
    const bytes = toBinary(
      ReserveRequestSchema,
      create(ReserveRequestSchema, { model: 'burst', amountNanoUsd: BigInt(dime), ttlSeconds: 600 }),
    )
    const path = '/portcullis.v1.BudgetService/Reserve'
    const answers = await Promise.all(
      Array.from({ length: 1000 }, () => grpc.call(path, bytes, { authorization: `Bearer ${agent.key}` })),
    )
    const admitted = answers.filter(({ code }) => code === 0)
    expect(admitted).toHaveLength(50)
    const refused = answers.filter(({ code }) => code !== 0)
    expect([refused.length, [...new Set(refused.map(({ reason }) => reason))]]).toEqual([950, ['budget.exceeded']])
    expect(
      new Set(admitted.map((one) => fromBinary(ReserveResponseSchema, one.bytes ?? new Uint8Array()).reservationId))
        .size,
    ).toBe(50)
    expect(await useOf(id)).toEqual({ used: '0', held: String(50 * dime) })
    const held = await instance.call('BudgetService/ListReservations', { state: 'held', pageSize: 1000 })
    const ours = held.body.reservations.filter(({ model }: { model: string }) => model === 'burst')
    expect([ours.length, ours[0].agentId]).toEqual([50, agent.id])
    expect(await selfCheck()).toEqual([])
  })

  it('B5: a denial names the subject, the limit, what is used and held, and the reset; it changes no counter', async () => {
    const id = await budget('dear', { limit: String(10 * dime) })
    const held = await spend('Reserve', { model: 'dear', amountNanoUsd: String(6 * dime) })
    expect(held.body).toMatchObject({ decision: 'BUDGET_DECISION_ADMITTED', heldNanoUsd: String(6 * dime) })
    expect(held.body.headroom).toMatchObject([{ budgetId: id, held: String(6 * dime), remaining: String(4 * dime) }])
    const before = await useOf(id)
    const denied = await spend('Reserve', { model: 'dear', amountNanoUsd: String(5 * dime) })
    expect([denied.status, denied.body.code]).toEqual([402, 'budget.exceeded'])
    expect(denied.body.facts).toMatchObject({
      budgetId: id,
      subject: 'model:dear',
      unit: 'nano_usd',
      limit: String(10 * dime),
      used: '0',
      held: String(6 * dime),
      asked: String(5 * dime),
    })
    const resets = Date.parse(denied.body.facts.resetsAt)
    expect(resets % 86_400_000).toBe(0)
    expect(resets - Date.now()).toBeLessThanOrEqual(86_400_000)
    expect(await useOf(id)).toEqual(before)
    // Lower than what is in use: allowed, and it blocks.
    await instance.call('BudgetService/UpsertBudget', {
      budget: {
        id,
        subject: { kind: 'SUBJECT_KIND_MODEL', id: 'dear' },
        unit: 'BUDGET_UNIT_NANO_USD',
        limit: '1',
        window: day,
      },
    })
    expect((await spend('Reserve', { model: 'dear', amountNanoUsd: '1' })).status).toBe(402)
    const settled = await spend('Settle', { reservationId: held.body.reservationId, amountNanoUsd: String(2 * dime) })
    expect(settled.body).toMatchObject({ settledNanoUsd: String(2 * dime) })
    expect(await useOf(id)).toEqual({ used: String(2 * dime), held: '0' })
  })

  it('B4: settled twice, released, extended, of another agent: the same reply or a clear refusal', async () => {
    const id = await budget('twice')
    const reserve = async (): Promise<string> =>
      (await spend('Reserve', { model: 'twice', amountNanoUsd: String(dime) })).body.reservationId
    const [one, two] = [await reserve(), await reserve()]
    const settle = { reservationId: one, amountNanoUsd: '5', tokens: { input: '3' } }
    const first = await spend('Settle', settle)
    expect((await spend('Settle', settle)).body).toEqual(first.body)
    const other = await spend('Settle', { ...settle, amountNanoUsd: '6' })
    expect([other.status, other.body.code]).toEqual([412, 'object.state'])
    for (const method of ['Settle', 'Extend', 'Release']) {
      const foreign = await spend(method, { reservationId: two }, rival.key)
      expect([method, foreign.status, foreign.body.code]).toEqual([method, 404, 'object.not_found'])
    }
    const extended = await spend('Extend', { reservationId: two, addAmountNanoUsd: '7', ttlSeconds: 3600 })
    expect(extended.body.heldNanoUsd).toBe(String(dime + 7))
    const much = await spend('Extend', { reservationId: two, addAmountNanoUsd: String(60 * dime) })
    expect([much.status, much.body.facts.asked]).toEqual([402, String(60 * dime)])
    expect((await spend('Release', { reservationId: two })).status).toBe(200)
    expect((await spend('Settle', { reservationId: two, amountNanoUsd: '1' })).body.code).toBe('object.state')
    expect(await useOf(id)).toEqual({ used: '5', held: '0' })
  })

  it('B4: what nobody settles expires, and a late settlement is booked', async () => {
    const id = await budget('expiring')
    const { body } = await spend('Reserve', { model: 'expiring', amountNanoUsd: String(dime), ttlSeconds: 1 })
    await vi.waitFor(async () => expect(await useOf(id)).toEqual({ used: '0', held: '0' }), {
      timeout: 8000,
      interval: 200,
    })
    expect(await entriesOf('budget.reservation_expired')).toMatchObject([{ reservationId: body.reservationId }])
    const late = await spend('Settle', { reservationId: body.reservationId, amountNanoUsd: '9' })
    expect(late.body).toMatchObject({ late: true, settledNanoUsd: '9', overageNanoUsd: '9' })
    expect(await useOf(id)).toEqual({ used: '9', held: '0' })
    expect(await selfCheck()).toEqual([])
  })

  it('B4: an attempt settles its reservation at the cost that is recorded, or is charged at once; one too many is refused', async () => {
    const id = await budget('gpt-4o', { limit: '1000000000' })
    const run = await instance.call('HubService/StartRun', { workflow: 'w' }, { key: agent.key })
    const runId = run.body.run.id
    const { reservationId } = (
      await spend('Reserve', {
        runId,
        provider: 'openai',
        model: 'gpt-4o',
        inputTokens: '1000',
        maxOutputTokens: '1000',
      })
    ).body
    const attempt = {
      runId,
      provider: 'openai',
      model: 'gpt-4o',
      outcome: 'ATTEMPT_OUTCOME_SUCCESS',
      tokens: { input: '800', output: '200' },
    }
    const record = (more: object): Promise<Answer> =>
      instance.call('HubService/RecordPromptAttempt', { ...attempt, ...more }, { key: agent.key })
    const first = await record({ reservationId })
    const again = await record({ reservationId })
    expect([again.status, again.body.code]).toEqual([412, 'object.state'])
    const cost = Number(first.body.attempt.costNanoUsd)
    expect(cost).toBeGreaterThan(0)
    expect(await useOf(id)).toEqual({ used: String(cost), held: '0' })
    const second = await record({})
    expect(await useOf(id)).toEqual({ used: String(2 * cost), held: '0' })
    const refused = await record({ tokens: { input: '800', output: '200000' } })
    expect([refused.status, refused.body.code]).toEqual([402, 'budget.exceeded'])
    const told = await instance.call('HubService/GetRun', { runId })
    expect(told.body.run).toMatchObject({ totalAttempts: '2', costNanoUsd: String(2 * cost) })
    const listed = await instance.call('HubService/ListPromptAttempts', { runId })
    expect(listed.body.attempts.map((one: { id: string }) => one.id)).toEqual([
      second.body.attempt.id,
      first.body.attempt.id,
    ])
    const batch = await instance.call(
      'HubService/RecordBatch',
      { attempts: [attempt, { ...attempt, tokens: { output: '200000' } }] },
      { key: agent.key },
    )
    expect([batch.status, batch.body.detail]).toEqual([200, undefined])
    expect(batch.body.results.map((one: { code?: string }) => one.code ?? '')).toEqual(['', 'budget.exceeded'])
    expect(await useOf(id)).toEqual({ used: String(3 * cost), held: '0' })
    expect(await selfCheck()).toEqual([])
    // The same decision over what has happened: the third has no room.
    const tried = await instance.call('BudgetService/Simulate', {
      budget: {
        subject: { kind: 'SUBJECT_KIND_RUN', id: '*' },
        unit: 'BUDGET_UNIT_NANO_USD',
        limit: String(2 * cost),
        window: { kind: 'WINDOW_KIND_TOTAL' },
      },
      from: new Date(Date.now() - 3_600_000).toISOString(),
    })
    expect(tried.body).toMatchObject({
      attempts: '3',
      admitted: '2',
      denied: '1',
      admittedAmount: String(2 * cost),
      deniedAmount: String(cost),
    })
    expect(tried.body.firstDenial).toMatchObject({
      used: String(2 * cost),
      asked: String(cost),
      subject: { id: runId },
    })
  })

  it.each([
    ['SUBJECT_KIND_KEY', 'the key that they came with'],
    ['SUBJECT_KIND_TOOL', 'the tool that they were made for'],
  ])(
    'B6: what recorded attempts do not keep cannot be simulated, and the refusal names it: %s',
    async (kind, missing) => {
      const { status, body } = await instance.call('BudgetService/Simulate', {
        budget: {
          subject: { kind, id: '*' },
          unit: 'BUDGET_UNIT_TOKENS',
          limit: '1',
          window: { kind: 'WINDOW_KIND_TOTAL' },
        },
        from: new Date(Date.now() - 3_600_000).toISOString(),
      })
      expect([status, body.code]).toEqual([400, 'input.invalid'])
      expect(body.detail).toContain(missing)
      expect(body.detail).toContain('DRY_RUN')
    },
  )

  it('B4: fewer output tokens are admitted where the caller left them open, and a model without a price is refused', async () => {
    await budget('gpt-4o-mini', { limit: '1000000' })
    // An amount that is less than the price is not what is held, and not what is settled.
    const said = {
      provider: 'openai',
      model: 'gpt-4o-mini',
      inputTokens: '100',
      maxOutputTokens: '100',
      amountNanoUsd: '1',
    }
    const priced = await spend('Reserve', said)
    expect(Number(priced.body.heldNanoUsd)).toBeGreaterThan(1)
    const much = { reservationId: priced.body.reservationId, tokens: { input: '100' }, amountNanoUsd: '1' }
    expect(Number((await spend('Settle', much)).body.settledNanoUsd)).toBeGreaterThan(1)
    const capped = await spend('Reserve', { provider: 'openai', model: 'gpt-4o-mini', inputTokens: '100' })
    expect(capped.body.decision).toBe('BUDGET_DECISION_ADMITTED_WITH_CAPS')
    expect(Number(capped.body.maxOutputTokens)).toBeGreaterThan(100)
    expect(Number(capped.body.heldNanoUsd)).toBeLessThanOrEqual(1_000_000)
    await budget('no-such-model')
    const unknown = await spend('Reserve', { model: 'no-such-model', inputTokens: '1' })
    expect([unknown.status, unknown.body.code]).toEqual([412, 'budget.price_unknown'])
  })

  it('B4: a budget of runs counts an attempt whose reservation names no run, and caps hold before a call', async () => {
    const run = await instance.call('HubService/StartRun', { workflow: 'w' }, { key: agent.key })
    const runId = run.body.run.id
    const made = await instance.call('BudgetService/UpsertBudget', {
      budget: {
        subject: { kind: 'SUBJECT_KIND_RUN', id: runId },
        unit: 'BUDGET_UNIT_REQUESTS',
        limit: '1',
        window: { kind: 'WINDOW_KIND_TOTAL' },
      },
    })
    const reserve = { provider: 'openai', model: 'gpt-4.1-nano', inputTokens: '10', maxOutputTokens: '10' }
    const held = [await spend('Reserve', reserve), await spend('Reserve', reserve)].map(
      ({ body }) => body.reservationId,
    )
    const [first, second] = held.map((reservationId) => ({
      runId,
      reservationId,
      provider: 'openai',
      model: 'gpt-4.1-nano',
      outcome: 'ATTEMPT_OUTCOME_SUCCESS',
      tokens: { input: '10' },
    }))
    const record = (one: object = {}): Promise<Answer> =>
      instance.call('HubService/RecordPromptAttempt', one, { key: agent.key })
    expect((await record(first)).status).toBe(200)
    expect((await record(second)).body.code).toBe('budget.exceeded')
    expect(await useOf(made.body.budget.id)).toEqual({ used: '1', held: '0' })
    expect(await selfCheck()).toEqual([])
    const cap = { name: 'small', model: 'gpt-4.1-nano', maxTokensPerAttempt: '15' }
    const capped = await instance.call('PolicyService/UpsertPolicyCap', { cap })
    const refused = await spend('Reserve', reserve)
    expect([capped.status, refused.status, refused.body.code]).toEqual([200, 402, 'policy.cap_exceeded'])
  })

  it('B6: a dry run decides and holds nothing; a budget that is tried out lets pass what it tells', async () => {
    const id = await budget('dry', { limit: String(dime), action: 'BUDGET_ACTION_DRY_RUN' })
    const run = await instance.call('HubService/StartRun', { workflow: 'w' }, { key: agent.key })
    const ask = { runId: run.body.run.id, model: 'dry', amountNanoUsd: String(2 * dime) }
    const dry = await spend('Reserve', { ...ask, dryRun: true })
    expect([dry.body.decision, dry.body.reservationId ?? '']).toEqual(['BUDGET_DECISION_WOULD_DENY', ''])
    expect(await useOf(id)).toBeUndefined()
    const passed = await spend('Reserve', ask)
    expect(passed.body).toMatchObject({ decision: 'BUDGET_DECISION_WOULD_DENY', denial: { asked: String(2 * dime) } })
    expect(await useOf(id)).toEqual({ used: '0', held: String(2 * dime) })
    const events = await instance.call('HubService/ListRunEvents', { runId: ask.runId })
    expect(events.body.events).toMatchObject([{ eventType: 'budget.would_deny' }])
    expect(await entriesOf('budget.would_deny')).toHaveLength(1)
  })

  it('B8: a change of a budget is an entry with what was before and after', async () => {
    const id = await budget('changed', { limit: '10' })
    const budgetOf = (more: object): object => ({
      id,
      subject: { kind: 'SUBJECT_KIND_MODEL', id: 'changed' },
      unit: 'BUDGET_UNIT_NANO_USD',
      limit: '20',
      window: day,
      ...more,
    })
    await instance.call('BudgetService/UpsertBudget', { budget: budgetOf({}) })
    const other = await instance.call('BudgetService/UpsertBudget', {
      budget: budgetOf({ unit: 'BUDGET_UNIT_TOKENS' }),
    })
    expect([other.status, other.body.code]).toEqual([412, 'object.state'])
    await instance.call('BudgetService/DeleteBudget', { budgetId: id })
    expect((await instance.call('BudgetService/DeleteBudget', { budgetId: id })).status).toBe(404)
    const changes = await entriesOf('/portcullis.v1.BudgetService/UpsertBudget')
    expect(
      changes.find((one) => one['before'] !== undefined && (one['after'] as { limit: string }).limit === '20'),
    ).toMatchObject({
      before: { limit: '10', subject: 'model:changed', unit: 'nano_usd', window: 'day' },
      after: { limit: '20', hard: true },
    })
    expect(await entriesOf('/portcullis.v1.BudgetService/DeleteBudget')).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ before: expect.objectContaining({ limit: '20' }) })]),
    )
  })

  it.each([
    ['a negative amount', 'Reserve', { model: 'm', amountNanoUsd: '-1' }, 'amountNanoUsd'],
    ['an amount beyond all bounds', 'Reserve', { model: 'm', amountNanoUsd: '9223372036854775807' }, 'amountNanoUsd'],
    ['negative tokens', 'Reserve', { model: 'm', inputTokens: '-1' }, 'inputTokens'],
    ['nothing to hold', 'Reserve', {}, 'model'],
    ['a time that is too long', 'Reserve', { model: 'm', ttlSeconds: 3601 }, 'ttlSeconds'],
    ['no reservation', 'Settle', {}, 'reservationId'],
  ])('B4: %s is refused, and the field is named', async (_, method, body, field) => {
    const answer = await spend(method, body)
    expect([answer.status, answer.body.code]).toEqual([400, 'input.invalid'])
    expect(answer.body.detail).toMatch(new RegExp(`^${field} `))
  })

  it.each([
    ['no limit', { limit: undefined }, /limit is required.*limits nothing/],
    ['a negative limit', { limit: '-1' }, /limit must be between/],
    ['an unknown time zone', { window: { ...day, timeZone: 'Europe/Atlantis' } }, /timeZone must be the IANA name/],
    ['an offset for a time zone', { window: { ...day, timeZone: '+02:00' } }, /timeZone must be the IANA name/],
    ['an unknown duration', { window: { ...day, duration: 'fortnight' } }, /duration must be one of hour, day/],
    ['no kind of window', { window: { duration: 'day' } }, /window.kind must be one of/],
    [
      'a rolling window of no time',
      { window: { kind: 'WINDOW_KIND_ROLLING', duration: '0s' } },
      /duration must be a time such as/,
    ],
    ['a subject without an id', { subject: { kind: 'SUBJECT_KIND_AGENT' } }, /subject.id/],
  ])('B3: a budget with %s is refused', async (_, more, why) => {
    const given = {
      subject: { kind: 'SUBJECT_KIND_TENANT' },
      unit: 'BUDGET_UNIT_REQUESTS',
      limit: '1000000',
      window: day,
      ...more,
    }
    const answer = await instance.call('BudgetService/UpsertBudget', { budget: given })
    expect([answer.status, answer.body.code]).toEqual([400, 'input.invalid'])
    expect(answer.body.detail).toMatch(why)
  })
})
