import fc from 'fast-check'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isRefusal, systemClock, uuidv7 } from '#core'
import { TestDatabase, verifyLog, type TestTenant } from '../../test/harness/postgres.ts'
import { finishRun, recordAttempt, recordOnly, requestIdOf, startRun, type EffectMember } from './members.fixture.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let admin: Client
let tenants: readonly TestTenant[]
let replicas: readonly [Writer, Writer]

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  tenants = [await database.makeTenant('one'), await database.makeTenant('two')]
  const replica = (): Writer =>
    new Writer(
      { connection: database.settings(), ...writerDefaults, batchMax: 8, duplicateWaitMs: 10_000 },
      systemClock,
    )
  replicas = [replica(), replica()]
})
afterAll(async () => {
  await Promise.all(replicas.map((writer) => writer.close()))
  await database.stop()
})

type Make = (tenant: TestTenant, runId: string, key: string) => { readonly member: EffectMember; readonly key?: string }

const makers: Readonly<Record<string, Make>> = {
  start: (tenant) => ({ member: startRun(tenant, uuidv7()) }),
  attempt: (tenant, runId) => ({ member: recordAttempt(tenant, runId) }),
  'attempt of nothing': (tenant) => ({ member: recordAttempt(tenant, uuidv7()) }),
  'attempt under a key': (tenant, runId, key) => ({ member: recordAttempt(tenant, runId, { key }), key }),
  'attempt of nothing under a key': (tenant, _, key) => ({ member: recordAttempt(tenant, uuidv7(), { key }), key }),
  finish: (tenant, runId) => ({ member: finishRun(tenant, runId) }),
  bad: (tenant, runId) => ({ member: recordAttempt(tenant, runId, { model: 'a\0b' }) }),
  'bad under a key': (tenant, runId, key) => ({ member: recordAttempt(tenant, runId, { key, model: 'a\0b' }), key }),
  record: (tenant) => ({ member: recordOnly(tenant, `req-${uuidv7()}`) }),
}

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.entries(makers)),
    replica: fc.nat(1),
    tenant: fc.nat(1),
    /** Which of a few runs, and which of a few idempotency keys. */
    run: fc.nat(2),
    key: fc.nat(3),
    /** Waits for all that is under way before it goes on. */
    settles: fc.boolean(),
  }),
  { minLength: 1, maxLength: 60 },
)

it(
  'L5: whatever the schedule, each key has one effect at most, each answered call one entry, and every chain verifies',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (schedule) => {
        const round = uuidv7()
        const runs = tenants.map(() => [uuidv7(), uuidv7(), uuidv7()])
        await Promise.all(
          tenants.flatMap((tenant, t) => (runs[t] ?? []).map((id) => replicas[0].submit(startRun(tenant, id)))),
        )
        const calls: { member: EffectMember; key: string | undefined; answer: Promise<string> }[] = []
        for (const {
          kind: [kind, make],
          replica,
          tenant: t,
          run,
          key: k,
          settles,
        } of schedule) {
          const tenant = tenants[t] ?? expect.fail('no tenant')
          const writer = replicas[replica] ?? expect.fail('no replica')
          const runId = runs[t]?.[run] ?? expect.fail('no run')
          const { member, key } = make(tenant, runId, `${round} ${kind} ${run} ${k}`)
          const answer = writer.submit(member).then(
            (result) => (isRefusal(result) ? result.code : result.replayed ? 'replayed' : 'done'),
            () => 'fault',
          )
          calls.push({ member, key: key === undefined ? undefined : `${t} ${key}`, answer })
          if (settles) await Promise.all(calls.map((one) => one.answer))
        }
        const answers = await Promise.all(calls.map(async ({ answer, ...one }) => ({ ...one, answer: await answer })))

        const doneByKey = new Map<string, number>()
        for (const { key, answer } of answers)
          if (key !== undefined && answer === 'done') doneByKey.set(key, (doneByKey.get(key) ?? 0) + 1)
        for (const [key, done] of doneByKey) expect([key, done]).toEqual([key, 1])
        for (const { key, answer } of answers) if (answer === 'replayed') expect(doneByKey.get(key ?? '')).toBe(1)

        const entries = await admin.query<{ request_id: string; outcome: string; code: string | null }>(
          'select request_id, outcome, code from audits.entries where request_id = any ($1)',
          [answers.map(({ member }) => requestIdOf(member))],
        )
        expect(entries.rows).toHaveLength(answers.length)
        const byRequest = new Map(entries.rows.map((row) => [row.request_id, row]))
        for (const { member, answer } of answers) {
          const told = byRequest.get(requestIdOf(member))
          const wanted =
            answer === 'done' || answer === 'replayed'
              ? ['allow', null]
              : answer === 'fault'
                ? ['error', 'server.internal']
                : ['deny', answer]
          expect([answer, told?.outcome, told?.code]).toEqual([answer, ...wanted])
        }

        const attempts = answers.filter(
          ({ member, answer }) => answer === 'done' && member.effect?.operation === 'attempt.record',
        )
        const rows = await admin.query<{ id: string }>(
          'select id from portcullis.prompt_attempts where run_id = any ($1)',
          [runs.flat()],
        )
        expect(rows.rows.map(({ id }) => id).toSorted()).toEqual(
          attempts.map(({ member }) => member.effect?.key ?? '').toSorted(),
        )
        const totals = await admin.query<{ total: string }>(
          'select sum(total_attempts) as total from portcullis.runs where id = any ($1)',
          [runs.flat()],
        )
        expect(Number(totals.rows[0]?.total)).toBe(attempts.length)
      }),
      { numRuns: 40 },
    )
    for (const { name } of tenants) expect(await verifyLog(admin, name)).toMatchObject({ chain_valid: true })
  },
)
