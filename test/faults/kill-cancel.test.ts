import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { masterKeyFile } from '../../src/server/key-files.ts'
import { call, databaseOf, startInstance, type Answer, type TestInstance } from '../harness/instance.ts'
import { Portcullis } from '../harness/portcullis.ts'
import { entriesOf } from '../harness/replica.ts'

// More than two steps of 200.
const runCount = 450
const heldCount = 250
const soon = { timeout: 20_000, interval: 5 }
const noLimits = { perSecond: 1_000_000, burst: 1_000_000 }

let instance: TestInstance
let admin: Client
let blocker: Client
let doomedConfig: string

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__KEY__PER_SECOND: String(noLimits.perSecond),
    PORTCULLIS__LIMITS__RATE__KEY__BURST: String(noLimits.burst),
  })
  const { user, password, host, port, database } = await databaseOf(instance.dir, 'portcullis_app')
  const settings = {
    database: { url: `postgres://${user}:${password}@${host}:${port}/${database}` },
    listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', management: '127.0.0.1:0' },
    log: { level: 'fatal' },
    limits: { rate: { key: noLimits } },
    secrets: { keyFile: masterKeyFile(embeddedHome(instance.dir).home) },
  }
  doomedConfig = join(instance.dir, 'doomed.yaml')
  await writeFile(doomedConfig, JSON.stringify(settings), { mode: 0o600 })
  admin = await instance.connect('postgres')
  blocker = await instance.connect('postgres')
})
afterAll(() => instance.stop())

interface Victim {
  readonly id: string
  readonly key: string
  readonly budgetId: string
  /** Bare, in the order in which they are ended. */
  readonly runs: readonly string[]
  readonly reservations: readonly string[]
}

const bare = (id: string): string => id.slice(id.indexOf('_') + 1)
const atOnce = <T>(count: number, make: (at: number) => Promise<T>): Promise<readonly T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => make(at)))

/** An agent with runs under way and reservations held, of 100 tokens each, 3 of which were seen. */
async function victim(name: string): Promise<Victim> {
  const { id, key } = await instance.agent(name, ['telemetry:write', 'budget:spend'])
  const budget = {
    name,
    subject: { kind: 'SUBJECT_KIND_AGENT', id },
    unit: 'BUDGET_UNIT_TOKENS',
    limit: '1000000',
    window: { kind: 'WINDOW_KIND_CALENDAR', duration: 'month' },
  }
  const made = await instance.call('BudgetService/UpsertBudget', { budget })
  expect(made.status).toBe(200)
  const as = async (method: string, body: object): Promise<Answer['body']> => {
    const answer = await instance.call(method, body, { key })
    expect([answer.status, answer.body.detail]).toEqual([200, undefined])
    return answer.body
  }
  const runs = await atOnce(runCount, async () => (await as('HubService/StartRun', { workflow: name })).run.id)
  const reservations = await atOnce(heldCount, async () => {
    const { reservationId } = await as('BudgetService/Reserve', {
      model: 'own',
      inputTokens: '50',
      maxOutputTokens: '50',
      amountNanoUsd: '1',
      ttlSeconds: 3600,
    })
    await as('BudgetService/Extend', { reservationId, seen: { output: '3' } })
    return reservationId as string
  })
  const inOrder = (ids: readonly string[]): readonly string[] => ids.map(bare).toSorted()
  return { id, key, budgetId: made.body.budget.id, runs: inOrder(runs), reservations: inOrder(reservations) }
}

/** Holds a row as another transaction would, until `blocker` rolls back. */
async function hold(table: 'runs' | 'reservations', id: string | undefined): Promise<void> {
  await blocker.query('begin')
  const { rowCount } = await blocker.query(`select from portcullis.${table} where id = $1 for update`, [id])
  expect(rowCount).toBe(1)
}

/** The backend that waits for what `blocker` holds. */
async function waiting(): Promise<number> {
  const { rows: own } = await blocker.query<{ pid: number }>('select pg_backend_pid() as pid')
  const text = 'select pid from pg_stat_activity where $1 = any (pg_blocking_pids(pid))'
  return vi.waitFor(async () => {
    const { rows } = await admin.query<{ pid: number }>(text, [own[0]?.pid])
    const [first] = rows
    if (first === undefined) throw new Error('nothing waits')
    return first.pid
  }, soon)
}

/** As where the machine of a replica is gone: it is killed, and its transaction ends without a commit. */
async function die(doomed: Portcullis, backend: number): Promise<void> {
  const exit = await doomed.end('SIGKILL')
  expect(exit.signal).toBe('SIGKILL')
  await admin.query('select pg_terminate_backend($1)', [backend])
  await vi.waitFor(async () => {
    const { rowCount } = await admin.query('select from pg_stat_activity where pid = $1', [backend])
    expect(rowCount).toBe(0)
  }, soon)
  await blocker.query('rollback')
}

interface Told {
  readonly kind: string
  readonly method: string
  readonly args: Readonly<Record<string, unknown>>
}

const killOf = async (killId: string): Promise<Answer['body']> =>
  (await instance.call('KillService/List', { pageSize: 100 })).body.kills.find(
    ({ id }: { readonly id: string }) => id === killId,
  )

