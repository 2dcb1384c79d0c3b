import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'

let instance: TestInstance

beforeAll(async () => {
  instance = await startInstance()
})
afterAll(() => instance.stop())

const unlimited = {
  killSwitch: false,
  killSwitchReason: '',
  maxAttemptsPerRun: '0',
  maxCostPerRunNanoUsd: '0',
  maxLatencyPerAttemptMs: '0',
  maxTokensPerRun: '0',
}

/** The arguments of the newest entry of a method, as the ledger has them. */
async function shown(action: string): Promise<Record<string, unknown>> {
  const { body } = await instance.call('LedgerService/Query', { action: `/portcullis.v1.${action}`, pageSize: 1 })
  return JSON.parse(body.entries[0].entryJson).body.args
}

describe('policies', () => {
  it('B1: a tenant without a policy has no limits', async () => {
    const { body } = await instance.call('PolicyService/GetPolicy')
    expect(body.policy).toEqual(unlimited)
  })

  it('B8: a change of the policy is an entry with what was before and after', async () => {
    const first = { maxCostPerRunNanoUsd: '5000', maxAttemptsPerRun: '3' }
    const set = await instance.call('PolicyService/SetPolicy', { policy: first })
    expect(set.body.policy).toMatchObject(first)
    await instance.call('PolicyService/SetPolicy', { policy: { maxTokensPerRun: '10' } })
    expect(await shown('PolicyService/SetPolicy')).toMatchObject({
      before: { ...first, maxTokensPerRun: '0' },
      after: { maxCostPerRunNanoUsd: '0', maxAttemptsPerRun: '0', maxTokensPerRun: '10' },
    })
    const { body } = await instance.call('PolicyService/GetPolicy')
    expect(body.policy).toMatchObject({ maxTokensPerRun: '10', updatedAt: expect.any(String) })
    expect(body.policy.maxCostPerRunNanoUsd).toBe('0')
    await instance.call('PolicyService/SetPolicy', { policy: {} })
  })

  it('B1: the kill switch of the policy stops the tenant, says why, and is released by it', async () => {
    const agent = await instance.agent('stopped', ['telemetry:write', 'policy:write'])
    const start = () => instance.call('HubService/StartRun', { workflow: 'w' }, { key: agent.key })
    const without = await instance.call('PolicyService/SetPolicy', { policy: { killSwitch: true } })
    expect([without.status, without.body.detail]).toEqual([400, expect.stringContaining('policy.killSwitchReason')])
    const killed = { killSwitch: true, killSwitchReason: 'spends too much', maxAttemptsPerRun: '7' }
    expect((await instance.call('PolicyService/SetPolicy', { policy: killed })).body.policy).toMatchObject(killed)
    expect((await start()).body.code).toBe('kill.engaged')
    expect((await instance.call('PolicyService/GetPolicy')).body.policy).toMatchObject(killed)
    // Who is stopped changes nothing, and releases nothing.
    const own = await instance.call('PolicyService/SetPolicy', { policy: { killSwitch: false } }, { key: agent.key })
    expect(own.body.code).toBe('kill.engaged')
    // Limits alone leave the kill switch as it is.
    await instance.call('PolicyService/SetPolicy', { policy: { maxAttemptsPerRun: '8' } })
    expect((await instance.call('PolicyService/GetPolicy')).body.policy.killSwitch).toBe(true)
    await instance.call('PolicyService/SetPolicy', { policy: { killSwitch: false } })
    expect((await start()).status).toBe(200)
    expect((await instance.call('PolicyService/GetPolicy')).body.policy).toEqual({
      ...unlimited,
      updatedAt: expect.any(String),
    })
  })
})

