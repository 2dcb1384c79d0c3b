import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { WatchResponse } from '@portcullis/contract'
import { fakeIo } from '../src/cli/fakes.ts'
import { run } from '../src/cli/main.ts'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { KillWatch } from './harness/kill-watch.ts'

let instance: TestInstance
let other: { readonly id: string; readonly key: string }
beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__LIMITS__RATE__KEY__BURST: '100000' })
  const { body } = await instance.call('TenantService/Create', { name: 'other' })
  other = { id: body.tenant.id, key: body.key }
})
afterAll(() => instance.stop())

const withKey = (key: string | undefined) => (key === undefined ? {} : { key })
const engage = (scope: object, more: object = {}, key?: string): Promise<Answer> =>
  instance.call('KillService/Engage', { scope, reason: 'a test', ...more }, withKey(key))
const release = (killId: string, key?: string): Promise<Answer> =>
  instance.call('KillService/Release', { killId, reason: 'over' }, withKey(key))
const start = (key: string): Promise<Answer> => instance.call('HubService/StartRun', { workflow: 'w' }, { key })
const codeOf = ({ status, body }: Answer): string => (status === 200 ? 'ok' : body.code)

/** Engages, looks, and releases again. */
async function whileEngaged(scope: object, look: (killId: string) => Promise<void>): Promise<void> {
  const engaged = await engage(scope)
  expect([engaged.status, engaged.body]).toMatchObject([200, {}])
  try {
    await look(engaged.body.kill.id)
  } finally {
    expect((await release(engaged.body.kill.id)).status).toBe(200)
  }
}

