import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'

describe('what an insider or a stranger could try', () => {
  let instance: TestInstance
  beforeAll(async () => {
    instance = await startInstance({ PORTCULLIS__LIMITS__RATE__KEY__BURST: '1000000' })
  })
  afterAll(() => instance.stop())

  it('G6: an agent makes no keys, and revokes none of an operator', async () => {
    const agent = await instance.agent('climber', ['identity:write', 'telemetry:write'])
    const made = await instance.call(
      'IdentityService/CreateKey',
      { agentId: agent.id, scopes: ['telemetry:write'] },
      { key: agent.key },
    )
    expect([made.status, made.body.code]).toEqual([403, 'identity.scope_exceeds'])
    const keys = await instance.call('IdentityService/ListKeys')
    const admin = keys.body.keys.find(({ agentId }: { agentId: string }) => agentId === '')
    const revoked = await instance.call('IdentityService/RevokeKey', { keyId: admin.id }, { key: agent.key })
    expect([revoked.status, revoked.body.code]).toEqual([404, 'object.not_found'])
    expect((await instance.call('IdentityService/ListKeys')).status).toBe(200)
  })

  it('H2: an agent that races the owner of a task neither sees it, nor changes it, nor is in the way', async () => {
    const [owner, thief] = [
      await instance.agent('owner', ['tasks:write']),
      await instance.agent('thief', ['tasks:write']),
    ]
    for (let round = 0; round < 20; round += 1) {
      const { body } = await instance.call('HubService/CreateTask', { title: 'secret' }, { key: owner.key })
      const taskId: string = body.task.id
      const update = (title: string, key: string) => instance.call('HubService/UpdateTask', { taskId, title }, { key })
      const [mine, theirs] = await Promise.all([update('mine', owner.key), update('theirs', thief.key)])
      expect([mine.status, mine.body.task?.title]).toEqual([200, 'mine'])
      expect(theirs.body.code).toBe('object.not_found')
    }
  })

  it('H3: an agent that races the owner of a run does not keep it from finishing', async () => {
    const [owner, thief] = [
      await instance.agent('runner', ['telemetry:write']),
      await instance.agent('rival', ['telemetry:write']),
    ]
    for (let round = 0; round < 20; round += 1) {
      const { body } = await instance.call('HubService/StartRun', { workflow: 'w' }, { key: owner.key })
      const finish = (key: string) =>
        instance.call('HubService/FinishRun', { runId: body.run.id, status: 'completed' }, { key })
      const [theirs, mine] = await Promise.all([finish(thief.key), finish(owner.key)])
      expect(mine.status).toBe(200)
      expect(theirs.body.code).toBe('object.not_found')
    }
  })

  it('H8: totals that reach the largest number stop there, and nobody else notices', async () => {
    const agent = await instance.agent('spender', ['telemetry:write'])
    const { body } = await instance.call('HubService/StartRun', { workflow: 'dear' }, { key: agent.key })
    const attempt = {
      runId: body.run.id,
      model: 'm',
      outcome: 'ATTEMPT_OUTCOME_SUCCESS',
      reportedCostNanoUsd: '1000000000000000',
    }
    const attempts = Array.from({ length: 1000 }, () => attempt)
    for (let round = 0; round < 11; round += 1) {
      const answer = await instance.call('HubService/RecordBatch', { attempts }, { key: agent.key })
      expect(answer.status).toBe(200)
    }
    const run = await instance.call('HubService/GetRun', { runId: body.run.id })
    expect(run.body.run.costNanoUsd).toBe('9223372036854775807')
    await vi.waitFor(
      async () => {
        const admin = await instance.connect('postgres')
        const { rows } = await admin.query(`select count(*)::int as waiting from portcullis.workflow_deltas`)
        expect(rows).toEqual([{ waiting: 0 }])
      },
      { timeout: 15_000, interval: 500 },
    )
    const summary = await instance.call('HubService/GetSummary')
    expect(summary.body.costNanoUsd).toBe('9223372036854775807')
  })

  it('L14: a stranger who guesses sign-in codes leaves a handful of entries, and is held up', async () => {
    const system = async (): Promise<number> =>
      (await instance.call('LedgerService/Query', { log: 'system', pageSize: 1000 })).body.entries.length
    const before = await system()
    for (let guess = 0; guess < 200; guess += 1) {
      const code = String(guess).padStart(32, 'x')
      expect((await fetch(`${instance.url}/sign-in?code=${code}`, { redirect: 'manual' })).status).toBe(403)
    }
    expect((await system()) - before).toBeLessThanOrEqual(10)
  })
})
