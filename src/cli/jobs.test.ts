import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, runLine, type Answer, type FakeIo, type FakeServer, type Seen } from './fakes.ts'

const job = {
  id: 'job_1',
  kind: 'checkpoint',
  state: 'JOB_STATE_QUEUED',
  trigger: 'manual',
  actor: 'opr_1',
  attempts: 1,
  createdAt: '2026-11-21T11:59:00Z',
}
const ioFor = (server: FakeServer): FakeIo => fakeIo({ env: { PORTCULLIS_URL: server.url } })

/** A server whose job ends with the second look at it. */
function answering(ends: object): (seen: Seen) => Answer {
  let looks = 0
  return ({ path }) => {
    if (!path.endsWith('GetJob')) return { body: { job } }
    looks += 1
    return { body: { job: looks < 2 ? { ...job, state: 'JOB_STATE_RUNNING' } : { ...job, ...ends } } }
  }
}

describe('jobs', () => {
  it('J1: jobs trigger says what it started, and with --wait how it ended', async () => {
    await using server = await fakeServer(answering({ state: 'JOB_STATE_SUCCEEDED', resultJson: '{"signed":2}' }))
    const started = await runLine('jobs trigger checkpoint', ioFor(server))
    expect([started.code, started.out]).toEqual([0, expect.stringContaining('checkpoint is job_1.')])
    expect(server.seen[0]?.message).toEqual({ kind: 'checkpoint' })
    const waited = await runLine('jobs trigger checkpoint --wait --json', ioFor(server))
    expect([waited.code, JSON.parse(waited.out)]).toMatchObject([0, { state: 'JOB_STATE_SUCCEEDED', id: 'job_1' }])
  })

  it('J1: a job that failed ends jobs trigger --wait with 1', async () => {
    await using server = await fakeServer(answering({ state: 'JOB_STATE_FAILED', error: 'no key' }))
    const { code, out } = await runLine('jobs trigger checkpoint --wait', ioFor(server))
    expect([code, out]).toEqual([1, expect.stringContaining('error      no key')])
  })

  it('J1: jobs list asks for a kind and a state as the contract has them', async () => {
    await using server = await fakeServer(() => ({ body: { jobs: [{ ...job, state: 'JOB_STATE_FAILED' }] } }))
    const { code, out } = await runLine('jobs list --kind checkpoint --state failed', ioFor(server))
    expect([code, out]).toEqual([0, expect.stringContaining('failed')])
    expect(server.seen[0]?.message).toMatchObject({ kind: 'checkpoint', state: 'JOB_STATE_FAILED' })
    expect((await runLine('jobs list --state odd', ioFor(server))).code).toBe(2)
  })

  it('J1: jobs definitions, get and cancel show what there is', async () => {
    const definition = { kind: 'checkpoint', description: 'Signs.', enabled: true, schedule: '', lastJob: job }
    const replies: Readonly<Record<string, object>> = {
      ListDefinitions: { definitions: [definition, { ...definition, kind: 'off', enabled: false }] },
      GetJob: { job },
      Cancel: { job: { ...job, state: 'JOB_STATE_CANCELED' } },
    }
    await using server = await fakeServer(({ path }) => ({ body: replies[path.slice(path.lastIndexOf('/') + 1)] }))
    const listed = await runLine('jobs definitions', ioFor(server))
    expect(listed.out).toMatch(/checkpoint +on demand +queued +Signs\.\noff +disabled/)
    expect((await runLine('jobs get job_1', ioFor(server))).out).toContain('job_1  checkpoint  queued')
    expect((await runLine('jobs cancel job_1', ioFor(server))).out).toContain('job_1 (checkpoint) is canceled.')
  })
})