describe('the kill switch', () => {
  it('K1, K2: an agent is stopped when the call that engages is answered, and goes on once it is released', async () => {
    const agent = await instance.agent('one', ['telemetry:write', 'telemetry:read'])
    const { body } = await engage({ kind: 'agent', id: agent.id })
    expect(body).toMatchObject({ replicas: 1, replicasAcknowledged: 1 })
    expect(body.kill).toMatchObject({ reason: 'a test', actor: expect.stringMatching(/^opr_/) })
    for (const method of ['HubService/StartRun', 'HubService/ListRuns']) {
      const denied = await instance.call(method, { workflow: 'w' }, { key: agent.key })
      expect(denied.body).toMatchObject({
        status: 403,
        code: 'kill.engaged',
        facts: { killId: body.kill.id, scope: 'agent' },
      })
      // Why is for those who run the tenant.
      expect(JSON.stringify(denied.body)).not.toContain('a test')
    }
    const released = await release(body.kill.id)
    expect(released.body.kill).toMatchObject({ releaseReason: 'over', releasedBy: expect.stringMatching(/^opr_/) })
    expect(codeOf(await start(agent.key))).toBe('ok')
    expect(codeOf(await release(body.kill.id))).toBe('object.state')
  })

  it('K1, K4: one key is stopped and not the others of its agent; a tenant is, and those who run it look', async () => {
    const agent = await instance.agent('two', ['telemetry:write', 'telemetry:read', 'kill:engage'])
    const second = await instance.call('IdentityService/CreateKey', { agentId: agent.id, scopes: ['telemetry:write'] })
    await whileEngaged({ kind: 'key', id: agent.keyId }, async () => {
      expect(codeOf(await start(agent.key))).toBe('kill.engaged')
      expect(codeOf(await start(second.body.key))).toBe('ok')
    })
    await whileEngaged({ kind: 'tenant', id: other.id }, async (killId) => {
      expect(codeOf(await start(other.key))).toBe('kill.engaged')
      // What the platform stopped its tenant does not release, in no way.
      expect(codeOf(await release(killId, other.key))).toBe('auth.scope_missing')
      const off = await instance.call('PolicyService/SetPolicy', { policy: { killSwitch: false } }, { key: other.key })
      expect(codeOf(off)).toBe('auth.scope_missing')
      expect(codeOf(await start(agent.key))).toBe('ok')
      for (const method of ['KillService/List', 'HubService/ListRuns', 'LedgerService/Query'])
        expect(codeOf(await instance.call(method, {}, { key: other.key }))).toBe('ok')
      const asked = { caller: agent.id, action: 'telemetry:write' }
      expect(codeOf(await instance.call('AuthorizationService/Check', asked, { key: other.key }))).toBe('kill.engaged')
    })
    await whileEngaged({ kind: 'everything' }, async () => {
      expect([codeOf(await start(agent.key)), codeOf(await start(other.key))]).toEqual(['kill.engaged', 'kill.engaged'])
      expect(codeOf(await instance.call('HubService/ListRuns'))).toBe('ok')
      expect((await instance.call('HubService/GetHealth')).status).toBe(200)
    })
    expect([codeOf(await start(agent.key)), codeOf(await start(other.key))]).toEqual(['ok', 'ok'])
  })

  it('K1, G22: a model is stopped by its name in its tenant, and so are questions about it', async () => {
    const agent = await instance.agent('three', ['telemetry:write'])
    const { body } = await start(agent.key)
    const attempt = (model: string) => {
      const message = { runId: body.run.id, provider: 'p', model, outcome: 'success' }
      return instance.call('HubService/RecordPromptAttempt', message, { key: agent.key })
    }
    const check = async (resource: string) => {
      const asked = { caller: agent.id, action: 'telemetry:write', resource }
      const { body: answer } = await instance.call('AuthorizationService/Check', asked)
      return [answer.allow, answer.code]
    }
    await whileEngaged({ kind: 'model', id: 'GPT-x ' }, async () => {
      expect([codeOf(await attempt('gpt-x')), codeOf(await attempt('gpt-y'))]).toEqual(['kill.engaged', 'ok'])
      expect([codeOf(await attempt(' GPT-X')), codeOf(await attempt('q/gpt-x'))]).toEqual([
        'kill.engaged',
        'kill.engaged',
      ])
      expect(await check('model:GPT-X')).toEqual([false, 'kill.engaged'])
      const item = { runId: body.run.id, model: 'gpt-x', outcome: 'ATTEMPT_OUTCOME_SUCCESS' }
      const batch = await instance.call('HubService/RecordBatch', { attempts: [item] }, { key: agent.key })
      expect(codeOf(batch)).toBe('kill.engaged')
      expect([await check('model:gpt-x'), await check('model:gpt-y')]).toEqual([
        [false, 'kill.engaged'],
        [true, ''],
      ])
    })
    await whileEngaged({ kind: 'agent', id: agent.id }, async () =>
      expect(await check('')).toEqual([false, 'kill.engaged']),
    )
    expect([await check('model:gpt-x'), codeOf(await attempt('gpt-x'))]).toEqual([[true, ''], 'ok'])
  })

  it('K1: a kill ends at its time by itself', async () => {
    const agent = await instance.agent('four', ['telemetry:write'])
    const expiresAt = new Date(Date.now() + 1500).toISOString()
    const engaged = await engage({ kind: 'agent', id: agent.id }, { expiresAt })
    expect([engaged.status, codeOf(await start(agent.key))]).toEqual([200, 'kill.engaged'])
    await vi.waitFor(async () => expect(codeOf(await start(agent.key))).toBe('ok'), { timeout: 5000, interval: 100 })
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt))
  })

  it('K1: what names nothing, says nothing or is over already is refused, and nothing is engaged', async () => {
    const unknown = '0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10'
    const wrong: readonly (readonly [object, object, string])[] = [
      [{ kind: 'agent', id: `agt_${unknown}` }, {}, 'object.not_found'],
      [{ kind: 'key', id: `key_${unknown}` }, {}, 'object.not_found'],
      [{ kind: 'tenant', id: `ten_${unknown}` }, {}, 'object.not_found'],
      [{ kind: 'agent', id: 'agt_1' }, {}, 'input.invalid'],
      [{ kind: 'agent' }, {}, 'input.invalid'],
      [{ kind: 'model' }, {}, 'input.invalid'],
      [{ kind: 'everything', id: 'x' }, {}, 'input.invalid'],
      [{}, {}, 'input.invalid'],
      [{ kind: 'tenant' }, { reason: '' }, 'input.invalid'],
      [{ kind: 'tenant' }, { reason: '   ' }, 'input.invalid'],
      [{ kind: 'tenant' }, { reason: 'x'.repeat(501) }, 'input.invalid'],
      [{ kind: 'tenant' }, { expiresAt: '2026-01-01T00:00:00Z' }, 'input.invalid'],
      [{ kind: 'nonsense' }, {}, 'input.malformed'],
    ]
    for (const [scope, more, code] of wrong) expect([scope, codeOf(await engage(scope, more))]).toEqual([scope, code])
    expect(codeOf(await release(`kil_${unknown}`))).toBe('object.not_found')
    const { body } = await instance.call('KillService/List', { engagedOnly: true })
    expect(body.kills).toEqual([])
  })

  it('K4, G11: nobody stops or releases what is of another tenant, no agent releases, and nobody what stops itself', async () => {
    const agent = await instance.agent('five', ['telemetry:write', 'kill:engage', 'kill:release'])
    expect(codeOf(await engage({ kind: 'agent', id: agent.id }, {}, other.key))).toBe('object.not_found')
    expect(codeOf(await engage({ kind: 'everything' }, {}, other.key))).toBe('auth.scope_missing')
    const main = (await instance.call('TenantService/List')).body.tenants.find(
      ({ name }: { readonly name: string }) => name === 'main',
    )
    expect(codeOf(await engage({ kind: 'tenant', id: main.id }, {}, other.key))).toBe('object.not_found')
    const engaged = await engage({ kind: 'agent', id: agent.id })
    expect(codeOf(await release(engaged.body.kill.id, other.key))).toBe('object.not_found')
    expect(codeOf(await release(engaged.body.kill.id, agent.key))).toBe('auth.scope_missing')
    // An agent may stop itself, and others like it.
    expect(codeOf(await engage({ kind: 'agent', id: agent.id }, {}, agent.key))).toBe('ok')
    const { body } = await instance.call('KillService/List', { engagedOnly: true })
    expect(body.kills).toHaveLength(2)
    for (const { id } of body.kills) expect(codeOf(await release(id))).toBe('ok')
  })

  it('K4: the key of an operator that is stopped does not release itself; another one does', async () => {
    const { body } = await instance.call('KillService/List', {}, { key: other.key })
    const seen = body.kills.map(({ scope }: { readonly scope: { readonly id: string } }) => scope.id)
    // Nothing of the tenant that the tests above stopped parts of.
    expect(seen).toEqual([other.id])
    const operator = await instance.connect('postgres')
    const { rows } = await operator.query<{ id: string }>(
      `select k.id from portcullis.keys k where k.tenant_id = $1 and k.operator_id is not null`,
      [other.id.slice('ten_'.length)],
    )
    const engaged = await engage({ kind: 'key', id: `key_${rows[0]?.id}` })
    expect(codeOf(await instance.call('HubService/ListRuns', {}, { key: other.key }))).toBe('kill.engaged')
    expect(codeOf(await release(engaged.body.kill.id, other.key))).toBe('kill.engaged')
    expect(codeOf(await release(engaged.body.kill.id))).toBe('ok')
    expect(codeOf(await instance.call('HubService/ListRuns', {}, { key: other.key }))).toBe('ok')
  })

  it('K3: runs under way in scope are cancelled, each with an event, and the kill counts them', async () => {
    const [agent, bystander] = [
      await instance.agent('six', ['telemetry:write', 'telemetry:read']),
      await instance.agent('seven', ['telemetry:write']),
    ]
    const runs = [await start(agent.key), await start(agent.key), await start(bystander.key)].map(
      ({ body }) => body.run.id as string,
    )
    await whileEngaged({ kind: 'agent', id: agent.id }, async (killId) => {
      await vi.waitFor(
        async () => {
          const { body } = await instance.call('KillService/List', { pageSize: 1 })
          expect(body.kills[0]).toMatchObject({ id: killId, runsCancelled: '2' })
        },
        { timeout: 5000, interval: 50 },
      )
    })
    const found = await Promise.all(runs.map((runId) => instance.call('HubService/GetRun', { runId })))
    expect(found.map(({ body }) => [body.run.status, body.run.lastError])).toEqual([
      ['TASK_STATE_CANCELED', 'killed: a test'],
      ['TASK_STATE_CANCELED', 'killed: a test'],
      ['TASK_STATE_WORKING', ''],
    ])
    const { body } = await instance.call('HubService/ListRunEvents', { runId: runs[0], eventType: 'kill.cancelled' })
    expect(body.events).toMatchObject([{ level: 'EVENT_LEVEL_WARN', dataJson: expect.stringContaining('kil_') }])
    const entries = await instance.call('LedgerService/Query', { action: 'kill.cancelled' })
    expect(
      entries.body.entries.map((one: { entryJson: string }) => JSON.parse(one.entryJson).body.args),
    ).toContainEqual(expect.objectContaining({ runs: 2 }))
  })

  it('K3: runs that were begun with a stopped key are cancelled, and those of other keys of the agent go on', async () => {
    const agent = await instance.agent('key-runs', ['telemetry:write'])
    const second = await instance.call('IdentityService/CreateKey', { agentId: agent.id, scopes: ['telemetry:write'] })
    const runs = [await start(agent.key), await start(second.body.key)].map(({ body }) => body.run.id as string)
    const statuses = async () => {
      const found = await Promise.all(runs.map((runId) => instance.call('HubService/GetRun', { runId })))
      return found.map(({ body }) => body.run.status)
    }
    await whileEngaged({ kind: 'key', id: agent.keyId }, async (killId) => {
      await vi.waitFor(
        async () => {
          const { body } = await instance.call('LedgerService/Query', { action: 'kill.cancelled' })
          const told = body.entries.map((one: { entryJson: string }) => JSON.parse(one.entryJson).body.args)
          expect(told).toContainEqual({ killId, reservations: 0, runs: 1, through: true })
        },
        { timeout: 5000, interval: 50 },
      )
    })
    expect(await statuses()).toEqual(['TASK_STATE_CANCELED', 'TASK_STATE_WORKING'])
  })

  it('K3, B4: reservations that are held in scope are settled at what was seen, and a late settlement is still taken', async () => {
    const agent = await instance.agent('eight', ['telemetry:write', 'budget:spend'])
    const reserve = {
      provider: 'p',
      model: 'held-model',
      inputTokens: '10',
      maxOutputTokens: '10',
      amountNanoUsd: '500',
    }
    const call = (method: string, message: object) => instance.call(method, message, { key: agent.key })
    const held = await call('BudgetService/Reserve', reserve)
    expect(held.status).toBe(200)
    const { reservationId } = held.body
    expect((await call('BudgetService/Extend', { reservationId, seen: { output: '4' } })).status).toBe(200)
    const counted = async (killId: string) => {
      const { body } = await instance.call('KillService/List', { pageSize: 1 })
      expect(body.kills[0]).toMatchObject({ id: killId, reservationsSettled: '1', runsCancelled: '0' })
    }
    await whileEngaged({ kind: 'model', id: 'held-model' }, async (killId) => {
      await vi.waitFor(() => counted(killId), { timeout: 5000, interval: 50 })
      expect(codeOf(await call('BudgetService/Reserve', reserve))).toBe('kill.engaged')
    })
    expect((await call('BudgetService/Settle', { reservationId, amountNanoUsd: '70' })).body).toMatchObject({
      late: true,
    })
  })
})

