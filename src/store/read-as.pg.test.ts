import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { uuidv7 } from '#core'
import { TestDatabase } from '../../test/harness/postgres.ts'
import { Connection, send, type Statement } from './connection.ts'
import { sqlState } from './errors.ts'
import { readAs } from './read-as.ts'

let database: TestDatabase
let connection: Connection
let client: Client
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())
beforeEach(async () => {
  connection = new Connection(database.settings(), 'test')
  client = await connection.client()
  return () => connection.close()
})

const whoText = `select portcullis.tenant()::text as tenant, portcullis.platform() as platform, $1::text as asked`
const failing: readonly Statement[] = [
  { name: 'divided', text: 'select 1 / $1::text::int as one', values: ['0'] },
  { name: 'unknown', text: 'select 1 from portcullis.nowhere', values: [] },
  { name: 'cancelled', text: 'select pg_cancel_backend(pg_backend_pid()), pg_sleep(60)', values: [] },
  { name: 'nul', text: 'select $1::text as text', values: ['\0'] },
  { name: 'written', text: 'delete from portcullis.runs', values: [] },
]
const who = (asked: string): Statement => ({ name: 'who', text: whoText, values: [asked] })
const scope = (tenantId: string) => ({ tenantId, platform: false })

it('G11: reads that are sent together answer each caller as its own tenant, whatever fails between them', async () => {
  const callers = Array.from({ length: 30 }, (_, n) => ({ tenantId: uuidv7(), asked: String(n), bad: n % 6 === 3 }))
  const answers = await Promise.allSettled(
    callers.map(({ tenantId, asked, bad }, n) => {
      const statement = bad ? failing[Math.floor(n / 6) % failing.length] : undefined
      return readAs(client, scope(tenantId), statement ?? who(asked))
    }),
  )
  expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : stateOf(answer.reason)))).toEqual(
    callers.map(({ tenantId, asked, bad }, n) =>
      bad
        ? ['22012', '42P01', '57014', '22021', '25006'][Math.floor(n / 6) % failing.length]
        : [{ tenant: tenantId, platform: false, asked }],
    ),
  )
  expect(connection.holds(client)).toBe(true)
})

it('G11: the tenant of a read ends with it, done or failed, and so does that nothing may be written', async () => {
  const left = `select current_setting('portcullis.tenant', true) as tenant, current_setting('portcullis.platform', true) as platform,
    current_setting('transaction_read_only') as read_only, current_setting('enable_sort') as sort`
  for (const statement of [who(''), ...failing]) {
    await readAs(client, { tenantId: uuidv7(), platform: true }, statement, true).catch(() => undefined)
    const { rows } = await send(client, { name: 'left', text: left, values: [] })
    expect([statement.name, rows]).toEqual([
      statement.name,
      [{ tenant: '', platform: '', read_only: 'off', sort: 'on' }],
    ])
  }
})

it('G20: a tenant that is none fails the read, and is no empty answer', async () => {
  const runs: Statement = { name: 'runs', text: 'select id from portcullis.runs', values: [] }
  await expect(readAs(client, scope('nobody'), runs)).rejects.toMatchObject({ cause: { code: '22P02' } })
  await expect(readAs(client, scope(uuidv7()), runs)).resolves.toEqual([])
})

it('G20: a statement that could not be prepared is prepared by whoever reads with it next', async () => {
  const late: Statement = { name: 'later', text: 'select 1 as one from portcullis.later', values: [] }
  const asked = (): Promise<unknown> => readAs(client, scope(uuidv7()), late).catch(stateOf)
  expect(await Promise.all([asked(), asked(), asked()])).toEqual(['42P01', '26000', '26000'])
  const admin = await database.connect('postgres')
  await admin.query('create table portcullis.later (); grant select on portcullis.later to public')
  expect(await Promise.all([asked(), asked()])).toEqual([[], []])
})

it('G20: a read that takes too long fails alone', async () => {
  const hurried = new Connection({ ...database.settings(), statementTimeoutMs: 100 }, 'hurried')
  const on = await hurried.client()
  const sleep: Statement = { name: 'sleep', text: 'select pg_sleep(60)', values: [] }
  const [late, behind] = [readAs(on, scope(uuidv7()), sleep).catch(stateOf), readAs(on, scope(''), who('behind'))]
  expect(await late).toBe('57014')
  expect(await behind).toEqual([{ tenant: null, platform: false, asked: 'behind' }])
  expect(hurried.holds(on)).toBe(true)
  await hurried.close()
})

it('G20: a connection that is lost fails every read on it, and the next one is read on another', async () => {
  const sent = Array.from({ length: 5 }, (_, n) => readAs(client, scope(uuidv7()), who(String(n))).catch(stateOf))
  client.connection.stream.destroy()
  expect(await Promise.all(sent)).toEqual(sent.map(() => 'no state'))
  const tenantId = uuidv7()
  const other = await connection.client()
  expect(other).not.toBe(client)
  expect(await readAs(other, scope(tenantId), who('again'))).toEqual([
    { tenant: tenantId, platform: false, asked: 'again' },
  ])
})

it('G20: a session that the server ends fails what it had in hand and what is behind it', async () => {
  const admin = await database.connect('postgres')
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const sent = [{ name: 'long', text: 'select pg_sleep(60)', values: [] }, who('behind'), who('far behind')].map(
    (statement) => readAs(client, scope(uuidv7()), statement).catch(stateOf),
  )
  await admin.query('select pg_terminate_backend($1)', [rows[0]?.pid])
  expect(await Promise.all(sent)).toEqual(['57P01', 'no state', 'no state'])
})

it('G20: a server that answers nothing fails what was sent in time, and the next read is on another connection', async () => {
  const hurried = new Connection({ ...database.settings(), statementTimeoutMs: 100 }, 'hurried')
  const on = await hurried.client()
  const { rows } = await on.query<{ pid: number }>('select pg_backend_pid() as pid')
  const pid = rows[0]?.pid ?? 0
  process.kill(pid, 'SIGSTOP')
  try {
    const sent = ['one', 'two'].map((asked) => readAs(on, scope(uuidv7()), who(asked)).catch(stateOf))
    expect(await Promise.all(sent)).toEqual(['no state', 'no state'])
    await expect.poll(() => hurried.holds(on)).toBe(false)
    expect(await readAs(await hurried.client(), scope(''), who('again'))).toEqual([
      { tenant: null, platform: false, asked: 'again' },
    ])
  } finally {
    process.kill(pid, 'SIGCONT')
    await hurried.close()
  }
})

function stateOf(error: unknown): string {
  return (error instanceof Error ? sqlState(error.cause) : undefined) ?? 'no state'
}
