import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { encodeBody } from '#ledger'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { WebhookStore, type DueDelivery, type WebhookWants } from './webhooks.ts'

let database: TestDatabase
let app: Client
let admin: Client
let acme: TestTenant
let globex: TestTenant
beforeAll(async () => {
  database = await TestDatabase.start()
  app = await database.connect('portcullis_app')
  admin = await database.connect('postgres')
  acme = await database.makeTenant('acme')
  globex = await database.makeTenant('globex')
})
afterAll(() => database.stop())

function open(): WebhookStore {
  const made = new WebhookStore(database.settings())
  onTestFinished(() => made.close())
  return made
}

function wants(name: string, tenant = ''): WebhookWants {
  return { name, tenant, actions: ['cost.drift', 'job.ended'], outcomes: ['', 'error'] }
}

async function append(tenant: TestTenant, kind: 'cost.drift' | 'job.ended', outcome: 'allow' | 'error'): Promise<void> {
  const body = encodeBody({
    access: 'system',
    at: '2026-11-21T00:00:00.000Z',
    bypass: false,
    elapsedUs: 0,
    id: 'ent_1',
    kind,
    method: '(none)',
    outcome,
  })
  await app.query('select audits.append($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
    tenant.name,
    tenant.id,
    '',
    '',
    kind,
    outcome,
    '',
    '',
    body,
  ])
}

async function replays(): Promise<number> {
  const { rows } = await admin.query(`select from audits.entries where log = 'system' and action = 'webhook.replayed'`)
  return rows.length
}

const found = (due: readonly DueDelivery[]) => due.map(({ log, action, attempts }) => [log, action, attempts])

describe('what webhooks have to deliver', () => {
  it('O11: begins now, is in line once, and is of the tenant and of the outcomes that are wanted', async () => {
    const store = open()
    await append(acme, 'cost.drift', 'allow')
    await store.collect(wants('all'))
    await store.collect(wants('ours', 'acme'))
    expect(await store.due('all')).toEqual([])
    await append(globex, 'job.ended', 'allow')
    await append(globex, 'job.ended', 'error')
    await append(acme, 'cost.drift', 'allow')
    for (let turn = 0; turn < 2; turn += 1) {
      await store.collect(wants('all'))
      await store.collect(wants('ours', 'acme'))
    }
    expect(found(await store.due('all'))).toEqual([
      ['globex', 'job.ended', 0],
      ['acme', 'cost.drift', 0],
    ])
    expect(found(await store.due('ours'))).toEqual([['acme', 'cost.drift', 0]])
    expect(Buffer.from((await store.due('ours'))[0]?.entry ?? '').toString()).toContain('"kind":"cost.drift"')
    expect(await store.counts([wants('all'), wants('ours', 'acme'), wants('unknown')])).toEqual([
      { webhook: 'all', lag: 2, dead: 0 },
      { webhook: 'ours', lag: 1, dead: 0 },
      { webhook: 'unknown', lag: 0, dead: 0 },
    ])
  })

  it('O11: a log that is made later is told of from its first entry on', async () => {
    const store = open()
    await store.collect(wants('early'))
    const later = await database.makeTenant('later')
    await append(later, 'cost.drift', 'allow')
    await store.collect(wants('early'))
    expect(found(await store.due('early'))).toEqual([['later', 'cost.drift', 0]])
  })

  it('O11: what failed is due again later, what is given up is listed, sent again and purged', async () => {
    const store = open()
    await store.collect(wants('bad', 'acme'))
    await append(acme, 'cost.drift', 'allow')
    await append(acme, 'cost.drift', 'allow')
    await store.collect(wants('bad', 'acme'))
    const [first, second] = await store.due('bad')
    if (first === undefined || second === undefined) throw new Error('two are due')
    await store.failed('bad', first, 'it answered 500', 60_000)
    await store.failed('bad', second, 'it answered 410', undefined)
    expect(await store.due('bad')).toEqual([])
    expect(await store.counts([wants('bad', 'acme')])).toEqual([{ webhook: 'bad', lag: 1, dead: 1 }])
    expect(await store.dead('bad', 10)).toEqual([
      {
        webhook: 'bad',
        log: 'acme',
        seq: second.seq,
        action: 'cost.drift',
        attempts: 1,
        givenUpAt: expect.any(Date),
        error: 'it answered 410',
      },
    ])
    expect(await store.replay('bad', { log: 'acme', seq: first.seq }, '{}')).toBe(0)
    expect(await replays()).toBe(0)
    expect(await store.replay('bad', second, '{}')).toBe(1)
    expect(await replays()).toBe(1)
    expect(found(await store.due('bad'))).toEqual([['acme', 'cost.drift', 0]])
    await store.done('bad', second)
    expect(await store.due('bad')).toEqual([])
    await store.failed('bad', first, 'again', undefined)
    await app.query(`select portcullis.purge_webhooks(interval '-1 second', 10)`)
    expect(await store.dead('bad', 10)).toEqual([])
  })

  it('O11: one process has a webhook, and another one when that has gone', async () => {
    const [one, other] = [open(), open()]
    expect(await one.take(['alone'])).toEqual(new Set(['alone']))
    expect(await other.take(['alone'])).toEqual(new Set())
    await one.close()
    await expect.poll(() => other.take(['alone'])).toEqual(new Set(['alone']))
  })

  it('O11: the app role reaches it through the functions alone', async () => {
    for (const table of ['webhooks', 'webhook_cursors', 'webhook_deliveries'])
      await expect(app.query(`select * from portcullis.${table}`)).rejects.toThrow('permission denied')
  })
})