describe('watching the kill switch', () => {
  const kinds = (heard: readonly WatchResponse[]): readonly string[] =>
    heard.filter(({ heartbeat }) => !heartbeat).map(({ kill, engaged }) => `${engaged} ${kill?.scope?.id}`)

  it('K3: an agent hears over gRPC what concerns itself: what is engaged, then changes, at once', async () => {
    const [agent, stranger] = [
      await instance.agent('w1', ['telemetry:write']),
      await instance.agent('w2', ['telemetry:write']),
    ]
    const before = await engage({ kind: 'agent', id: agent.id })
    const [mine, theirs, all] = [agent.key, stranger.key, instance.adminKey].map(
      (key) => new KillWatch(instance.grpc, key),
    )
    if (mine === undefined || theirs === undefined || all === undefined) throw new Error('no streams')
    await Promise.all([
      mine.until((heard) => heard.length === 1),
      theirs.begun(),
      all.until(({ length }) => length === 1),
    ])
    expect([mine.heard[0]?.kill?.reason, all.heard[0]?.kill?.reason]).toEqual(['', 'a test'])
    expect((await release(before.body.kill.id)).status).toBe(200)
    await whileEngaged({ kind: 'tenant' }, () => theirs.until((heard) => kinds(heard).length === 1))
    await Promise.all([mine, all].map((one) => one.until((heard) => kinds(heard).length === 4)))
    await theirs.until((heard) => kinds(heard).length === 2)
    expect(kinds(mine.heard)).toEqual(kinds(all.heard))
    expect(kinds(mine.heard).slice(0, 2)).toEqual([`true ${agent.id}`, `false ${agent.id}`])
    await Promise.all([mine, theirs, all].map((one) => one.close()))
  })

  it('K3: over HTTP it is server-sent events, and it ends with the credential', async () => {
    const agent = await instance.agent('w3', ['telemetry:write'])
    const response = await fetch(`${instance.url}/portcullis.v1.KillService/Watch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${agent.key}` },
      body: '{}',
      signal: AbortSignal.timeout(20_000),
    })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    await whileEngaged({ kind: 'agent', id: agent.id }, () => Promise.resolve())
    const grpc = new KillWatch(instance.grpc, agent.key)
    await grpc.begun()
    await instance.call('IdentityService/RevokeKey', { keyId: agent.keyId })
    const text = await response.text()
    const events = text.split('\n\n').filter((block) => block.includes('data: '))
    const said = events.map((block): { readonly heartbeat?: boolean } =>
      JSON.parse(block.slice(block.indexOf('data: ') + 6)),
    )
    expect(said.filter(({ heartbeat }) => heartbeat !== true)).toMatchObject([
      { engaged: true, kill: { scope: { id: agent.id } } },
      { engaged: false },
      { code: 'auth.credential_invalid', status: 401 },
    ])
    expect(events.at(-1)).toMatch(/^event: end\n/)
    expect(await grpc.ended).toEqual({ code: 16, reason: 'auth.credential_invalid' })
    await grpc.close()
  })

  it('K3: streams go through the gate, are entries, and are bounded', async () => {
    const nobody = new KillWatch(instance.grpc, 'pc_nobody')
    expect((await nobody.ended).reason).toBe('auth.credential_invalid')
    await nobody.close()
    const binary = await fetch(`${instance.url}/portcullis.v1.KillService/Watch`, {
      method: 'POST',
      headers: { 'content-type': 'application/proto', authorization: `Bearer ${instance.adminKey}` },
    })
    expect(binary.status).toBe(400)
    const error = (await binary.json()) as {
      readonly details: readonly { readonly debug: { readonly reason: string } }[]
    }
    expect(error.details[0]?.debug.reason).toBe('bounds.content_type')
    const agent = await instance.agent('w4', ['telemetry:write'])
    const open = Array.from({ length: 8 }, () => new KillWatch(instance.grpc, agent.key))
    await Promise.all(open.map((one) => one.begun()))
    const late = new KillWatch(instance.grpc, agent.key)
    expect((await late.ended).reason).toBe('rate.limited')
    const { body } = await instance.call('LedgerService/Query', {
      action: '/portcullis.v1.KillService/Watch',
      caller: agent.id,
    })
    expect(
      body.entries.filter(({ outcome }: { readonly outcome: string }) => outcome !== 'deny').length,
    ).toBeGreaterThan(0)
    await Promise.all([late, ...open].map((one) => one.close()))
    const again = new KillWatch(instance.grpc, agent.key)
    await again.begun()
    await again.close()
  })
})