describe('policy caps', () => {
  const put = (cap: object) => instance.call('PolicyService/UpsertPolicyCap', { cap })

  it('B8: a cap is made, changed and deleted, each with an entry of before and after', async () => {
    const made = await put({ name: 'small', model: 'gpt-5', maxTokensPerAttempt: '100', priority: 3 })
    const { id } = made.body.cap
    expect(made.body.cap).toMatchObject({ name: 'small', model: 'gpt-5', active: true, priority: 3 })
    expect(await shown('PolicyService/UpsertPolicyCap')).toMatchObject({ capId: id, after: { model: 'gpt-5' } })
    await put({ id, name: 'smaller', maxTokensPerAttempt: '50', dryRun: true, active: false })
    expect(await shown('PolicyService/UpsertPolicyCap')).toMatchObject({
      capId: id,
      before: { name: 'small', model: 'gpt-5', maxTokensPerAttempt: '100', dryRun: false, active: true },
      after: { name: 'smaller', model: '', maxTokensPerAttempt: '50', dryRun: true, active: false },
    })
    const list = await instance.call('PolicyService/ListPolicyCaps')
    expect(list.body.caps).toHaveLength(1)
    expect(list.body.caps[0]).toMatchObject({ id, name: 'smaller', active: false })
    expect((await instance.call('PolicyService/ListPolicyCaps', { activeOnly: true })).body.caps ?? []).toEqual([])
    expect((await instance.call('PolicyService/DeletePolicyCap', { capId: id })).status).toBe(200)
    expect(await shown('PolicyService/DeletePolicyCap')).toMatchObject({ capId: id, before: { name: 'smaller' } })
    for (const again of [
      await instance.call('PolicyService/DeletePolicyCap', { capId: id }),
      await put({ id, name: 'again', maxTokensPerRun: '1' }),
    ])
      expect(again.body.code).toBe('object.not_found')
  })

  it.each([
    ['no name', { maxTokensPerRun: '1' }, 'cap.name'],
    ['no limit', { name: 'x' }, 'at least one limit above 0'],
    ['a negative limit', { name: 'x', maxCostPerRunNanoUsd: '-1' }, 'cap.maxCostPerRunNanoUsd'],
    ['a limit beyond all use', { name: 'x', maxTokensPerRun: '9223372036854775807' }, 'cap.maxTokensPerRun'],
    ['a priority beyond its bounds', { name: 'x', maxTokensPerRun: '1', priority: 2_000_000 }, 'cap.priority'],
    ['an id of another kind', { id: 'run_1', name: 'x', maxTokensPerRun: '1' }, 'cap.id'],
  ])('B2: a cap with %s is refused, and told what is wrong', async (_name, cap, detail) => {
    const refused = await put(cap)
    expect([refused.status, refused.body.code]).toEqual([400, 'input.invalid'])
    expect(refused.body.detail).toContain(detail)
  })

  it('B2: a number that overflows 64 bits is refused', async () => {
    const refused = await put({ name: 'x', maxTokensPerRun: '9223372036854775808' })
    expect([refused.status, refused.body.code]).toEqual([400, 'input.malformed'])
  })
})

