import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRefusal, systemClock, uuidv7 } from '#core'
import type { WriteResult } from '#hub'
import { TestDatabase, verifyLog, type TestTenant } from '../../test/harness/postgres.ts'
import { finishRun, recordAttempt, recordOnly, requestIdOf, startRun, type EffectMember } from './members.fixture.ts'
import { RecordedFault } from './batch.ts'
import { Writer, writerDefaults, type WriterSettings } from './writer.ts'

let database: TestDatabase
let admin: Client
let tenant: TestTenant
const writers: Writer[] = []

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  tenant = await database.makeTenant('writer')
})
afterAll(async () => {
  await Promise.all(writers.map((writer) => writer.close()))
  await database.stop()
})

function makeWriter(more: Partial<WriterSettings> = {}): Writer {
  const writer = new Writer({ connection: database.settings(), ...writerDefaults, ...more }, systemClock)
  writers.push(writer)
  return writer
}

const outcomeOf = (result: WriteResult): string =>
  isRefusal(result) ? result.code : result.replayed ? 'replayed' : 'done'

async function outcomesOf(results: readonly Promise<WriteResult>[]): Promise<readonly string[]> {
  return (await Promise.allSettled(results)).map((one) => (one.status === 'fulfilled' ? outcomeOf(one.value) : 'fault'))
}

interface EntryRow {
  readonly outcome: string
  readonly code: string | null
  readonly replayed: boolean
}

async function entriesOf(one: EffectMember): Promise<readonly EntryRow[]> {
  const { rows } = await admin.query<EntryRow>(
    `select outcome, code, coalesce((convert_from(entry, 'UTF8')::json #>> '{body,args,replayed}')::boolean, false) as replayed
       from audits.entries where log = $1 and request_id = $2 order by seq`,
    [tenant.name, requestIdOf(one)],
  )
  return rows
}

async function newRun(writer: Writer): Promise<string> {
  const id = uuidv7()
  expect(outcomeOf(await writer.submit(startRun(tenant, id)))).toBe('done')
  return id
}

const count = async (text: string, values: readonly unknown[]): Promise<number> =>
  Number((await admin.query<{ count: string }>(text, [...values])).rows[0]?.count)

const attemptsOf = (runId: string): Promise<number> =>
  count('select count(*) from portcullis.prompt_attempts where run_id = $1', [runId])
const idempotencyRows = (one: EffectMember): Promise<number> =>
  count(`select count(*) from portcullis.idempotency where key_digest = decode($1, 'hex')`, [
    one.idempotency?.keyDigest,
  ])

