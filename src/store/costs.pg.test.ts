import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sha256Hex, systemClock, uuidv7 } from '#core'
import { effect, type CorrectionRow, type UsageGroup, type UsageImported } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { recordAttempt, recordOnly, startRun } from './members.fixture.ts'
import { Reader } from './reader.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let admin: Client
let writers: readonly Writer[]
let reader: Reader
let tenant: TestTenant
const [agent, other] = [uuidv7(), uuidv7()]

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  writers = [0, 1].map(() => new Writer({ connection: database.settings(), ...writerDefaults }, systemClock))
  reader = new Reader(database.settings(), 2)
  tenant = await database.makeTenant('costs')
})
afterAll(async () => {
  await Promise.all(writers.map((writer) => writer.close()))
  await reader.close()
  await database.stop()
})

/** What an hour cost, as if attempts had said so. */
async function use(
  hour: string,
  costNanoUsd: number,
  more: { sku?: string; agentId?: string | null } = {},
): Promise<void> {
  const { sku = 'openai/gpt-4o', agentId = agent } = more
  const [provider = '', model = ''] = sku.split('/')
  await admin.query(
    `insert into portcullis.cost_deltas values ($1, $2, $3, 'nightly', $4, $5, $6, 'v1', '2.5 1.25 2.5 10 10 0', 1, 10, 0, 0, 1, 0, $7, $7)`,
    [tenant.id, hour, agentId, provider, model, sku, costNanoUsd],
  )
}

function group(day: string, charged: number, more: Partial<UsageGroup> = {}): UsageGroup {
  const sku = more.sku ?? 'openai/gpt-4o'
  return {
    line: 0,
    id: uuidv7(Date.parse(day)),
    digest: sha256Hex(`${day} ${sku} ${more.providerKey ?? ''} ${charged}`),
    day,
    provider: 'openai',
    model: sku.split('/')[1] ?? '',
    sku,
    providerKey: '',
    agents: null,
    others: null,
    chargedNanoUsd: String(charged),
    input: '10',
    cachedRead: '0',
    cacheWrite: '0',
    output: '1',
    reasoning: '0',
    requests: '1',
    ...more,
  }
}

async function importLines(lines: readonly UsageGroup[], writer = writers[0]): Promise<UsageImported['result']> {
  const id = uuidv7()
  let found: UsageImported['result'] | undefined
  const work = effect({
    operation: 'cost.import',
    key: id,
    args: { id, source: 'csv', lines, alertMilli: 10, alertNanoUsd: '100' },
    answer: (row) => {
      found = row?.result
      return {}
    },
  })
  await writer?.submit({ ...recordOnly(tenant, id), effect: work })
  if (found === undefined) throw new Error('the import answered nothing')
  return found
}

async function drift(filter: object = {}): Promise<readonly CorrectionRow[]> {
  const found = await reader.drift({ tenantId: tenant.id, platform: false }, filter, { size: 100, before: undefined })
  if (!('rows' in found)) throw new Error('refused')
  return found.rows
}

describe('charges', () => {
  it('H12: attempts become hours, whatever batch they came in, and a fold counts each once', async () => {
    const runId = uuidv7()
    await writers[0]?.submit(startRun(tenant, runId))
    const record = async () => writers[0]?.submit(recordAttempt(tenant, runId, { model: 'folded' }))
    await Promise.all(Array.from({ length: 5 }, record))
    const scope = { tenantId: tenant.id, platform: false }
    const page = { size: 10, before: undefined }
    for (let turn = 0; turn < 2; turn += 1) {
      await admin.query('select portcullis.fold_cost_deltas()')
      const found = await reader.costHours(scope, { fromMs: 0, untilMs: 1 }, page)
      const rows = 'rows' in found ? found.rows : []
      expect(rows).toMatchObject([
        {
          hourMs: 0,
          model: 'folded',
          sku: '/folded',
          attempts: '5',
          inputTokens: '35',
          costNanoUsd: '15',
          unitPrices: '',
        },
      ])
    }
    await record()
    await admin.query('select portcullis.fold_cost_deltas()')
    const found = await reader.costHours(scope, {}, page)
    expect('rows' in found ? found.rows : []).toMatchObject([{ attempts: '6', costNanoUsd: '18' }])
  })
})

