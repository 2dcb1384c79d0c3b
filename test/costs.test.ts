import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { costReport, usageReport, type DayOfUse } from '#demo'
import { fakeIo, runLine, type Ran } from '../src/cli/fakes.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'

const dayMs = 86_400_000
const today = new Date().toISOString().slice(0, 10)
const daysAgo = (days: number): string => new Date(Date.parse(today) - days * dayMs).toISOString().slice(0, 10)
const opus = { provider: 'anthropic', model: 'claude-opus-4-1' }
const tokens = { input: '1000', cachedRead: '20000', cacheWrite: '4000', output: '500' }
// 0.015 + 0.03 + 0.075 + 0.0375 USD
const price = '157500000'

let instance: TestInstance
let worker: { readonly id: string; readonly key: string }
let runId: string
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-costs-'))
  instance = await startInstance({ PORTCULLIS__COSTS__DRIFT_ALERT_MIN_USD: '0.001' })
  worker = await instance.agent('worker', ['telemetry:write', 'telemetry:read'])
  runId = (await instance.call('HubService/StartRun', { workflow: 'nightly' }, { key: worker.key })).body.run.id
})
afterAll(async () => {
  await instance.stop()
  rmSync(folder, { recursive: true, force: true })
})

const record = async (more: object) =>
  (
    await instance.call(
      'HubService/RecordPromptAttempt',
      { runId, outcome: 'ATTEMPT_OUTCOME_SUCCESS', ...opus, tokens, ...more },
      { key: worker.key },
    )
  ).body.attempt

