import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embeddedHome } from '../src/server/embedded/index.ts'
import { signingKeyFile } from '../src/server/key-files.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { entriesOf } from './harness/replica.ts'
import { entryOf, startServer, type TestServer } from './harness/server.ts'

const secret = 'a-secret-for-callbacks'
const called: { headers: IncomingHttpHeaders; body: string }[] = []
const callbacks = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    called.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
    response.end('{"rows":7}')
  })
})

let instance: TestInstance
let server: TestServer

interface Told {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- a reply of any route
  readonly body: any
}

beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__JOBS__WORKERS: '0' })
  callbacks.listen(0, '127.0.0.1')
  await once(callbacks, 'listening')
  const { port } = callbacks.address() as AddressInfo
  const place = (name: string, text: string): Promise<void> =>
    writeFile(join(instance.dir, name), text, { mode: 0o600 })
  await place('callback-secret', secret)
  await place(
    'waits.mjs',
    `export async function run({ signal, data, progress }) {
       if (data.end) return { done: true }
       await progress({ waits: true })
       await new Promise((resolve) => signal.addEventListener('abort', resolve))
       throw signal.reason
     }`,
  )
  await place('fails.mjs', `export default () => { throw new Error('not today') }`)
  const moduleFile = 'waits.mjs'
  const http = { url: `http://127.0.0.1:${port}/run`, secretFile: 'callback-secret', allowPrivate: true }
  server = await startServer(instance, {
    audit: { checkpoints: { keyFile: join(embeddedHome(instance.dir).home, signingKeyFile) } },
    jobs: {
      custom: [
        { kind: 'waits', moduleFile },
        { kind: 'fails', moduleFile: 'fails.mjs', retries: 0 },
        { kind: 'calls', http },
        { kind: 'off', moduleFile, enabled: false },
        { kind: 'nightly', moduleFile, schedule: '30 2 * * *', timeZone: 'Europe/Berlin' },
        { kind: 'theirs', moduleFile, tenant: 'elsewhere' },
      ],
    },
  })
})

afterAll(async () => {
  await server?.stop()
  await instance?.stop()
  callbacks.close()
})