describe('attempts under a policy and caps', () => {
  const put = async (cap: object): Promise<string> =>
    (await instance.call('PolicyService/UpsertPolicyCap', { cap })).body.cap.id
  const start = async (): Promise<string> =>
    (await instance.call('HubService/StartRun', { workflow: 'limited' })).body.run.id
  const attempt = (runId: string, more: object) =>
    instance.call('HubService/RecordPromptAttempt', {
      runId,
      provider: 'p',
      model: 'm',
      outcome: 'ATTEMPT_OUTCOME_SUCCESS',
      tokens: { input: '10' },
      reportedCostNanoUsd: '5',
      latencyMs: '100',
      ...more,
    })

  it('B2: the most specific cap refuses what exceeds it, with its numbers, and nothing of it is written', async () => {
    const general = await put({ name: 'general', maxTokensPerAttempt: '5' })
    const specific = await put({ name: 'specific', model: 'm', maxTokensPerAttempt: '50' })
    const runId = await start()
    expect((await attempt(runId, {})).status).toBe(200)
    const over = await attempt(runId, { tokens: { input: '50', output: '1' } })
    expect([over.status, over.body.code]).toEqual([402, 'policy.cap_exceeded'])
    const facts = { capId: specific, name: 'specific', limitName: 'maxTokensPerAttempt', limit: '50', value: '51' }
    expect(over.body.facts).toEqual(facts)
    expect((await attempt(runId, { model: 'another' })).body.facts).toMatchObject({ capId: general, value: '10' })
    const { body } = await instance.call('LedgerService/Query', { requestId: over.body.requestId })
    expect(JSON.parse(body.entries[0].entryJson).body).toMatchObject({
      code: 'policy.cap_exceeded',
      reason: expect.stringContaining('maxTokensPerAttempt is 50, and this attempt makes it 51'),
    })
    const run = await instance.call('HubService/GetRun', { runId })
    expect(run.body.run).toMatchObject({ totalAttempts: '1', tokens: { input: '10' } })
    for (const capId of [general, specific]) await instance.call('PolicyService/DeletePolicyCap', { capId })
    expect((await attempt(runId, { tokens: { input: '1000' } })).status).toBe(200)
  })

  it('B2: what a cap refuses in a batch is counted in the entry of the call, and has one of its own', async () => {
    const capId = await put({ name: 'short', maxTokensPerAttempt: '5' })
    const runId = await start()
    const item = { runId, model: 'm', outcome: 'ATTEMPT_OUTCOME_SUCCESS' }
    const attempts = ['1', '6', '7'].map((input) => ({ ...item, tokens: { input } }))
    const { body, status } = await instance.call('HubService/RecordBatch', { attempts })
    const codes = body.results.map(({ code }: { code?: string }) => code ?? '')
    expect([status, codes]).toEqual([200, ['', 'policy.cap_exceeded', 'policy.cap_exceeded']])
    expect(await shown('HubService/RecordBatch')).toMatchObject({ refused: { 'policy.cap_exceeded': 2 } })
    const found = await instance.call('LedgerService/Query', { code: 'policy.cap_exceeded', pageSize: 2 })
    const bodies = found.body.entries.map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body)
    expect(bodies).toMatchObject(
      ['7', '6'].map((value) => ({ kind: 'policy.denied', outcome: 'deny', args: { capId, runId, value } })),
    )
    await instance.call('PolicyService/DeletePolicyCap', { capId })
  })

  it('B2: a violation of a dry run is an event of the run, and the attempt passes', async () => {
    const capId = await put({ name: 'trial', provider: 'p', maxAttemptsPerRun: '1', dryRun: true })
    const runId = await start()
    expect((await attempt(runId, {})).status).toBe(200)
    expect((await attempt(runId, {})).status).toBe(200)
    const { body } = await instance.call('HubService/ListRunEvents', { runId })
    expect(body.events).toMatchObject([{ eventType: 'policy.violation', level: 'EVENT_LEVEL_WARN' }])
    expect(JSON.parse(body.events[0].dataJson)).toMatchObject({
      capId,
      limitName: 'maxAttemptsPerRun',
      limit: '1',
      value: '2',
    })
    await instance.call('PolicyService/DeletePolicyCap', { capId })
  })

  it('B1: the policy holds for a run as a whole, whoever is at it at the same time', async () => {
    await instance.call('PolicyService/SetPolicy', { policy: { maxAttemptsPerRun: '10', maxCostPerRunNanoUsd: '45' } })
    const runId = await start()
    const answers = await Promise.all(Array.from({ length: 30 }, () => attempt(runId, {})))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(9)
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(21)
    const run = await instance.call('HubService/GetRun', { runId })
    expect(run.body.run).toMatchObject({ totalAttempts: '9', costNanoUsd: '45' })
    await instance.call('PolicyService/SetPolicy', { policy: {} })
  })
})

interface Tried {
  readonly workflow: string
  readonly version?: string
  readonly model: string
  readonly attempts: number
  readonly failed: number
  readonly latencyMs?: (at: number) => number
}