describe('batches', () => {
  it('L5: calls that wait together commit together', async () => {
    const writer = makeWriter({ lanes: 1 })
    const calls = Array.from({ length: 200 }, () => startRun(tenant, uuidv7()))
    expect(new Set(await outcomesOf(calls.map((one) => writer.submit(one))))).toEqual(new Set(['done']))
    const ids = calls.map(({ effect }) => effect?.key)
    const transactions = await count('select count(distinct xmin::text) from portcullis.runs where id = any ($1)', [
      ids,
    ])
    expect(transactions).toBe(1)
  })

  it('L5: what arrives while the lanes are busy forms the next batch, of at most batchMax', async () => {
    const writer = makeWriter({ lanes: 1, batchMax: 64 })
    const calls = Array.from({ length: 200 }, () => startRun(tenant, uuidv7()))
    await Promise.all(calls.map((one) => writer.submit(one)))
    const ids = calls.map(({ effect }) => effect?.key)
    const { rows } = await admin.query<{ size: number }>(
      'select count(*)::int as size from portcullis.runs where id = any ($1) group by xmin::text order by 1 desc',
      [ids],
    )
    expect(rows.map(({ size }) => size)).toEqual([64, 64, 64, 8])
  })

  it('L5: the calls of several tenants share a batch, each entry in the log of its tenant', async () => {
    const others = await Promise.all(['multi-a', 'multi-b', 'multi-c'].map((name) => database.makeTenant(name)))
    const writer = makeWriter({ lanes: 1 })
    const calls = others.flatMap((other) =>
      Array.from({ length: 20 }, (_, i) => ({ other, call: startRun(other, uuidv7(), { key: `multi-${i}` }) })),
    )
    const mixed = calls.toSorted((a, b) =>
      (a.call.effect?.key ?? '').slice(-4) < (b.call.effect?.key ?? '').slice(-4) ? -1 : 1,
    )
    expect(new Set(await outcomesOf(mixed.map(({ call }) => writer.submit(call))))).toEqual(new Set(['done']))
    for (const other of others) {
      expect(await count('select count(*) from portcullis.runs where tenant_id = $1', [other.id])).toBe(20)
      expect(await verifyLog(admin, other.name)).toMatchObject({ chain_valid: true, count: 20 })
    }
    expect(
      await count('select count(distinct xmin::text) from portcullis.runs where tenant_id = any ($1)', [
        others.map(({ id }) => id),
      ]),
    ).toBe(1)
  })

  it('L5: the queue is bounded; one more call is refused with store.busy and a time to wait, and does nothing', async () => {
    const writer = makeWriter({ lanes: 1, queueMax: 13 })
    const calls = Array.from({ length: 12 }, () => startRun(tenant, uuidv7()))
    const results = await Promise.all(calls.map((one) => writer.submit(one)))
    expect(results.map(outcomeOf)).toEqual([...Array<string>(10).fill('done'), 'store.busy', 'store.busy'])
    expect(results.at(-1)).toMatchObject({ retryAfterSeconds: 1 })
    expect(
      await count('select count(*) from portcullis.runs where id = any ($1)', [
        calls.slice(10).map(({ effect }) => effect?.key),
      ]),
    ).toBe(0)
  })

  it('O14: the last quarter of the queue is for what is shed last, which is refused when that is full, too', async () => {
    const writer = makeWriter({ lanes: 1, queueMax: 8 })
    const [ordinary, last] = [
      Array.from({ length: 7 }, () => startRun(tenant, uuidv7())),
      Array.from({ length: 3 }, () => ({ ...startRun(tenant, uuidv7()), shedLast: true })),
    ]
    const answers = [...ordinary, ...last].map((one) => writer.submit(one))
    expect(await outcomesOf(answers)).toEqual([
      ...Array<string>(6).fill('done'),
      'store.busy',
      ...Array<string>(2).fill('done'),
      'store.busy',
    ])
    // However small the queue, there is a place for each.
    const narrow = makeWriter({ lanes: 1, queueMax: 1 })
    expect(outcomeOf(await narrow.submit(startRun(tenant, uuidv7())))).toBe('done')
  })

  it('L5: a call that waited too long for the store is refused with store.busy and does nothing; those behind it go on', async () => {
    let ahead = 0
    const clock = { now: () => Date.now(), monotonic: () => performance.now() + ahead }
    const writer = new Writer({ connection: database.settings(), ...writerDefaults, lanes: 1 }, clock)
    writers.push(writer)
    const runId = await newRun(writer)
    const holder = await database.connect('postgres')
    await holder.query('begin')
    await holder.query('select from portcullis.runs where id = $1 for update', [runId])
    const [held, late, fresh] = [recordAttempt(tenant, runId), startRun(tenant, uuidv7()), startRun(tenant, uuidv7())]
    const answers = [writer.submit(held)]
    // On its way: the next one waits.
    while (writer.queued > 0) await new Promise(setImmediate)
    answers.push(writer.submit(late))
    ahead += writerDefaults.queueWaitMs + 1
    answers.push(writer.submit(fresh))
    await holder.query('rollback')
    expect(await outcomesOf(answers)).toEqual(['done', 'store.busy', 'done'])
    expect(await count('select count(*) from portcullis.runs where id = $1', [late.effect?.key])).toBe(0)
    // Also where nobody else waits. What is shed last has as long again.
    await holder.query('begin')
    await holder.query('select from portcullis.runs where id = $1 for update', [runId])
    const again = [writer.submit(recordAttempt(tenant, runId))]
    while (writer.queued > 0) await new Promise(setImmediate)
    const last = { ...startRun(tenant, uuidv7()), shedLast: true }
    again.push(writer.submit(startRun(tenant, uuidv7())), writer.submit(last))
    ahead += writerDefaults.queueWaitMs + 1
    await holder.query('rollback')
    expect(await outcomesOf(again)).toEqual(['done', 'store.busy', 'done'])
    expect(outcomeOf(await writer.submit(startRun(tenant, uuidv7())))).toBe('done')
  })

  it('L5: a call without work writes its entry and nothing else', async () => {
    const one = recordOnly(tenant, 'req-record-only')
    expect(outcomeOf(await makeWriter().submit(one))).toBe('done')
    expect(await entriesOf(one)).toEqual([{ outcome: 'allow', code: null, replayed: false }])
  })

  it('L5: closing waits for what was submitted', async () => {
    const writer = makeWriter({ lanes: 1, batchMax: 8 })
    const calls = Array.from({ length: 100 }, () => writer.submit(startRun(tenant, uuidv7())))
    const closed = writer.close()
    expect(new Set(await outcomesOf(calls))).toEqual(new Set(['done']))
    await closed
    expect(outcomeOf(await writer.submit(startRun(tenant, uuidv7())))).toBe('store.unavailable')
  })
})

