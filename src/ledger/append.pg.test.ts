import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonicalJson } from '#core'
import {
  append,
  appendText,
  appendValues,
  itemsOf,
  LedgerDatabase,
  verifyLog,
  type Draft,
} from './ledger-database.fixture.ts'
import { parseEntry } from './index.ts'

let database: LedgerDatabase
let admin: Client
let app: Client

beforeAll(async () => {
  database = await LedgerDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
})

afterAll(() => database[Symbol.asyncDispose]())

let logs = 0
async function newLog(): Promise<string> {
  logs += 1
  const log = `log-${logs}`
  await app.query('select audits.create_log($1, null)', [log])
  return log
}

const drafts = (log: string, count: number, name = 'n'): Draft[] =>
  Array.from({ length: count }, (_, i) => ({ log, body: canonicalJson({ [name]: i }) }))

const bodyOf = (bytes: number): string => `{"a":"${'x'.repeat(bytes - '{"a":""}'.length)}"}`

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}

describe('audits.append', () => {
  it('L1: writes entries that verify, at every size from 1 to 70', async () => {
    const log = await newLog()
    for (let size = 0; size < 70; size++) {
      expect(await append(app, drafts(log, 1))).toEqual([{ log, first_seq: String(size), appended: 1 }])
      expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: size + 1 })
    }
  })

  it('L1: writes batches that verify and keep their order', async () => {
    const log = await newLog()
    for (const count of [1, 128, 3, 256, 64]) await append(app, drafts(log, count, `of${count}`))
    expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 452 })
    const items = await itemsOf(admin, log)
    const numbers = items.map(({ entry }) => parseEntry(entry)).map((parsed) => (parsed.ok ? parsed.entry.body : {}))
    expect(numbers.slice(1, 129)).toEqual(Array.from({ length: 128 }, (_, i) => ({ of128: i })))
  })

  it('L4: appends to several logs in one call, each in the order given', async () => {
    const [a, b] = [await newLog(), await newLog()]
    const mixed = [...drafts(b, 3), ...drafts(a, 2), ...drafts(b, 2, 'more')]
    expect(await append(app, mixed)).toEqual([
      { log: a, first_seq: '0', appended: 2 },
      { log: b, first_seq: '0', appended: 5 },
    ])
    expect(await verifyLog(admin, a)).toMatchObject({ chain_valid: true, count: 2 })
    expect(await verifyLog(admin, b)).toMatchObject({ chain_valid: true, count: 5 })
    const { rows } = await admin.query('select seq, entry from audits.entries where log = $1 order by seq', [b])
    expect(rows.map(({ entry }) => String(entry).slice(0, 20))).toEqual(
      ['{"n":0}', '{"n":1}', '{"n":2}', '{"more":0}', '{"more":1}'].map((body) =>
        `{"body":${body}`.padEnd(20, ',"log":').slice(0, 20),
      ),
    )
  })

  it('L1: keeps the bytes of any text', async () => {
    const log = await newLog()
    const texts = [
      'é \u{1f602} \ufb33 \u2028 \u007f',
      'a "quoted" \\ back',
      'line\nend\ttab',
      "it's; drop table --",
      '\ufeff',
      '%s $1 {}',
    ]
    await append(
      app,
      texts.map((text) => ({ log, body: canonicalJson({ text }) })),
    )
    expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: texts.length })
    const items = await itemsOf(admin, log)
    expect(items.map(({ entry }) => parseEntry(entry)).map((parsed) => parsed.ok && parsed.entry.body)).toEqual(
      texts.map((text) => ({ text })),
    )
  })

  it('L1: copies the columns for queries and stores an empty value as null', async () => {
    const log = await newLog()
    const more = {
      caller: 'agt_1',
      actor: 'job',
      action: '/a/B',
      outcome: 'deny',
      code: 'auth.scope_missing',
      requestId: 'req_1',
    } as const
    await append(app, [{ log, body: '{}', ...more }])
    await append(app, [
      { log, body: '{}' },
      { log, body: '{}', caller: 'agt_2' },
    ])
    const { rows } = await admin.query(
      'select tenant_id, caller, actor, action, outcome, code, request_id from audits.entries where log = $1 order by seq',
      [log],
    )
    const empty = {
      tenant_id: null,
      caller: null,
      actor: null,
      action: null,
      outcome: 'allow',
      code: null,
      request_id: null,
    }
    const { requestId, ...same } = more
    expect(rows).toEqual([{ ...empty, ...same, request_id: requestId }, empty, { ...empty, caller: 'agt_2' }])
  })

  it('L1: has one time per call, equal in entry and column, that never goes back though the clock does', async () => {
    const log = await newLog()
    await append(app, drafts(log, 3))
    const owner = await database.connect('portcullis_owner')
    // A head from a machine whose clock was ahead by a day.
    await owner.query('begin')
    await owner.query('alter table audits.heads disable trigger heads_only_grow')
    await owner.query(`update audits.heads set last_ts = last_ts + interval '1 day' where log = $1`, [log])
    await owner.query('alter table audits.heads enable always trigger heads_only_grow')
    await owner.query('commit')
    await append(app, drafts(log, 2))
    await append(app, drafts(log, 2))
    expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 7 })
    const { rows } = await admin.query<{ same: boolean; times: string }>(
      `select bool_and(convert_from(entry, 'UTF8')::json ->> 'ts' = to_char(ts at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) as same,
              count(distinct ts) as times from audits.entries where log = $1`,
      [log],
    )
    expect(rows).toEqual([{ same: true, times: '2' }])
  })

  it('L1: takes an entry of exactly 60 KiB and refuses one byte more', async () => {
    const log = await newLog()
    await append(app, drafts(log, 1))
    const around = (await itemsOf(admin, log))[0]?.entry.length ?? 0
    const room = 61_440 - (around - '{"n":0}'.length)
    expect(await codeOf(append(app, [{ log, body: bodyOf(room + 1) }]))).toBe('LG005')
    await append(app, [{ log, body: bodyOf(room) }])
    expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 2 })
  })

  it('L1: refuses what is wrong with a code of its own, and then writes nothing at all', async () => {
    const log = await newLog()
    const good: Draft = { log, body: '{}' }
    const values = appendValues([good, good])
    expect(await codeOf(append(app, [good, { log: 'no-such-log', body: '{}' }]))).toBe('LG003')
    expect(await codeOf(append(app, [good, { log: '', body: '{}' }]))).toBe('LG003')
    expect(await codeOf(app.query(appendText, values.with(2, 'one value')))).toBe('LG004')
    expect(await codeOf(app.query(appendText, values.with(2, 'a\nb\nc')))).toBe('LG004')
    expect(
      await codeOf(
        app.query(
          appendText,
          values.map((value, i) => (i === 8 ? null : value)),
        ),
      ),
    ).toBe('LG004')
    expect(await codeOf(append(app, [good, { log, body: '' }]))).toBe('LG005')
    expect(await codeOf(append(app, [good, { log, body: '1' }]))).toBe('LG005')
    expect(await codeOf(app.query(appendText, values.with(5, 'allow\nmaybe')))).toBe('LG006')
    expect(await codeOf(app.query(appendText, values.with(5, 'allow\n')))).toBe('LG006')
    expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 0 })
  })

  it('L1: commits with fsync also for a session that turned it off', async () => {
    const log = await newLog()
    const careless = await database.connect('portcullis_app')
    await careless.query('set synchronous_commit = off')
    await careless.query('begin')
    await append(careless, drafts(log, 1))
    const { rows } = await careless.query('show synchronous_commit')
    await careless.query('commit')
    expect(rows).toEqual([{ synchronous_commit: 'on' }])
  })

  it('L4: lets writers race over the same logs in opposite order without deadlock, gap or fork', async () => {
    const [a, b, c] = [await newLog(), await newLog(), await newLog()]
    const writers = await Promise.all(Array.from({ length: 4 }, () => database.connect('portcullis_app')))
    await Promise.all(
      writers.map(async (client, writer) => {
        const order = writer % 2 === 0 ? [a, b, c] : [c, b, a]
        for (let round = 0; round < 25; round++) {
          await append(
            client,
            order.flatMap((log) => drafts(log, 1 + ((round + writer) % 3), `w${writer}`)),
          )
        }
      }),
    )
    for (const log of [a, b, c]) expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 199 })
  })

  it('L4: leaves no gap where a transaction is rolled back', async () => {
    const log = await newLog()
    await append(app, drafts(log, 3))
    await app.query('begin')
    await append(app, drafts(log, 5))
    await app.query('rollback')
    await append(app, drafts(log, 2))
    expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 5 })
  })
})

describe('audits.create_log', () => {
  it('L4: makes a log once, and refuses bad names and the name of another tenant', async () => {
    const log = await newLog()
    await append(app, drafts(log, 1))
    await app.query('select audits.create_log($1, null)', [log])
    expect(await verifyLog(admin, log)).toMatchObject({ chain_valid: true, count: 1 })
    for (const name of ['', 'Main', '-a', 'a b', 'a"', 'x'.repeat(129), null]) {
      expect(await codeOf(app.query('select audits.create_log($1, null)', [name]))).toBe('LG001')
    }
    const tenant = '0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa'
    await admin.query('insert into portcullis.tenants (id, name) values ($1, $2)', [tenant, 'acme'])
    expect(await codeOf(app.query('select audits.create_log($1, $2)', [log, tenant]))).toBe('LG002')
    await app.query('select audits.create_log($1, $2)', ['acme', tenant])
    expect(await codeOf(app.query('select audits.create_log($1, $2)', ['acme-second', tenant]))).toBe('23505')
  })
})