/** Attempts of one run, all in the roll-ups when it resolves. */
async function attempted({ workflow, version = 'v1', model, attempts, failed, latencyMs }: Tried, key?: string) {
  const more = key === undefined ? {} : { key }
  const { body } = await instance.call('HubService/StartRun', { workflow, promptVersion: version }, more)
  const recorded = Array.from({ length: attempts }, (_, at) => ({
    runId: body.run.id,
    attemptNumber: at === 0 ? 2 : 1,
    provider: 'p',
    model,
    outcome: at < failed ? 'ATTEMPT_OUTCOME_FAILED' : 'ATTEMPT_OUTCOME_SUCCESS',
    tokens: { input: '100', output: '10' },
    reportedCostNanoUsd: '1000',
    latencyMs: String(latencyMs?.(at) ?? 100),
  }))
  const { status } = await instance.call('HubService/RecordBatch', { attempts: recorded }, more)
  expect(status).toBe(200)
  const owner = await instance.connect('postgres')
  await owner.query('select portcullis.fold_telemetry(10000)')
}

describe('prompt analytics', () => {
  beforeAll(async () => {
    await attempted({
      workflow: 'answers',
      version: 'v1',
      model: 'gpt',
      attempts: 100,
      failed: 40,
      latencyMs: (at) => at + 1,
    })
    await attempted({ workflow: 'answers', version: 'v2', model: 'gpt', attempts: 100, failed: 15 })
    await attempted({ workflow: 'answers', version: 'v2', model: 'opus', attempts: 10, failed: 1 })
  })

  it('H9: a row for each workflow, version, provider and model, sorted by them', async () => {
    const { body } = await instance.call('HubService/GetPromptAnalytics', { workflow: 'answers' })
    expect(body.rows.map(({ promptVersion, model }: never) => [promptVersion, model])).toEqual([
      ['v1', 'gpt'],
      ['v2', 'gpt'],
      ['v2', 'opus'],
    ])
    // Wilson's interval of 60 of 100.
    expect(body.rows[0]).toMatchObject({
      workflow: 'answers',
      provider: 'p',
      attempts: '100',
      successes: '60',
      successRatePpm: 600_000,
      lowPpm: 502_002,
      highPpm: 690_599,
      costNanoUsd: '100000',
      tokens: { input: '10000', output: '1000' },
      retries: '1',
    })
    for (const [name, latency] of [
      ['p50LatencyMs', 50],
      ['p95LatencyMs', 95],
    ] as const)
      expect(Math.abs(Number(body.rows[0][name]) / latency - 1)).toBeLessThanOrEqual(0.06)
  })

  it('H9: pages go on behind the last row, and belong to their filters', async () => {
    const seen: string[] = []
    let pageToken = ''
    do {
      const { body } = await instance.call('HubService/GetPromptAnalytics', {
        workflow: 'answers',
        pageSize: 1,
        pageToken,
      })
      seen.push(...body.rows.map(({ promptVersion, model }: Record<string, string>) => `${promptVersion} ${model}`))
      pageToken = body.nextPageToken
    } while (pageToken !== '')
    expect(seen).toEqual(['v1 gpt', 'v2 gpt', 'v2 opus'])
    const { body } = await instance.call('HubService/GetPromptAnalytics', { workflow: 'answers', pageSize: 1 })
    for (const asked of [
      { workflow: 'others', pageToken: body.nextPageToken },
      { workflow: 'answers', pageToken: 'bm9uc2Vuc2U' },
    ]) {
      const refused = await instance.call('HubService/GetPromptAnalytics', asked)
      expect(refused.body.code).toBe('input.page_token')
    }
  })

  it('H9: a range is whole hours, and one that ends before it begins is refused', async () => {
    const now = Date.now()
    const count = async (from: number, until: number): Promise<number> => {
      const range = { from: new Date(from).toISOString(), until: new Date(until).toISOString() }
      const { body } = await instance.call('HubService/GetPromptAnalytics', { workflow: 'answers', ...range })
      return body.rows?.length ?? Number.NaN
    }
    const dayMs = 86_400_000
    expect(await count(now - 1000, now + 1000)).toBe(3)
    expect(await count(now - 3 * dayMs, now + 3 * dayMs)).toBe(3)
    expect(await count(now - 3 * dayMs, now - 2 * dayMs)).toBe(0)
    for (const [from, until] of [
      [now, now - dayMs],
      [now - 500 * dayMs, now],
    ] as const)
      expect(await count(from, until)).toBeNaN()
  })

  it('H9: two versions differ by more than chance where the interval of the difference leaves out 0', async () => {
    const compare = (more: object) =>
      instance.call('HubService/ComparePromptVersions', {
        workflow: 'answers',
        firstVersion: 'v1',
        secondVersion: 'v2',
        model: 'gpt',
        ...more,
      })
    const { body } = await compare({})
    expect(body).toMatchObject({
      first: { promptVersion: 'v1', attempts: '100', successes: '60' },
      second: { promptVersion: 'v2', attempts: '100', successes: '85' },
      differencePpm: 250_000,
      significant: true,
    })
    expect(body.differenceLowPpm).toBeGreaterThan(0)
    const unknown = await compare({ secondVersion: 'v9' })
    expect(unknown.body).toMatchObject({ second: { attempts: '0' }, significant: false })
    expect((await compare({ secondVersion: 'v1' })).body).toMatchObject({ differencePpm: 0, significant: false })
    expect((await compare({ secondVersion: '' })).body.detail).toContain('secondVersion')
  })
})

