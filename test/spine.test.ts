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
      const attempt = await instance.call('HubService/RecordPromptAttempt', { runId, model: 'model-a', outcome, tokens, latencyMs: '40' }, options)
      expect(attempt.body.attempt.workflow).toBe('summarise')
    }
    await instance.call('HubService/RecordRunEvent', { runId, eventType: 'note', message: 'half way', dataJson: '{"a":1}' }, options)
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
})
