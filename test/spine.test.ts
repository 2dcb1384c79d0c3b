import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'

describe('one call, end to end', () => {
  let instance: TestInstance
  beforeAll(async () => {
    instance = await startInstance()
  })
  afterAll(() => instance.stop())

  it('H3: an agent starts, records and finishes a run, and its totals add up', async () => {
    const agent = await instance.agent('worker', ['telemetry:write'])
    const options = { key: agent.key }
    const started = await instance.call('HubService/StartRun', { workflow: 'summarise' }, options)
    expect(started.status).toBe(200)
    const runId: string = started.body.run.id
    for (const outcome of ['success', 'failed', 'ATTEMPT_OUTCOME_SUCCESS']) {
      const tokens = { input: '100', output: 7, cachedRead: '3' }
      const attempt = await instance.call(
        'HubService/RecordPromptAttempt',
        { runId, model: 'model-a', outcome, tokens, latencyMs: '40' },
        options,
      )
      expect(attempt.body.attempt.workflow).toBe('summarise')
    }
    await instance.call(
      'HubService/RecordRunEvent',
      { runId, eventType: 'note', message: 'half way', dataJson: '{"a":1}' },
      options,
    )
    const finished = await instance.call('HubService/FinishRun', { runId, status: 'completed' }, options)
    expect(finished.body.run).toMatchObject({
      status: 'TASK_STATE_COMPLETED',
      totalAttempts: '3',
      successAttempts: '2',
      failedAttempts: '1',
      tokens: { input: '300', output: '21', cachedRead: '9' },
    })
    const again = await instance.call('HubService/FinishRun', { runId, status: 'failed' }, options)
    expect([again.status, again.body.code]).toEqual([412, 'object.state'])
  })

  it('H1: an agent has an owner, labels, models and tools; it is listed, and disabling it ends its keys at once', async () => {
    const wanted = {
      name: 'librarian',
      owner: 'platform',
      labels: { tier: 'gold', area: 'search' },
      allowedModels: ['model-a'],
      allowedTools: ['grep'],
    }
    const created = await instance.call('IdentityService/CreateAgent', wanted)
    expect(created.body.agent).toMatchObject(wanted)
    const agentId: string = created.body.agent.id
    const again = await instance.call('IdentityService/CreateAgent', { name: 'librarian' })
    expect([again.status, again.body.code]).toEqual([409, 'object.exists'])
    const listed = await instance.call('IdentityService/ListAgents', { name: 'librarian' })
    expect(listed.body.agents).toEqual([created.body.agent])

    const key = await instance.call('IdentityService/CreateKey', { agentId, scopes: ['telemetry:write'] })
    const options = { key: key.body.key }
    expect((await instance.call('HubService/StartRun', { workflow: 'w' }, options)).status).toBe(200)
    const disabled = await instance.call('IdentityService/DisableAgent', { agentId })
    expect(disabled.body.agent.disabledAt).toEqual(expect.any(String))
    const refused = await instance.call('HubService/StartRun', { workflow: 'w' }, options)
    expect([refused.status, refused.body.code]).toEqual([401, 'auth.credential_invalid'])
    const late = await instance.call('IdentityService/CreateKey', { agentId, scopes: ['telemetry:write'] })
    expect([late.status, late.body.code]).toEqual([412, 'object.state'])
  })
})
