import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { masterKeyFile } from '../../src/server/key-files.ts'
import { call, databaseOf, startInstance, type TestInstance } from '../harness/instance.ts'
import { Portcullis } from '../harness/portcullis.ts'

const takenOverMs = 10_000
const [running, succeeded] = [2, 4]
let instance: TestInstance
let admin: Client
let file: string

// Writes down when each try begins and ends, where the test can read it; ends when it is told.
const job = `import { appendFile, access } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
export async function run({ attempt, id, signal }) {
  const note = (what) => appendFile(new URL('notes', import.meta.url), JSON.stringify({ what, attempt, id, pid: process.pid }) + '\\n')
  await note('begins')
  while (attempt > 0) {
    signal.throwIfAborted()
    if (await access(new URL('enough', import.meta.url)).then(() => true, () => false)) break
    await delay(50, undefined, { signal })
  }
  await note('ends')
  return { pid: process.pid }
}`

beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__JOBS__WORKERS: '0' })
  admin = await instance.connect('postgres')
  const { user, password, host, port, database } = await databaseOf(instance.dir, 'portcullis_app')
  await writeFile(join(instance.dir, 'job.mjs'), job)
  await writeFile(join(instance.dir, 'notes'), '')
  file = join(instance.dir, 'replica.yaml')
  const settings = {
    database: { url: `postgres://${user}:${password}@${host}:${port}/${database}` },
    listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', management: '127.0.0.1:0' },
    log: { level: 'fatal' },
    secrets: { keyFile: masterKeyFile(embeddedHome(instance.dir).home) },
    jobs: { custom: [{ kind: 'long', moduleFile: 'job.mjs', overlap: 'queue' }] },
  }
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
})
afterAll(() => instance.stop())

interface Row {
  readonly state: number
  readonly attempts: number
  readonly worker: string
}

async function rowOf(id: string): Promise<Row> {
  const { rows } = await admin.query<Row>('select state, attempts, worker from portcullis.jobs where id = $1', [
    id.slice('job_'.length),
  ])
  return rows[0] ?? { state: 0, attempts: 0, worker: '' }
}

const reaches = (id: string, row: Partial<Row>, timeout: number): Promise<void> =>
  vi.waitFor(async () => expect(await rowOf(id)).toMatchObject(row), { timeout, interval: 50 })

/** Two replicas and a job that one of them works on. */
async function working(): Promise<{ readonly id: string; readonly victim: Portcullis; readonly other: Portcullis }> {
  await rm(join(instance.dir, 'enough'), { force: true })
  const replicas = [1, 2].map(() => new Portcullis(['serve', '--json', '--config', file], {}))
  const [first] = await Promise.all(replicas.map((replica) => replica.ready()))
  const { body } = await call(
    `http://${first?.http}`,
    'JobsService/Trigger',
    { kind: 'long' },
    { key: instance.adminKey },
  )
  const { id } = body.job
  await reaches(id, { state: running, attempts: 1 }, 15_000)
  await vi.waitFor(async () => expect((await rowOf(id)).worker).not.toBe(''))
  const { worker } = await rowOf(id)
  const victim = replicas.find(({ child }) => worker.endsWith(`:${child.pid}`))
  const other = replicas.find((replica) => replica !== victim)
  if (victim === undefined || other === undefined) throw new Error(`no replica is ${worker}`)
  return { id, victim, other }
}

async function enough(id: string): Promise<readonly { what: string; pid: number }[]> {
  await writeFile(join(instance.dir, 'enough'), '')
  await reaches(id, { state: succeeded, attempts: 2 }, 10_000)
  const entries = `select count(*)::int as n from audits.entries
    where action = 'job.ended' and convert_from(entry, 'UTF8')::json -> 'body' -> 'args' ->> 'job' = $1`
  await vi.waitFor(async () => expect((await admin.query(entries, [id])).rows).toEqual([{ n: 1 }]), 5000)
  const notes = (await readFile(join(instance.dir, 'notes'), 'utf8')).trim().split('\n')
  return notes.map((note) => JSON.parse(note)).filter((note) => note.id === id)
}

it('J2: the job of a worker that is killed is taken over within seconds, by one other, and ends once', async () => {
  const { id, victim, other } = await working()
  const killedAt = performance.now()
  await victim.end('SIGKILL')
  await reaches(id, { state: running, attempts: 2 }, takenOverMs)
  expect(performance.now() - killedAt).toBeLessThan(takenOverMs)
  const notes = await enough(id)
  expect(notes.map(({ what, pid }) => [what, pid])).toEqual([
    ['begins', victim.child.pid],
    ['begins', other.child.pid],
    ['ends', other.child.pid],
  ])
  await other.end()
})

it('J2: a worker that stood still does not end what another has taken over meanwhile', async () => {
  const { id, victim, other } = await working()
  victim.child.kill('SIGSTOP')
  await reaches(id, { state: running, attempts: 2 }, takenOverMs)
  victim.child.kill('SIGCONT')
  const notes = await enough(id)
  expect(notes.filter(({ what }) => what === 'begins')).toHaveLength(2)
  expect(notes.filter(({ what }) => what === 'ends').map(({ pid }) => pid)).toContain(other.child.pid)
  const { rows } = await admin.query<{ pid: number }>(
    `select (result_json::json ->> 'pid')::int as pid from portcullis.jobs where id = $1`,
    [id.slice('job_'.length)],
  )
  expect(rows).toEqual([{ pid: other.child.pid }])
  await Promise.all([victim.end(), other.end()])
})

it('J2: of two workers of one machine the one that is left takes over, whichever stands still', async () => {
  await rm(join(instance.dir, 'enough'), { force: true })
  const server = new Portcullis(['serve', '--json', '--config', file, '--workers', '2'], {})
  const { http } = await server.ready()
  const { body } = await call(`http://${http}`, 'JobsService/Trigger', { kind: 'long' }, { key: instance.adminKey })
  const { id } = body.job
  await reaches(id, { state: running, attempts: 1 }, 15_000)
  const pidOf = async () => Number((await rowOf(id)).worker.split(':').at(-1))
  await vi.waitFor(async () => expect(await pidOf()).toBeGreaterThan(0))
  const victim = await pidOf()
  await vi.waitFor(async () => expect(await readFile(join(instance.dir, 'notes'), 'utf8')).toContain(id), 5000)
  expect(victim).not.toBe(server.child.pid)
  // It is not replaced, for it has not ended.
  process.kill(victim, 'SIGSTOP')
  try {
    await reaches(id, { state: running, attempts: 2 }, takenOverMs)
    const begun = (await enough(id)).filter(({ what }) => what === 'begins').map(({ pid }) => pid)
    expect([begun[0], new Set(begun).size]).toEqual([victim, 2])
  } finally {
    process.kill(victim, 'SIGKILL')
    await server.end()
  }
})