describe('how full budgets are', () => {
  const gauges = async () =>
    (await app.query('select * from portcullis.budget_gauges() order by unit')).rows as readonly object[]

  it('O7: is the fullest hard budget of all tenants, by unit, and what is reserved', async () => {
    expect(await gauges()).toEqual([
      { unit: 1, used_ratio: 0, reserved_nano_usd: '0' },
      { unit: 2, used_ratio: 0, reserved_nano_usd: null },
      { unit: 3, used_ratio: 0, reserved_nano_usd: null },
    ])
    const budget = async (tenant: TestTenant, unit: number, limit: number, used: number, more = 'true, 1, true') => {
      const { rows } = await admin.query<{ id: string }>(
        `insert into portcullis.budgets (tenant_id, id, name, subject_kind, subject_id, unit, limit_amount, window_kind, duration,
             duration_ms, time_zone, hard, action, active, created_at, updated_at)
           values ($1, gen_random_uuid(), '', 1, '', $2, $3, 1, 'month', 0, 'UTC', ${more}, now(), now()) returning id`,
        [tenant.id, unit, limit],
      )
      await admin.query(
        `insert into portcullis.budget_windows (tenant_id, budget_id, subject, start_at, held, settled)
           select $1, $2, s, date_trunc('month', now(), 'UTC') - i, $3::bigint / 2, $3::bigint - $3::bigint / 2
             from (values ('', interval '0'), ('', interval '1 month')) v(s, i)`,
        [tenant.id, rows[0]?.id, used],
      )
    }
    await budget(acme, 1, 100, 25)
    await budget(globex, 1, 100, 75)
    await budget(acme, 2, 10, 10)
    await budget(acme, 3, 10, 50, 'false, 1, true')
    await budget(acme, 3, 10, 50, 'true, 2, true')
    await budget(acme, 3, 10, 50, 'true, 1, false')
    await budget(acme, 3, 0, 0)
    for (const state of [1, 2])
      await admin.query(
        `insert into portcullis.reservations (tenant_id, id, provider, model, tool, state, legs, held_nano_usd, held_tokens,
             price_version, created_at, expires_at, ended_at)
           values ($1, gen_random_uuid(), '', '', '', $2, '[]', 42, 0, '', now(), now(), ${state === 1 ? 'null' : 'now()'})`,
        [acme.id, state],
      )
    expect(await gauges()).toEqual([
      { unit: 1, used_ratio: 0.75, reserved_nano_usd: '42' },
      { unit: 2, used_ratio: 1, reserved_nano_usd: null },
      { unit: 3, used_ratio: 0, reserved_nano_usd: null },
    ])
  })
})
