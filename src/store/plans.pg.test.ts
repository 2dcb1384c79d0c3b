import type { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { TestDatabase } from '../../test/harness/postgres.ts'
import { recordAttempts } from './operations/attempt-batch.ts'
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
let app: Client
beforeAll(async () => {
  database = await TestDatabase.start()
  app = await database.connect('portcullis_app')
  for (const setting of byKeyOnly) await app.query(setting)
})
afterAll(() => database.stop())

it.each([...operations.values(), recordAttempts])('H6: $name looks every row up by its key', async ({ text }) => {
  const { rows } = await app.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${text}`)
  const lines = rows.map((row) => row['QUERY PLAN'])
  // Tables of telemetry are read by their partitions.
  const scan = new RegExp(`Seq Scan on (?:${growing.join('|')})(?:_first|_\\d+)? `)
  expect(lines.filter((line) => scan.test(line))).toEqual([])
})