describe('a bad member', () => {
  /** A batch of 64 whose member at 23 is bad; the others are done, with their entries. */
  async function oneOf64(
    bad: (good: EffectMember) => EffectMember,
  ): Promise<{ readonly bad: EffectMember; readonly outcome: string | undefined }> {
    const writer = makeWriter({ lanes: 1 })
    const runId = await newRun(writer)
    const good = Array.from({ length: 64 }, (_, i) => recordAttempt(tenant, runId, { key: `${runId} ${i}` }))
    const members = good.map((one, i) => (i === 23 ? bad(one) : one))
    const outcomes = await outcomesOf(members.map((one) => writer.submit(one)))
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(63)
    expect(await attemptsOf(runId)).toBe(63)
    const totals = await admin.query('select total_attempts from portcullis.runs where id = $1', [runId])
    expect(totals.rows).toEqual([{ total_attempts: '63' }])
    const ids = members.flatMap((one, i) => (i === 23 ? [] : [requestIdOf(one)]))
    expect(
      await count(
        `select count(*) from audits.entries where log = $1 and request_id = any ($2) and outcome = 'allow'`,
        [tenant.name, ids],
      ),
    ).toBe(63)
    const [poisoned] = members.slice(23)
    if (poisoned === undefined) throw new Error('no bad member')
    expect(await idempotencyRows(poisoned)).toBe(0)
    return { bad: poisoned, outcome: outcomes[23] }
  }

  const withArgs = (one: EffectMember, more: object): EffectMember => {
    if (one.effect === undefined) throw new Error('a member without work')
    return { ...one, effect: { ...one.effect, args: { ...one.effect.args, ...more } } }
  }

  it('L5: one that breaks a constraint fails alone, with an error entry', async () => {
    const { bad, outcome } = await oneOf64((one) => withArgs(one, { outcome: null }))
    expect(outcome).toBe('fault')
    expect(await entriesOf(bad)).toEqual([{ outcome: 'error', code: 'server.internal', replayed: false }])
  })

  it('L14: one whose failure was counted with its like fails alone without an entry, and says that it is accounted for', async () => {
    const asked: string[] = []
    const ownFailure = (code: string): boolean => {
      asked.push(code)
      return asked.length === 1
    }
    const bad = () => ({ ...withArgs(startRun(tenant, uuidv7()), { maxRetries: null }), ownFailure })
    const [first, second] = [bad(), bad()]
    const writer = makeWriter()
    for (const one of [first, second]) await expect(writer.submit(one)).rejects.toBeInstanceOf(RecordedFault)
    expect(asked).toEqual(['server.internal', 'server.internal'])
    expect(await entriesOf(first)).toHaveLength(1)
    expect(await entriesOf(second)).toEqual([])
  })

  it('L5: one with a NUL byte, which fails when it is bound, fails alone', async () => {
    const { bad, outcome } = await oneOf64((one) => withArgs(one, { model: 'a\0b' }))
    expect(outcome).toBe('fault')
    expect(await entriesOf(bad)).toEqual([{ outcome: 'error', code: 'server.internal', replayed: false }])
  })

  it('L5: one whose arguments cannot be sent fails alone', async () => {
    const { outcome } = await oneOf64((one) => withArgs(one, { latencyMs: 1n }))
    expect(outcome).toBe('fault')
  })

  it('L5: one whose answer throws fails alone, with an error entry', async () => {
    const { bad, outcome } = await oneOf64((one) => {
      if (one.effect === undefined) throw new Error('a member without work')
      const answer = (): never => {
        throw new Error('a handler with a mistake')
      }
      return { ...one, effect: { ...one.effect, answer } }
    })
    expect(outcome).toBe('fault')
    expect(await entriesOf(bad)).toEqual([{ outcome: 'error', code: 'server.internal', replayed: false }])
  })

  it('L5: one whose entry cannot be made fails alone: no entry, no effect', async () => {
    const record = (): never => {
      throw new RangeError('an entry that is too large')
    }
    const { outcome } = await oneOf64((one) => ({ ...one, record }))
    expect(outcome).toBe('fault')
  })
})

