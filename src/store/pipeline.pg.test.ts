import { Client, types } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { TestDatabase } from '../../test/harness/postgres.ts'
import type { Statement } from './connection.ts'
import { sqlState } from './errors.ts'
import { PipelineFailed, sendAll } from './pipeline.ts'

let database: TestDatabase
let client: Client
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())
beforeEach(async () => {
  client = new Client({ ...database.settings().client, pipeline: true, query_timeout: 2000 })
  client.on('error', () => undefined)
  await client.connect()
  return () => client.end()
})

const begin: Statement = { name: 'begin', text: 'begin', values: [] }
const commit: Statement = { name: 'commit', text: 'commit', values: [] }
const number: Statement = { name: 'number', text: 'select $1::int as number, $2::text as text', values: [1, null] }
const one: Statement = { name: 'one', text: 'select 1 as one', values: [] }
const broken: Statement = { name: 'broken', text: 'select $1::text::int / 0 as number', values: ['1'] }
const prepared = `select name from pg_prepared_statements order by name`

it('L5: statements that are sent together are answered in their order, with their rows', async () => {
  const answers = await sendAll(client, [begin, number, { ...number, values: ['2', 'two'] }, commit])
  expect(answers).toEqual([
    { command: 'BEGIN', rows: [] },
    { command: 'SELECT', rows: [{ number: 1, text: null }] },
    { command: 'SELECT', rows: [{ number: 2, text: 'two' }] },
    { command: 'COMMIT', rows: [] },
  ])
})

it('L5: what comes behind a statement that fails is not run, the commit neither', async () => {
  const failed = await failureOf(sendAll(client, [begin, number, broken, one, commit]))
  expect(failed.answered).toBe(2)
  expect(sqlState(failed.cause)).toBe('22012')
  expect(sqlState((await failureOf(sendAll(client, [one]))).cause)).toBe('25P02')
  await client.query('rollback')
})

it('L5: a connection goes on after a failure, whatever of it was prepared', async () => {
  await failureOf(sendAll(client, [number, broken, one]))
  await expect(sendAll(client, [one, number, one])).resolves.toHaveLength(3)
  await failureOf(sendAll(client, [one, broken]))
  await expect(sendAll(client, [number, one])).resolves.toHaveLength(2)
  const { rows } = await client.query<{ name: string }>(prepared)
  expect(rows.map(({ name }) => name)).toEqual(['broken', 'number', 'one'])
})

it('L5: whoever sends while answers are awaited is served in turn', async () => {
  const [first, single, second] = await Promise.all([
    sendAll(client, [one, number]),
    client.query('select 3 as three'),
    sendAll(client, [{ ...number, values: [4, 'four'] }]),
  ])
  expect(first).toHaveLength(2)
  expect(single.rows).toEqual([{ three: 3 }])
  expect(second[0]?.rows).toEqual([{ number: 4, text: 'four' }])
})

it('L5: a connection that is lost leaves no sender waiting', async () => {
  const sleep: Statement = { name: 'sleep', text: 'select pg_sleep(60)', values: [] }
  const waiting = failureOf(sendAll(client, [begin, sleep, commit]))
  client.connection.stream.destroy()
  const { answered, cause } = await waiting
  expect(answered).toBe(0)
  expect(sqlState(cause)).toBeUndefined()
})

it('L5: a value that cannot be read fails its sender and nobody behind it', async () => {
  const { MONEY } = types.builtins
  const parse = types.getTypeParser(MONEY, 'text')
  types.setTypeParser(MONEY, () => {
    throw new Error('no money')
  })
  try {
    const [bad, good] = await Promise.allSettled([
      sendAll(client, [{ name: 'money', text: 'select 1::money, 1 as more', values: [] }, one]),
      sendAll(client, [number]),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { answered: 2, cause: { message: 'no money' } } })
    expect(good).toMatchObject({ status: 'fulfilled', value: [{ rows: [{ number: 1, text: null }] }] })
  } finally {
    types.setTypeParser(MONEY, parse)
  }
})

async function failureOf(sent: Promise<unknown>): Promise<PipelineFailed> {
  const error = await sent.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof PipelineFailed) return error
  throw new Error('it was answered, or failed otherwise', { cause: error })
}