interface More {
  /** Empty for none. */
  readonly key?: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

async function ask(verb: string, path: string, { key = instance.adminKey, body, headers }: More = {}): Promise<Told> {
  const response = await fetch(`${server.url}${path}`, {
    method: verb,
    headers: {
      ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

/** Entries of the log `system` that stand for many, oldest first. */
async function countedEntries(): Promise<readonly { readonly code: string; readonly args: object }[]> {
  const entries = await entriesOf(instance, 'system')
  return entries.map((entry) => JSON.parse(entry).body).filter(({ kind }) => kind === 'denials.counted')
}

/** The job once its state is that. */
async function reached(id: string, state: string): Promise<Told['body']> {
  let job: Told['body']
  await expect
    .poll(
      async () => {
        job = (await ask('GET', `/jobs/${id}`)).body.job
        return job.state
      },
      { interval: 30, timeout: 10_000 },
    )
    .toBe(`JOB_STATE_${state}`)
  return job
}

const audited = async (route: string, status: number, scopes = 'present', client = 'present'): Promise<number> => {
  const labels = `route=${route},status=${status},bypass=false,scopes=${scopes},client=${client}`
  return (await server.metric('portcullis_authorization_audit_total'))[labels] ?? 0
}

describe('jobs over HTTP', () => {
  it('J1: definitions say what there is and when it runs next; a kind of another tenant is not there', async () => {
    const { status, body } = await ask('GET', '/jobs/definitions')
    expect(status).toBe(200)
    const kinds = new Map<string, Told['body']>(body.definitions.map((one: { kind: string }) => [one.kind, one]))
    expect([...kinds.keys()]).toEqual([
      'budget-check',
      'calls',
      'checkpoint',
      'fails',
      'ledger-verification',
      'nightly',
      'off',
      'reconciliation',
      'retention',
      'roll-up',
      'secret-age-report',
      'sink-replay',
      'verify',
      'waits',
    ])
    expect(kinds.get('off')).toMatchObject({ enabled: false, handler: 'module', overlap: 'JOB_OVERLAP_REFUSE' })
    const next = new Date(kinds.get('nightly').nextRunAt)
    const berlin = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: 'Europe/Berlin' }).format(next)
    expect([berlin, next > new Date()]).toEqual(['02:30', true])
    expect(kinds.get('waits').nextRunAt).toBeUndefined()
    expect((await ask('POST', '/jobs/theirs')).status).toBe(404)
  })

  it('J1: a trigger is 202 with the address of the job, and 409 with its id while it runs; the other one is canceled', async () => {
    const first = await ask('POST', '/jobs/waits')
    expect([first.status, first.body.job.state]).toEqual([202, 'JOB_STATE_QUEUED'])
    const { id } = first.body.job
    expect(first.headers.get('location')).toBe(`/jobs/${id}`)
    const running = await reached(id, 'RUNNING')
    expect(running).toMatchObject({ kind: 'waits', trigger: 'manual', attempts: 1 })
    const second = await ask('POST', '/jobs/waits')
    expect([second.status, second.body.code, second.body.facts]).toEqual([
      409,
      'job.running',
      { jobId: id, kind: 'waits' },
    ])
    const listed = await ask('GET', '/jobs?kind=waits&state=running')
    expect(listed.body.jobs.map((job: { id: string }) => job.id)).toEqual([id])
    expect((await ask('POST', `/jobs/${id}/cancel`)).status).toBe(200)
    const ended = await reached(id, 'CANCELED')
    expect(ended.error).toMatch(/^canceled by opr_/)
    expect((await ask('DELETE', `/jobs/${id}`)).body).toMatchObject({ status: 412, code: 'object.state' })
  })

  it('J1: the same key is the same job; its data reaches the work, and its result comes back', async () => {
    const more = { headers: { 'idempotency-key': 'once' }, body: { dataJson: '{"end":true}' } }
    const [first, again] = [await ask('POST', '/jobs/waits', more), await ask('POST', '/jobs/waits', more)]
    expect([first.status, again.status]).toEqual([202, 202])
    expect(again.body.job.id).toBe(first.body.job.id)
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    const done = await reached(first.body.job.id, 'SUCCEEDED')
    expect(JSON.parse(done.resultJson)).toEqual({ done: true })
    const entry = await entryOf(instance, first.headers.get('x-request-id') ?? '')
    expect(entry).toMatchObject({ kind: 'job.ended', args: { job: first.body.job.id, state: 'SUCCEEDED' } })
  })

  it('J1: what cannot be triggered is refused as what it is', async () => {
    const reader = await instance.agent('reader', ['jobs:read'])
    const other = await instance.agent('other', ['telemetry:write'])
    expect((await ask('POST', '/jobs/nothing')).body).toMatchObject({ status: 404, code: 'object.not_found' })
    expect((await ask('POST', '/jobs/off')).body).toMatchObject({ status: 403, code: 'job.disabled' })
    expect((await ask('POST', '/jobs/waits', { key: reader.key })).body).toMatchObject({ code: 'auth.scope_missing' })
    expect((await ask('GET', '/jobs', { key: other.key })).status).toBe(403)
    const nobody = await ask('POST', '/jobs/waits', { key: '' })
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, expect.stringMatching(/^Bearer/)])
    expect((await ask('GET', '/jobs/job_0199aaaa-0000-7000-8000-000000000000')).status).toBe(404)
    expect((await ask('GET', '/jobs/nothing')).status).toBe(400)
    expect((await ask('GET', '/jobs?state=odd')).status).toBe(400)
    expect((await ask('POST', '/jobs/waits', { body: { dataJson: '[1]' } })).status).toBe(400)
    expect((await ask('POST', '/jobs/waits', { body: { kind: 'calls' } })).status).toBe(400)
    const wrongVerb = await ask('PUT', '/jobs/waits', { body: {} })
    expect(wrongVerb.body).toMatchObject({ status: 405, code: 'method.not_allowed' })
    expect(wrongVerb.headers.get('allow')).toBe('DELETE, GET, POST')
    expect((await ask('PUT', '/jobs/waits/nothing', { body: {} })).body).toMatchObject({ code: 'method.unknown' })
    const large = { body: { dataJson: `{"a":"${'a'.repeat(70_000)}"}` } }
    expect((await ask('POST', '/jobs/waits', large)).status).toBe(400)
    expect((await ask('GET', '/jobs', { key: reader.key })).status).toBe(200)
  })

  it('J1, L14: wrong verbs and unknown paths are counted apart: two entries of each, and one for the rest', async () => {
    const own = await startServer(instance, { jobs: { workers: 0 } })
    const send = async (method: string, path: string): Promise<number> =>
      (await fetch(`${own.url}${path}`, { method })).status
    for (let at = 0; at < 6; at += 1) {
      expect(await send('PUT', '/jobs/waits')).toBe(405)
      expect(await send('PUT', '/jobz/waits')).toBe(404)
    }
    const counts = await own.metric('portcullis_gate_decisions_total')
    for (const code of ['method.not_allowed', 'method.unknown'])
      expect(counts[`method=(unknown),outcome=deny,code=${code}`]).toBe(6)
    const before = await countedEntries()
    await own.stop()
    const after = await countedEntries()
    for (const [code, sample] of [
      ['method.not_allowed', { path: '/jobs/waits', verb: 'PUT' }],
      ['method.unknown', { path: '/jobz/waits' }],
    ] as const) {
      const one = { count: 1, ...sample }
      expect(before.filter((entry) => entry.code === code).slice(-2)).toMatchObject([{ args: one }, { args: one }])
      expect(after.slice(before.length).filter((entry) => entry.code === code)).toMatchObject([{ args: { count: 4 } }])
    }
  })

  it('J2: a callback is signed, and what it answers is the result', async () => {
    const { body } = await ask('POST', '/jobs/calls', { body: { dataJson: '{"day":3}' } })
    const done = await reached(body.job.id, 'SUCCEEDED')
    expect(JSON.parse(done.resultJson)).toEqual({ status: 200, reply: { rows: 7 } })
    const [one] = called
    expect(JSON.parse(one?.body ?? '')).toMatchObject({ id: body.job.id, kind: 'calls', attempt: 1, data: { day: 3 } })
    const time = one?.headers['portcullis-timestamp']
    const right = createHmac('sha256', secret)
      .update(`${String(time)}.${one?.body}`)
      .digest('hex')
    expect(one?.headers['portcullis-signature']).toBe(`v1=${right}`)
  })

  it('J4: a job that fails later counts in both, and each refused trigger by its reason', async () => {
    const { body } = await ask('POST', '/jobs/fails')
    const failed = await reached(body.job.id, 'FAILED')
    expect(failed.error).toBe('not today')
    const of = (kind: string, outcome: string) => `job_kind=${kind},job_trigger=manual,job_outcome=${outcome}`
    const triggered = await server.metric('web_jobs_triggered_total')
    expect([triggered[of('fails', 'accepted')], triggered[of('waits', 'accepted')]]).toEqual([1, 2])
    const conflicts = await server.metric('web_jobs_trigger_conflict_total')
    expect([conflicts[of('waits', 'running')], conflicts[of('off', 'disabled')]]).toEqual([1, 1])
    await expect
      .poll(async () => (await server.metric('web_jobs_trigger_failed_total'))[of('fails', 'failed')], { interval: 30 })
      .toBe(1)
    // Whoever the gate let in, and not who had no scope; the text of a caller is no label.
    expect((await server.metric('source_http_requests_total'))['source=jobs-run']).toBeGreaterThanOrEqual(8)
    expect(Object.keys(triggered).join()).not.toContain('nothing')
  })

  it('J3: each call has its audit line under its route', async () => {
    expect(await audited('/jobs/{kind}', 202)).toBe(5)
    expect(await audited('/jobs/{kind}', 409)).toBe(1)
    expect(await audited('/jobs/{kind}', 401, '(none)', '(none)')).toBe(1)
    expect(await audited('/jobs/{kind}', 404)).toBe(2)
    expect(await audited('/jobs/definitions', 200)).toBe(1)
    expect(await audited('/jobs/{id}/cancel', 200)).toBe(1)
    expect(await audited('/jobs/{id}', 412)).toBe(1)
    expect(await audited('/jobs', 403)).toBe(1)
  })

  it('K1: a kind that is killed is refused, and one of it that runs is canceled', async () => {
    const { body } = await ask('POST', '/jobs/waits')
    await reached(body.job.id, 'RUNNING')
    const key = instance.adminKey
    const kill = { scope: { kind: 'KILL_SCOPE_KIND_JOB_KIND', id: 'waits' }, reason: 'a test' }
    const engaged = await server.call('KillService/Engage', kill, { key })
    expect(engaged.status).toBe(200)
    const canceled = await reached(body.job.id, 'CANCELED')
    expect(canceled.error).toBe('a kill switch stops it')
    expect((await ask('POST', '/jobs/waits')).body).toMatchObject({ status: 403, code: 'kill.engaged' })
    const released = await server.call('KillService/Release', { killId: engaged.body.kill.id, reason: 'over' }, { key })
    expect(released.status).toBe(200)
    const last = await ask('POST', '/jobs/waits', { body: { dataJson: '{"end":true}' } })
    expect(last.status).toBe(202)
    await reached(last.body.job.id, 'SUCCEEDED')
  })

  it('K1: jobs of a tenant that is killed, and all where everything is, end and do not run', async () => {
    const key = instance.adminKey
    const scopes = [{ kind: 'KILL_SCOPE_KIND_TENANT' }, { kind: 'KILL_SCOPE_KIND_EVERYTHING' }]
    for (const scope of scopes) {
      const { body } = await ask('POST', '/jobs/waits')
      await reached(body.job.id, 'RUNNING')
      const { body: engaged } = await server.call('KillService/Engage', { scope, reason: 'a test' }, { key })
      const canceled = await reached(body.job.id, 'CANCELED')
      expect(canceled.error).toBe('a kill switch stops it')
      expect((await ask('POST', '/jobs/waits')).body).toMatchObject({ code: 'kill.engaged' })
      const release = { killId: engaged.kill.id, reason: 'over' }
      expect((await server.call('KillService/Release', release, { key })).status).toBe(200)
    }
  })

  it('J2: the kinds that are built in do their work', async () => {
    const kinds = ['budget-check', 'checkpoint', 'ledger-verification', 'reconciliation', 'retention', 'roll-up']
    const results: Record<string, Told['body']> = {}
    for (const kind of [...kinds, 'secret-age-report', 'sink-replay']) {
      const { body } = await ask('POST', `/jobs/${kind}`)
      const job = await reached(body.job.id, 'SUCCEEDED')
      results[kind] = JSON.parse(job.resultJson)
    }
    expect(results['ledger-verification']).toMatchObject({ chainValid: true, broken: [], tooLong: [] })
    expect(results['ledger-verification'].logs).toBeGreaterThanOrEqual(2)
    expect(results['secret-age-report']).toEqual({ olderThanDays: 90, found: 0, oldest: [] })
    expect(results['budget-check']).toEqual({ problems: 0 })
    expect(results['checkpoint'].signed).toBeGreaterThanOrEqual(2)
    expect(results['roll-up']).toEqual({ folded: true })
  })

  it('J1: what is built in is triggered, canceled and read by who runs the platform; others see that it is there', async () => {
    const { key } = await instance.agent('trigger-happy', ['jobs:trigger'])
    const { body } = await ask('GET', '/jobs?kind=ledger-verification')
    const [whole] = body.jobs
    expect([whole.resultJson, whole.actor]).toEqual([
      expect.stringContaining('chainValid'),
      expect.stringMatching(/^opr_/),
    ])
    const refused = await ask('POST', '/jobs/ledger-verification', { key })
    expect(refused.body).toMatchObject({ status: 403, code: 'auth.scope_missing' })
    expect((await ask('POST', `/jobs/${whole.id}/cancel`, { key })).body).toMatchObject({ code: 'object.not_found' })
    const definitions = await ask('GET', '/jobs/definitions', { key })
    const seen = [
      (await ask('GET', `/jobs/${whole.id}`, { key })).body.job,
      (await ask('GET', '/jobs?kind=ledger-verification', { key })).body.jobs[0],
      definitions.body.definitions.find((one: { kind: string }) => one.kind === whole.kind).lastJob,
    ]
    for (const job of seen) {
      expect(job).toMatchObject({ id: whole.id, kind: whole.kind, state: 'JOB_STATE_SUCCEEDED' })
      expect([job.resultJson, job.actor, job.error, job.requestId].filter(Boolean)).toEqual([])
    }
    expect((await ask('POST', '/jobs/waits', { key, body: { dataJson: '{"end":true}' } })).status).toBe(202)
  })
})