describe('what the kill switch tells', () => {
  it('O4: metrics say what is engaged and how long it took', async () => {
    const agent = await instance.agent('m', ['telemetry:write'])
    await whileEngaged({ kind: 'agent', id: agent.id }, async () => {
      const text = await (await fetch(`http://${instance.running.ready.management}/metrics`)).text()
      expect(text).toContain('portcullis_kill_engaged{scope_kind="agent"} 1')
      expect(text).toContain('portcullis_kill_engaged{scope_kind="tenant"} 0')
      expect(text).toMatch(/portcullis_kill_ack_seconds_count [1-9]/)
    })
  })

  it('K5: a drill stops an agent again and again, and is kept with what it measured', async () => {
    const io = fakeIo({
      env: { PORTCULLIS_URL: instance.url, PORTCULLIS_KEY: instance.adminKey },
      now: () => Date.now(),
      monotonic: () => performance.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    })
    const code = await run(['kill', 'drill', '--rounds', '2', '--probes', '2', '--json'], io)
    const told = JSON.parse(io.written.out)
    // How fast it is says nothing of a machine that does other things: that it says so is what counts.
    expect(told).toMatchObject({ probes: 4, replicas: 1, admittedAfter: 0 })
    expect(code).toBe(told.ok === true ? 0 : 1)
    expect(told.denyP99Us).toBeGreaterThan(0)
    const { body } = await instance.call('KillService/ListDrills', { pageSize: 1 })
    expect(body.drills).toMatchObject([{ id: told.id, denyP99Us: String(told.denyP99Us) }])
    const agents = await instance.call('IdentityService/ListAgents', { pageSize: 1 })
    expect(agents.body.agents[0]).toMatchObject({
      name: expect.stringMatching(/^drill-/),
      disabledAt: expect.any(String),
    })
  })

  it('K5: a drill is kept with what it measured', async () => {
    const { body } = await instance.call('KillService/List', { pageSize: 1 })
    const drill = { killId: body.kills[0].id, denyP50Us: '900', denyP99Us: '4000', probes: 20, replicas: 1 }
    const recorded = await instance.call('KillService/RecordDrill', { drill })
    expect(recorded.body.drill).toMatchObject({ ...drill, cancelP99Us: '0', actor: expect.stringMatching(/^opr_/) })
    const listed = await instance.call('KillService/ListDrills')
    expect(listed.body.drills[0]).toEqual(recorded.body.drill)
    const bad = { drill: { ...drill, denyP99Us: '-1' } }
    expect(codeOf(await instance.call('KillService/RecordDrill', bad))).toBe('input.invalid')
    expect(codeOf(await instance.call('KillService/RecordDrill', {}))).toBe('input.invalid')
  })
})