interface Point {
  readonly name: string
  /** What it is going to wait for. */
  readonly prepare: (of: Victim) => Promise<void>
}

const points: readonly Point[] = [
  { name: 'while it settles what is held', prepare: (of) => hold('reservations', of.reservations[220]) },
  // What its first look found held is settled by then, in transactions of its own.
  { name: 'in its first step', prepare: (of) => hold('runs', of.runs[0]) },
  { name: 'in its second step', prepare: (of) => hold('runs', of.runs[300]) },
]

let doomed: Portcullis | undefined
afterEach(async () => {
  await blocker.query('rollback')
  await doomed?.end('SIGKILL')
  doomed = undefined
})

async function replicas(): Promise<readonly string[]> {
  return (await admin.query<{ id: string }>('select id from portcullis.replicas')).rows.map(({ id }) => id)
}

/** A process that engages and begins to end what is under way, as far as `point` lets it, and dies there. Answers the kill. */
async function engageAndDie(of: Victim, { prepare }: Point): Promise<string> {
  const before = await replicas()
  doomed = new Portcullis(['serve', '--json', '--config', doomedConfig], {})
  const { http } = await doomed.ready()
  await prepare(of)
  const asked = { scope: { kind: 'agent', id: of.id }, reason: 'dies' }
  const engaged = call(`http://${http}`, 'KillService/Engage', asked, { key: instance.adminKey })
  const backend = await waiting()
  const { body, status } = await engaged
  expect([status, body]).toMatchObject([200, { replicas: 2, replicasAcknowledged: 2 }])
  expect((await killOf(body.kill.id)).runsCancelled).not.toBe(String(runCount))
  await die(doomed, backend)
  // Else each engage of the next half minute waits for it.
  await admin.query('delete from portcullis.replicas where not id = any ($1)', [before])
  return body.kill.id
}

async function expectEndedOnce(of: Victim, killId: string): Promise<void> {
  const runs = await admin.query(
    `select r.status, count(*)::int as runs, count(distinct e.run_id)::int as told, count(e.run_id)::int as events
       from portcullis.runs r left join portcullis.run_events e on e.run_id = r.id and e.event_type = 'kill.cancelled'
      where r.agent_id = $1 group by r.status`,
    [bare(of.id)],
  )
  expect(runs.rows).toEqual([{ status: 5, runs: runCount, told: runCount, events: runCount }])
  const held = await admin.query(
    `select killed, count(*)::int as n, sum(settled_tokens)::int as settled
       from portcullis.reservations where agent_id = $1 group by state, killed`,
    [bare(of.id)],
  )
  expect(held.rows).toEqual([{ killed: true, n: heldCount, settled: 3 * heldCount }])
  const { body } = await instance.call('BudgetService/ListBudgets', { pageSize: 1000 })
  const found = body.budgets.find((one: { readonly budget: { readonly id: string } }) => one.budget.id === of.budgetId)
  expect(found.windows).toMatchObject([{ used: String(3 * heldCount) }])
  expect(Number(found.windows[0].held ?? 0)).toBe(0)
  expect((await admin.query('select * from portcullis.check_budgets()')).rows).toEqual([])
  const counted = { runsCancelled: String(runCount), reservationsSettled: String(heldCount) }
  expect(await killOf(killId)).toMatchObject(counted)
}

async function expectToldOnce(of: Victim, killId: string): Promise<void> {
  const told = (await entriesOf(instance, 'main')).map((entry): Told => JSON.parse(entry).body)
  const engaged = told.filter(({ method, args }) => method.endsWith('/Engage') && JSON.stringify(args).includes(of.id))
  expect(engaged).toHaveLength(1)
  const ended = told.filter(({ kind, args }) => kind === 'kill.cancelled' && args['killId'] === killId)
  const [through, steps] = [true, undefined].map((value) => ended.filter(({ args }) => args['through'] === value))
  expect(steps?.reduce((sum, { args }) => sum + Number(args['runs'] ?? 0), 0)).toBe(runCount)
  expect(through?.map(({ args }) => args)).toEqual([{ killId, reservations: heldCount, runs: runCount, through: true }])
  const expired = told
    .filter(({ kind, args }) => kind === 'budget.reservation_expired' && args['killed'] === true)
    .map(({ args }) => bare(String(args['reservationId'])))
  const mine = expired.filter((id) => of.reservations.includes(id))
  expect([mine.length, new Set(mine).size]).toEqual([heldCount, heldCount])
  const verified = await instance.call('LedgerService/Verify', { log: 'main' })
  expect(verified.body).toMatchObject({ chainValid: true })
}

it.each(points)(
  'K3, T1: a replica that dies $name leaves the rest to another one, which ends each run and each reservation once',
  async (point) => {
    const of = await victim(point.name.replaceAll(/\W/g, '-'))
    const killId = await engageAndDie(of, point)
    await vi.waitFor(async () => {
      const text = 'select cancelled_at is not null as through from portcullis.kills where id = $1'
      expect((await admin.query(text, [bare(killId)])).rows).toEqual([{ through: true }])
    }, soon)
    await expectEndedOnce(of, killId)
    await expectToldOnce(of, killId)
    expect((await instance.call('KillService/Release', { killId, reason: 'over' })).status).toBe(200)
  },
)