describe('idempotency', () => {
  it('G15: the same call again answers the stored reply, marked replayed, and its entry says so', async () => {
    const writer = makeWriter()
    const id = uuidv7()
    const [first, again] = [
      startRun(tenant, id, { key: `same ${id}` }),
      startRun(tenant, uuidv7(), { key: `same ${id}` }),
    ]
    const stored = await writer.submit(first)
    const replay = await writer.submit(again)
    expect(outcomeOf(stored)).toBe('done')
    expect(replay).toMatchObject({ refused: false, replayed: true, reply: isRefusal(stored) ? {} : stored.reply })
    expect(await entriesOf(again)).toEqual([{ outcome: 'allow', code: null, replayed: true }])
    expect(await count('select count(*) from portcullis.runs where id = $1', [again.effect?.key])).toBe(0)
  })

  it('G15: another payload under the same key is refused and recorded', async () => {
    const writer = makeWriter()
    const id = uuidv7()
    await writer.submit(startRun(tenant, id, { key: `payload ${id}` }))
    const other = startRun(tenant, uuidv7(), { key: `payload ${id}`, payload: 'another' })
    expect(outcomeOf(await writer.submit(other))).toBe('idempotency.payload_mismatch')
    expect(await entriesOf(other)).toEqual([{ outcome: 'deny', code: 'idempotency.payload_mismatch', replayed: false }])
  })

  it('G15: duplicates at the same time have one effect; the others wait for it and get its reply', async () => {
    const writer = makeWriter()
    const runId = await newRun(writer)
    const calls = Array.from({ length: 20 }, () => recordAttempt(tenant, runId, { key: `duplicates ${runId}` }))
    const results = await Promise.all(calls.map((one) => writer.submit(one)))
    expect(results.map(outcomeOf).toSorted()).toEqual(['done', ...Array<string>(19).fill('replayed')])
    for (const result of results)
      expect(result).toMatchObject({ reply: isRefusal(results[0]) ? {} : results[0]?.reply })
    expect(await attemptsOf(runId)).toBe(1)
  })

  it('G15: a refusal leaves no idempotency row, so that the same key may be tried again', async () => {
    const writer = makeWriter()
    const id = uuidv7()
    const early = finishRun(tenant, id, { key: `refused ${id}` })
    expect(outcomeOf(await writer.submit(early))).toBe('object.not_found')
    expect(await entriesOf(early)).toEqual([{ outcome: 'deny', code: 'object.not_found', replayed: false }])
    expect(await idempotencyRows(early)).toBe(0)
    await writer.submit(startRun(tenant, id))
    expect(outcomeOf(await writer.submit(finishRun(tenant, id, { key: `refused ${id}` })))).toBe('done')
  })

  it('G15: two ends of one run in one batch: one is done and the other refused', async () => {
    const writer = makeWriter({ lanes: 1 })
    const id = await newRun(writer)
    const outcomes = await outcomesOf(
      [finishRun(tenant, id), finishRun(tenant, id), recordAttempt(tenant, id)].map((one) => writer.submit(one)),
    )
    expect(outcomes.slice(0, 2).toSorted()).toEqual(['done', 'object.state'])
    expect(outcomes[2]).toBe('done')
  })
})
