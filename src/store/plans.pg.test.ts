import { afterAll, beforeAll, expect, it } from 'vitest'
import { TestDatabase } from '../../test/harness/postgres.ts'
import { operations } from './operations/index.ts'
import { byKeyOnly } from './writer.ts'

// Tables that grow with use. A batch must find its rows in them by key.
const growing = [
  'runs',
  'prompt_attempts',
  'run_events',
  'benchmarks',
  'idempotency',
  'tasks',
  'notes',
  'changelog',
  'keys',
]

let database: TestDatabase
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterAll(() => database.stop())

it.each([...operations])('H6: %s looks every row up by its key', async (_name, { text }) => {
  const app = await database.connect('portcullis_app')
  for (const setting of byKeyOnly) await app.query(setting)
  const { rows } = await app.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${text}`)
  const lines = rows.map((row) => row['QUERY PLAN'])
  expect(lines.filter((line) => growing.some((table) => line.includes(`Seq Scan on ${table} `)))).toEqual([])
})