describe('the leaderboard', () => {
  const board = async (workflow = '') => (await call('HubService/GetLeaderboard', { workflow })).body
  // Without a credential, and asked until the answer that is kept for some seconds is gone.
  const call = (method: string, body: object) => instance.call(method, body, { key: undefined })
  const benchmark = (model: string, samples: number, milli: number) => ({
    workflow: 'coding',
    provider: 'p',
    model,
    qualityScoreMilli: milli,
    samples: String(samples),
    costNanoUsd: '4500',
    latencyMs: '45000',
  })

  it('H10: ranks what is published by what is sure of it, ties what cannot be told apart, and shows nothing else', async () => {
    await attempted({ workflow: 'public', model: 'good', attempts: 200, failed: 2 })
    await attempted({ workflow: 'public', model: 'good too', attempts: 100, failed: 2 })
    await attempted({ workflow: 'public', model: 'bad', attempts: 100, failed: 50 })
    await attempted({ workflow: 'public', model: 'too few', attempts: 19, failed: 0 })
    await attempted({ workflow: 'private', model: 'hidden', attempts: 50, failed: 0 })
    const other = await instance.call('TenantService/Create', { name: 'elsewhere' })
    await attempted({ workflow: 'public', model: 'too few', attempts: 19, failed: 0 }, other.body.key)
    await attempted({ workflow: 'answers', model: 'other tenant', attempts: 50, failed: 0 }, other.body.key)
    const scored = [
      benchmark('a', 225, 356),
      benchmark('b', 225, 36),
      benchmark('c', 10, 1000),
      benchmark('d', 0, 1000),
    ]
    await instance.call('HubService/RecordBatch', { benchmarks: scored })
    const publish = (workflow: string, key = instance.adminKey) =>
      instance.call('HubService/PublishWorkflow', { workflow, published: true }, { key })
    await publish('public')
    await publish('public', other.body.key)
    await publish('coding')
    await expect.poll(async () => (await board()).entries.length, { timeout: 15_000, interval: 250 }).toBe(5)
    const { entries, minimumSamples, method } = await board()
    expect(entries).toMatchObject([
      { rank: 1, workflow: 'coding', model: 'a', samples: '225', successRatePpm: 355_556, benchmark: true },
      { rank: 2, workflow: 'coding', model: 'b', samples: '225', successRatePpm: 35_556, averageLatencyMs: '200' },
      { rank: 1, workflow: 'public', model: 'good', samples: '200', benchmark: false, averageCostNanoUsd: '1000' },
      { rank: 1, workflow: 'public', model: 'good too', samples: '100' },
      { rank: 3, workflow: 'public', model: 'bad', samples: '100', successRatePpm: 500_000, averageLatencyMs: '100' },
    ])
    expect(minimumSamples).toBe(20)
    expect(method).toContain('Wilson')
    expect(JSON.stringify(entries)).not.toMatch(/hidden|private|too few|other tenant|elsewhere|main|ten_|agt_|key_/)
    expect((await board('coding')).entries).toHaveLength(2)
    expect((await board('private')).entries).toEqual([])
  })
})