describe('imports', () => {
  it('H12: compares a day with what was booked, folded or not, and corrects by the difference', async () => {
    await use('2026-03-01T00:00:00Z', 600)
    await admin.query('select portcullis.fold_cost_deltas()')
    await use('2026-03-01T23:00:00Z', 400)
    await use('2026-03-02T00:00:00Z', 5000)
    expect((await importLines([group('2026-03-01', 1000)])).lines).toMatchObject([
      { unknown: false, duplicate: false, knownNanoUsd: '1000', correctionNanoUsd: '0', driftMilli: '0', alert: false },
    ])
    expect((await importLines([group('2026-03-02', 5100)])).lines).toMatchObject([
      { knownNanoUsd: '5000', correctionNanoUsd: '100', driftMilli: '20', alert: false },
    ])
  })

  it('H12: a newer figure adds the difference to the last one, the same line adds nothing, the newest is what is listed', async () => {
    await use('2026-03-05T10:00:00Z', 1000)
    expect((await importLines([group('2026-03-05', 1500)])).lines[0]?.correctionNanoUsd).toBe('500')
    expect((await importLines([group('2026-03-05', 1500)])).lines[0]).toMatchObject({
      duplicate: true,
      correctionNanoUsd: '0',
    })
    expect((await importLines([group('2026-03-05', 1300)])).lines[0]?.correctionNanoUsd).toBe('-200')
    // The first figure again is old news.
    expect((await importLines([group('2026-03-05', 1500)])).lines[0]?.duplicate).toBe(true)
    const day = { fromMs: Date.UTC(2026, 2, 5), untilMs: Date.UTC(2026, 2, 6) }
    expect(await drift(day)).toMatchObject([
      { day: '2026-03-05', knownNanoUsd: '1000', chargedNanoUsd: '1300', driftMilli: '300', alert: true },
    ])
    expect(await drift({ ...day, alert: 'true', provider: 'openai' })).toHaveLength(1)
    expect(await drift({ ...day, provider: 'anthropic' })).toEqual([])
  })

  it('H12: of two imports at the same time, on two servers, the second one sees the first', async () => {
    await use('2026-03-07T10:00:00Z', 1000)
    const figures = [1100, 1200, 1300, 1400, 1500, 1600]
    await Promise.all(figures.map((charged, index) => importLines([group('2026-03-07', charged)], writers[index % 2])))
    const { rows } = await admin.query<{ sum: string; last: string }>(
      `select sum(correction_nano_usd) as sum, (array_agg(charged_nano_usd order by seq desc))[1] as last
         from portcullis.cost_corrections where day = '2026-03-07'`,
    )
    expect(Number(rows[0]?.sum)).toBe(Number(rows[0]?.last) - 1000)
  })

  it('H12: a key that the settings name is compared with its agents, all others with everybody else', async () => {
    await use('2026-03-09T10:00:00Z', 700)
    await use('2026-03-09T11:00:00Z', 300, { agentId: other })
    await use('2026-03-09T11:00:00Z', 50, { agentId: null })
    const { lines } = await importLines([
      group('2026-03-09', 300, { line: 0, providerKey: 'k', agents: [other] }),
      group('2026-03-09', 750, { line: 1, others: [other] }),
    ])
    expect(lines).toMatchObject([
      { line: 0, knownNanoUsd: '300', correctionNanoUsd: '0' },
      { line: 1, knownNanoUsd: '750', correctionNanoUsd: '0' },
    ])
  })

  it('H12: a charge that nothing explains is told, and so is use that no line names', async () => {
    await use('2026-03-12T10:00:00Z', 500)
    await use('2026-03-13T10:00:00Z', 500, { sku: 'openai/o3' })
    await use('2026-03-13T10:00:00Z', 500, { sku: 'anthropic/claude-opus-4-1' })
    await admin.query('select portcullis.fold_cost_deltas()')
    const { lines, gaps } = await importLines([
      group('2026-03-12', 500, { line: 0 }),
      group('2026-03-13', 900, { line: 1, sku: 'openai/gpt-5' }),
    ])
    expect(lines[1]).toMatchObject({ unknown: true, knownNanoUsd: '0', correctionNanoUsd: '900', alert: true })
    expect(gaps).toEqual(['2026-03-13 openai/o3'])
  })

  it('H12: corrections can be added and nothing else', async () => {
    const app = await database.connect('portcullis_app')
    await app.query(`select set_config('portcullis.tenant', $1, false)`, [tenant.id])
    for (const text of [
      'update portcullis.cost_corrections set alert = false',
      'delete from portcullis.cost_corrections',
    ]) {
      await expect(app.query(text)).rejects.toThrow(/permission denied/)
    }
    await app.end()
  })
})