const portcullis = (line: string): Promise<Ran> =>
  runLine(line, fakeIo({ env: { PORTCULLIS_URL: instance.url, PORTCULLIS_KEY: instance.adminKey } }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** What has been recorded is in the hours once it has been folded. */
async function folded(): Promise<void> {
  const admin = await instance.connect('postgres')
  await vi.waitFor(async () => {
    const { rows } = await admin.query('select from portcullis.cost_deltas limit 1')
    expect(rows).toHaveLength(0)
  }, 15_000)
}

const noon = (day: string): string => `${day}T12:00:00Z`

describe('costs', () => {
  it('H11: an attempt of a known model is priced by its tokens; what was reported stands beside it', async () => {
    const attempt = await record({ reportedCostNanoUsd: '1', createdAt: noon(daysAgo(3)) })
    expect(attempt).toMatchObject({ costNanoUsd: price, reportedCostNanoUsd: '1', priceUnknown: false })
    expect(attempt.priceVersion).toMatch(/^\d+\.\d+\.\d+\+[0-9a-f]{8}$/)
    const { body } = await instance.call('HubService/GetRun', { runId })
    expect(body.run.costNanoUsd).toBe(price)
  })

  it('H11: a model without a price, and an attempt without tokens, cost what was reported, and say so', async () => {
    const unknown = { costNanoUsd: '77', priceUnknown: true, priceVersion: '' }
    const createdAt = noon(daysAgo(20))
    expect(await record({ model: 'own-model', reportedCostNanoUsd: '77', createdAt })).toMatchObject(unknown)
    expect(await record({ tokens: {}, reportedCostNanoUsd: '77', createdAt })).toMatchObject(unknown)
    expect(await record({ tokens: {}, createdAt })).toMatchObject({ costNanoUsd: '0', priceUnknown: false })
  })

  it('H11: prices are listed page by page, and the command line shows them', async () => {
    const first = await instance.call('CostService/ListPrices', { provider: 'openai', pageSize: 2 })
    const { body } = await instance.call('CostService/ListPrices', {
      provider: 'openai',
      pageSize: 2,
      pageToken: first.body.nextPageToken,
    })
    expect(new Set([...first.body.prices, ...body.prices].map(({ model }) => model)).size).toBe(4)
    const other = { provider: 'anthropic', pageSize: 2, pageToken: first.body.nextPageToken }
    expect((await instance.call('CostService/ListPrices', other)).body.code).toBe('input.page_token')
    const { out } = await portcullis('costs prices --provider anthropic --model claude-opus-4-1')
    expect(out).toMatch(/anthropic +claude-opus-4-1 +\$15\.00 +\$1\.50 +\$18\.75 +\$75\.00 +\$75\.00/)
  })

  it('H12: a cost report is compared by day and model: what differs is corrected once, and alerts past the threshold', async () => {
    await record({ createdAt: noon(daysAgo(4)) })
    await folded()
    const use = [3, 4].map((days): DayOfUse => ({
      ...opus,
      day: daysAgo(days),
      model: 'claude-opus-4-1-20250805',
      input: 1000n,
      cachedRead: 20_000n,
      cacheWrite: 4000n,
      output: 500n,
      costNanoUsd: BigInt(price),
    }))
    const exact = file('usage.json', usageReport(use))
    const matched = await portcullis(`costs import --source anthropic ${exact} --json`)
    expect([matched.code, JSON.parse(matched.out)]).toMatchObject([
      0,
      { lines: 2, outcomes: { matched: 2 }, correctionNanoUsd: '0', flagged: [], gaps: [] },
    ])
    const charged = file('costs.json', costReport(use, 20n))
    const corrected = await portcullis(`costs import --source anthropic ${charged}`)
    expect(corrected.out).toBe('2 lines: 2 corrected.\nCorrections: $0.0063.\n')
    const again = await portcullis(`costs import --source anthropic ${charged} --json`)
    expect(JSON.parse(again.out)).toMatchObject({ outcomes: { duplicate: 2 }, correctionNanoUsd: '0' })
    const { body } = await instance.call('CostService/ListDrift', { alertsOnly: true })
    expect(body.drift).toMatchObject([
      {
        day: daysAgo(3),
        knownNanoUsd: price,
        chargedNanoUsd: '160650000',
        driftNanoUsd: '3150000',
        driftMilli: '20',
        alert: true,
      },
      { day: daysAgo(4), driftMilli: '20' },
    ])
    const drift = await portcullis(`costs drift --alerts --from ${daysAgo(4)} --until ${daysAgo(4)}`)
    expect(drift.out).toMatch(/\(all others\) +\$0\.1575 +\$0\.16065 +\$0\.00315 +2\.0 % +ALERT/)
  })

  it('H12: an import is an entry with its totals, an alert an entry of its own, and no attempt is rewritten', async () => {
    const query = async (action: string) => {
      const { body } = await instance.call('LedgerService/Query', { action, pageSize: 10 })
      return body.entries.map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body)
    }
    const [, second] = await query('/portcullis.v1.CostService/ImportUsage')
    expect(second.args).toMatchObject({ alerts: 2, correctionNanoUsd: '6300000', lines: 2, outcomes: { corrected: 2 } })
    const alerts = await query('cost.drift')
    expect(alerts).toHaveLength(2)
    expect(alerts[0]).toMatchObject({
      kind: 'cost.drift',
      args: {
        chargedNanoUsd: '160650000',
        driftMilli: '20',
        driftNanoUsd: '3150000',
        knownNanoUsd: price,
        provider: 'anthropic',
      },
    })
    const { body } = await instance.call('HubService/ListPromptAttempts', { runId, model: opus.model })
    expect(body.attempts.filter(({ costNanoUsd }: { costNanoUsd: string }) => costNanoUsd === price)).toHaveLength(2)
  })

  it('H12: a table with bad lines: each is flagged with its place, the others are compared, nothing is lost', async () => {
    const rows = [
      '\ufeffday,provider,model,charged,currency',
      `${daysAgo(4)},anthropic,claude-opus-4-1,0.16,USD`,
      `${daysAgo(4)},anthropic,claude-opus-4-1,0.16,USD`,
      `${daysAgo(4)},anthropic,claude-opus-4-1,0.15,EUR`,
      `${daysAgo(4)},anthropic,claude-opus-4-1,-1.5,USD`,
      `${daysAgo(-2)},anthropic,claude-opus-4-1,1,USD`,
      `${daysAgo(2)},anthropic,"claude-haiku-4-5",0.5,USD`,
      `${daysAgo(4)},anthropic`,
    ]
    const { code, out } = await portcullis(`costs import --source csv ${file('table.csv', rows.join('\r\n'))} --json`)
    const done = JSON.parse(out)
    expect([code, done.lines, done.outcomes]).toEqual([
      1,
      7,
      { corrected: 1, duplicate: 1, invalid: 3, other_currency: 1, unknown_use: 1 },
    ])
    expect(done.flagged.map(({ at, outcome }: { at: string; outcome: string }) => [at, outcome])).toEqual(
      expect.arrayContaining([
        ['line 4', 'other_currency'],
        ['line 5', 'invalid'],
        ['line 6', 'invalid'],
        ['line 7', 'unknown_use'],
        ['line 8', 'invalid'],
      ]),
    )
    // The newer figure of that day: 0.16 instead of 0.16065.
    expect(done.correctionNanoUsd).toBe(String(500_000_000 - 650_000))
  })

  it('H12: charges add up to what was booked and corrected; a price times its quantity is its cost', async () => {
    await folded()
    const path = join(folder, 'charges.ndjson')
    const { out } = await portcullis(`export charges --from ${daysAgo(10)}T00:00:00Z --out ${path} --json`)
    const rows = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(JSON.parse(out)).toEqual({ file: path, rows: rows.length })
    const usage = rows.filter(({ ChargeCategory }) => ChargeCategory === 'Usage')
    const corrections = rows.filter(({ ChargeClass }) => ChargeClass === 'Correction')
    const sum = (list: readonly { readonly BilledCost: string }[]): number =>
      Math.round(list.reduce((total, { BilledCost }) => total + Number(BilledCost) * 1e9, 0))
    expect(usage).toHaveLength(8)
    expect(sum(usage)).toBe(2 * Number(price))
    expect(sum(corrections)).toBe(6_300_000 - 650_000 + 500_000_000)
    expect(usage[0]).toMatchObject({ x_Agent: worker.id, x_Workflow: 'nightly', ProviderName: 'anthropic' })
    const csv = await portcullis(
      `export charges --from ${daysAgo(10)}T00:00:00Z --until ${daysAgo(3)}T00:00:00Z --format csv`,
    )
    expect(csv.out.split('\r\n')[0]).toMatch(/^"BilledCost","BillingAccountId"/)
  })

  it('H12: records of a kind, and everything, are exported as they are listed', async () => {
    const attempts = await portcullis(`export attempts --format csv --run ${runId}`)
    const [head, ...lines] = attempts.out.trimEnd().split('\r\n')
    expect(head).toContain('"tokens.cachedRead"')
    expect(lines).toHaveLength(5)
    const state = await portcullis('export state')
    const kinds = state.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).kind)
    expect(kinds).toEqual(expect.arrayContaining(['agent', 'run', 'attempt']))
    const runs = await portcullis('export runs --workflow nightly')
    expect(JSON.parse(runs.out)).toMatchObject({ id: runId, workflow: 'nightly' })
  })

  it('H12: who may not read all costs sees none, and changes none', async () => {
    const line = { day: daysAgo(3), provider: 'openai', model: 'gpt-4o', chargedNanoUsd: '1', currency: 'USD' }
    for (const [method, body] of [
      ['ListPrices', {}],
      ['ListDrift', {}],
      ['ExportCharges', {}],
      ['ImportUsage', { source: 'csv', lines: [line] }],
    ] as const) {
      expect((await instance.call(`CostService/${method}`, body, { key: worker.key })).body.code).toBe(
        'auth.scope_missing',
      )
    }
    for (const body of [{ source: 'csv' }, { source: 'invoice', lines: [line] }]) {
      expect((await instance.call('CostService/ImportUsage', body)).body.code).toBe('input.invalid')
    }
    expect((await instance.call('CostService/ListDrift', { fromDay: '2026-02-30' })).body.code).toBe('input.invalid')
  })
})
