import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'

describe('the hub', () => {
  let instance: TestInstance
  let worker: { readonly id: string; readonly key: string }
  let other: { readonly id: string; readonly key: string }
  beforeAll(async () => {
    instance = await startInstance()
    worker = await instance.agent('worker', ['telemetry:write', 'tasks:write'])
    other = await instance.agent('other', ['telemetry:write', 'tasks:write'])
  })
  afterAll(() => instance.stop())

  const start = async (workflow: string, key = worker.key): Promise<string> =>
    (await instance.call('HubService/StartRun', { workflow }, { key })).body.run.id

  it('H2: a task is made, changed, listed by status and tag, and deleted; an agent changes only its own', async () => {
    const options = { key: worker.key }
    const made = await instance.call('HubService/CreateTask', { title: 'Read the log', tags: ['ops', 'ops'] }, options)
    const { task } = made.body
    expect(task).toMatchObject({ title: 'Read the log', status: 'TASK_STATE_SUBMITTED', tags: ['ops'] })
    const changed = await instance.call('HubService/UpdateTask', { taskId: task.id, status: 'working' }, options)
    expect(changed.body.task).toMatchObject({ title: 'Read the log', status: 'TASK_STATE_WORKING', tags: ['ops'] })
    for (const filter of [{ status: 'working' }, { tag: 'ops' }, {}]) {
      const listed = await instance.call('HubService/ListTasks', filter)
      expect(listed.body.tasks.map(({ id }: { id: string }) => id)).toContain(task.id)
    }
    expect((await instance.call('HubService/ListTasks', { tag: 'none' })).body.tasks).toEqual([])
    expect((await instance.call('HubService/ListTasks', {}, { key: other.key })).body.tasks).toEqual([])
    const foreign = await instance.call('HubService/DeleteTask', { taskId: task.id }, { key: other.key })
    expect([foreign.status, foreign.body.code]).toEqual([404, 'object.not_found'])
    expect((await instance.call('HubService/DeleteTask', { taskId: task.id }, options)).status).toBe(200)
    expect((await instance.call('HubService/ListTasks')).body.tasks).toEqual([])
  })

  it('H2: notes and changelog entries are kept with who wrote them, newest first', async () => {
    const options = { key: worker.key }
    await instance.call('HubService/CreateNote', { title: 'first', body: 'a\nb', tags: ['x'] }, options)
    await instance.call('HubService/CreateNote', { title: 'second' }, options)
    const notes = await instance.call('HubService/ListNotes')
    expect(notes.body.notes.map(({ title }: { title: string }) => title)).toEqual(['second', 'first'])
    const tagged = await instance.call('HubService/ListNotes', { tag: 'x' })
    expect(tagged.body.notes).toMatchObject([{ title: 'first', body: 'a\nb' }])
    await instance.call('HubService/AppendChangelog', { category: 'fix', summary: 'less noise' }, options)
    await instance.call('HubService/AppendChangelog', { category: 'add', summary: 'a door' }, options)
    const changes = await instance.call('HubService/ListChangelog', { category: 'fix' })
    expect(changes.body.entries).toMatchObject([{ category: 'fix', summary: 'less noise', actor: worker.id }])
  })

  it('H4: attempts are listed with all that was sent, by run, model, outcome and time', async () => {
    const runId = await start('answer')
    const sent = {
      runId,
      attemptNumber: 2,
      providerType: 'api',
      provider: 'example',
      model: 'model-b',
      promptVersion: 'v7',
      promptHash: 'abc',
      outcome: 'ATTEMPT_OUTCOME_FAILED',
      errorType: 'timeout',
      errorMessage: 'no answer',
      tokens: { input: '10', cachedRead: '1', cacheWrite: '2', output: '3', reasoning: '4' },
      reportedCostNanoUsd: '1500',
      latencyMs: '250',
      qualityScoreMilli: 400,
    }
    const made = await instance.call('HubService/RecordPromptAttempt', sent, { key: worker.key })
    for (const filter of [{ runId }, { model: 'model-b' }, { outcome: 'failed' }, { promptVersion: 'v7' }]) {
      const listed = await instance.call('HubService/ListPromptAttempts', filter)
      expect(listed.body.attempts).toEqual([{ ...made.body.attempt, workflow: 'answer', agentId: worker.id }])
      expect(listed.body.attempts[0]).toMatchObject(sent)
    }
    const later = { createdAfter: new Date(Date.now() + 60_000).toISOString() }
    expect((await instance.call('HubService/ListPromptAttempts', later)).body.attempts).toEqual([])
  })

  it('H5: a batch records attempts, events and benchmarks at once; an item that is not valid is refused alone', async () => {
    const runId = await start('batch')
    const foreign = await start('batch', other.key)
    const attempt = { model: 'model-a', outcome: 'ATTEMPT_OUTCOME_SUCCESS', tokens: { input: '5', output: '2' } }
    const body = {
      idempotencyKey: 'batch-1',
      attempts: [
        { ...attempt, runId },
        { ...attempt, runId: foreign },
        { ...attempt, runId, model: '' },
        { ...attempt, runId },
      ],
      events: [{ runId, eventType: 'step', message: 'one' }],
      benchmarks: [{ workflow: 'batch', model: 'model-a', latencyMs: '9', costNanoUsd: '7' }],
    }
    const made = await instance.call('HubService/RecordBatch', body, { key: worker.key })
    expect(made.body.results).toMatchObject([
      { id: expect.stringMatching(/^att_/), code: '' },
      { id: '', code: 'object.not_found' },
      { id: '', code: 'input.invalid' },
      { id: expect.stringMatching(/^att_/), code: '' },
      { id: expect.stringMatching(/^evt_/), code: '' },
      { id: expect.stringMatching(/^ben_/), code: '' },
    ])
    const again = await instance.call('HubService/RecordBatch', body, { key: worker.key })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.body).toEqual(made.body)
    const run = await instance.call('HubService/GetRun', { runId })
    expect(run.body.run).toMatchObject({ totalAttempts: '2', tokens: { input: '10', output: '4' } })
    expect((await instance.call('HubService/ListRunEvents', { runId })).body.events).toMatchObject([{ message: 'one' }])
    expect((await instance.call('HubService/ListBenchmarks', { workflow: 'batch' })).body.benchmarks).toMatchObject([
      { model: 'model-a', costNanoUsd: '7', agentId: worker.id },
    ])
    const many = { attempts: Array.from({ length: 1001 }, () => ({ ...attempt, runId })) }
    const refused = await instance.call('HubService/RecordBatch', many, { key: worker.key })
    expect([refused.status, refused.body.code]).toEqual([400, 'input.invalid'])
  })

  it('H8: the summary of a tenant adds up at once, and published workflows show only sums of enough samples', async () => {
    const before = (await instance.call('HubService/GetSummary')).body
    const runId = await start('shown')
    const attempts = Array.from({ length: 20 }, (_, index) => ({
      runId,
      model: 'model-a',
      outcome: index < 5 ? 'ATTEMPT_OUTCOME_FAILED' : 'ATTEMPT_OUTCOME_SUCCESS',
      tokens: { input: '10', output: '1' },
      latencyMs: '100',
    }))
    await instance.call('HubService/RecordBatch', { attempts: attempts.slice(0, 19) }, { key: worker.key })
    await instance.call('HubService/PublishWorkflow', { workflow: 'shown', published: true })
    const after = (await instance.call('HubService/GetSummary')).body
    expect(Number(after.attempts) - Number(before.attempts)).toBe(19)
    expect(Number(after.runs) - Number(before.runs)).toBe(1)
    expect(Number(after.failedAttempts) - Number(before.failedAttempts)).toBe(5)
    await instance.call('HubService/RecordBatch', { attempts: attempts.slice(19) }, { key: worker.key })
    const anonymous = () => instance.call('HubService/GetTelemetrySummary', {}, { key: undefined })
    await vi.waitFor(
      async () =>
        expect((await anonymous()).body.workflows).toEqual([
          {
            workflow: 'shown',
            attempts: '20',
            successRateMilli: 750,
            inputTokens: '200',
            outputTokens: '20',
            averageLatencyMs: '100',
          },
        ]),
      { timeout: 10_000 },
    )
    await instance.call('HubService/PublishWorkflow', { workflow: 'shown', published: false })
    expect((await anonymous()).body.workflows).toEqual([])
  })

  it('H8: the export holds every object of the tenant once, as JSON lines', async () => {
    const kinds: Record<string, number> = {}
    let pageToken = ''
    do {
      const page = await instance.call('HubService/ExportState', { pageToken })
      expect(page.status).toBe(200)
      for (const line of page.body.jsonLines.split('\n').filter(Boolean)) {
        const { kind, value } = JSON.parse(line)
        kinds[kind] = (kinds[kind] ?? 0) + 1
        expect(value.id).toEqual(expect.any(String))
      }
      pageToken = page.body.nextPageToken
    } while (pageToken !== '')
    expect(kinds).toMatchObject({ agent: 2, note: 2, changelog: 2, run: 4, attempt: 23, event: 1, benchmark: 1 })
  })

  it('C4: lists and exports of large notes come in pages that fit every door, and each note once', async () => {
    const { body: large } = await instance.call('TenantService/Create', { name: 'large-notes' })
    // What grows most: a control character takes six bytes in JSON, seven in JSON within JSON.
    const body = '\u0001'.repeat(65_536)
    for (let count = 0; count < 12; count += 1)
      await instance.call('HubService/CreateNote', { title: `note ${count}`, body }, { key: large.key })
    const titles: string[] = []
    let pageToken = ''
    do {
      const page = await instance.call('HubService/ListNotes', { pageSize: 1000, pageToken }, { key: large.key })
      expect(page.status).toBe(200)
      expect(JSON.stringify(page.body).length).toBeLessThan(2 * 1024 * 1024)
      titles.push(...page.body.notes.map(({ title }: { title: string }) => title))
      pageToken = page.body.nextPageToken
    } while (pageToken !== '')
    expect(titles).toEqual(Array.from({ length: 12 }, (_, index) => `note ${11 - index}`))
    let exported = 0
    do {
      const page = await instance.call('HubService/ExportState', { pageToken }, { key: large.key })
      expect(page.status).toBe(200)
      expect(JSON.stringify(page.body).length).toBeLessThan(2 * 1024 * 1024)
      exported += page.body.jsonLines.split('\n').filter(Boolean).length
      pageToken = page.body.nextPageToken
    } while (pageToken !== '')
    expect(exported).toBe(12)
  })
})
