import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Command } from './harness/command.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { Portcullis, type Exit } from './harness/portcullis.ts'

describe('portcullis demo', () => {
  let instance: TestInstance
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portcullis-demo-'))
    instance = await startInstance()
  })
  afterAll(async () => {
    await instance.stop()
    await rm(folder, { recursive: true })
  })

  const env = (): Readonly<Record<string, string>> => {
    const { url, grpc, adminKey } = instance
    return { PORTCULLIS_URL: url, PORTCULLIS_GRPC: grpc, PORTCULLIS_KEY: adminKey, NO_COLOR: '1' }
  }
  const demo = (...args: readonly string[]): Promise<Exit> =>
    new Command(['demo', '--speed', 'max', ...args], env()).exited

  it('M3: the ledger and GetSummary hold what the demo says that it did', async () => {
    const { code, stdout, stderr } = await demo('--runs', '60', '--seed', '1', '--json')
    expect(code, stderr).toBe(0)
    const said = JSON.parse(stdout)
    expect(said).toMatchObject({ tenant: { name: 'demo-1' }, seed: 1, agrees: true, sentAgain: 0 })

    const summary = await instance.call('HubService/GetSummary', {}, { key: said.key })
    expect(summary.body).toMatchObject({
      agents: '5',
      runs: String(said.runs.completed + said.runs.failed + said.runs.canceled),
      activeRuns: '0',
      attempts: String(said.attempts),
      failedAttempts: String(said.failedAttempts),
      openTasks: String(said.openTasks),
      tokens: {
        input: String(said.tokens.input),
        cachedRead: String(said.tokens.cachedRead),
        output: String(said.tokens.output),
      },
    })
    expect(said.runs.completed + said.runs.failed + said.runs.canceled).toBe(60)

    // Of one tenant all but three calls: its making and a job are in the log of `main`, what nobody's key tried in `system`.
    const database = await instance.connect('postgres')
    const { rows } = await database.query<{ code: string | null; count: number }>(
      `select code, count(*)::int as count from audits.entries where log = 'demo-1' and action like '/%' group by code`,
    )
    const counted = Object.fromEntries(rows.map((row) => [row.code ?? 'allow', row.count]))
    const { 'auth.credential_invalid': unknown, ...refused } = said.refused
    // One for the look at GetSummary above.
    expect(counted).toEqual({ allow: said.allowed - 1 - said.jobs + 1, ...refused })
    expect([refused['budget.exceeded'], refused['kill.engaged'], said.jobs]).toEqual([4, 5, 1])
    expect(unknown).toBe(4)
    expect(Object.keys(refused).toSorted()).toEqual(
      expect.arrayContaining(['auth.scope_missing', 'idempotency.payload_mismatch', 'rate.limited']),
    )
    const strangers = await database.query(
      `select 1 from audits.entries where log = 'system' and code = 'auth.credential_invalid'`,
    )
    // The first two; the others are counted, and there after their window.
    expect(strangers.rowCount).toBe(2)

    // The roll-ups, of which the leaderboard is made, are folded every two seconds.
    const board = async (): Promise<readonly unknown[]> =>
      (await instance.call('HubService/GetLeaderboard', {}, { key: undefined })).body.entries ?? []
    await expect.poll(board, { timeout: 20_000 }).toContainEqual(expect.objectContaining({ provider: 'example' }))

    // Later calls of other tests go to other tenants.
    const again = await demo('--seed', '1')
    expect([again.code, again.stdout]).toEqual([1, ''])
    expect(again.stderr).toContain('[object.exists]')
    expect(again.stderr).toContain('choose another --seed')
  })

  it('M3: a trace is recorded row by row, and its tokens are those of the file', async () => {
    const file = join(folder, 'calls.csv')
    const count = 500
    const lines = Array.from({ length: count }, (_, index) => {
      const time = new Date(Date.UTC(2024, 4, 2, 9, 50) + index * 2500).toISOString().slice(0, 23).replace('T', ' ')
      return `${time},${(index * 37) % 4000},${1 + ((index * 11) % 700)}`
    })
    await writeFile(file, ['TIMESTAMP,ContextTokens,GeneratedTokens', ...lines].join('\r\n'))
    const sum = (column: number): number => lines.reduce((total, line) => total + Number(line.split(',')[column]), 0)
    const { code, stdout, stderr } = await demo('--trace', file, '--seed', '2', '--json')
    expect(code, stderr).toBe(0)
    const said = JSON.parse(stdout)
    expect(said).toMatchObject({
      agrees: true,
      attempts: count,
      tokens: { input: sum(1), output: sum(2) },
      refused: {},
    })
    const listed = await instance.call('HubService/ListRuns', { pageSize: 100 }, { key: said.key })
    const runs: readonly { readonly taskId: string; readonly tokens: { readonly input?: string } }[] = listed.body.runs
    expect(runs).toHaveLength(10)
    expect(new Set(runs.map(({ taskId }) => taskId))).toEqual(new Set(['2024-05-02 09', '2024-05-02 10']))
    expect(runs.reduce((total, { tokens }) => total + Number(tokens.input ?? 0), 0)).toBe(sum(1))
  })

  it('M3, B4: under a budget each call of a trace is decided right, and reported is enforced to the nano-dollar', async () => {
    const file = join(folder, 'budget.csv')
    const tokens = [...Array.from({ length: 60 }, (_, index) => [500 + index * 37, 20 + ((index * 11) % 300)]), [3, 1]]
    const lines = tokens.map(
      (counts, index) => `2024-05-02 09:${String(index % 60).padStart(2, '0')}:59,${counts.join(',')}`,
    )
    await writeFile(file, ['TIMESTAMP,ContextTokens,GeneratedTokens', ...lines.toSorted()].join('\n'))
    const { code, stdout, stderr } = await demo('--trace', file, '--seed', '5', '--budget', '0.1', '--json')
    expect(code, stderr).toBe(0)
    const said = JSON.parse(stdout)
    expect(said).toMatchObject({ agrees: true, refused: { 'budget.exceeded': said.budget.refused } })
    const { admitted, refused, firstRefused, lastAdmitted, spentNanoUsd, askedNanoUsd } = said.budget
    expect([admitted + refused, said.attempts]).toEqual([61, admitted])
    expect(refused).toBeGreaterThan(5)
    expect(admitted).toBeGreaterThan(20)
    expect(firstRefused).toBeGreaterThan(1)
    expect(lastAdmitted).toBeGreaterThan(0)
    expect(BigInt(spentNanoUsd)).toBeLessThanOrEqual(100_000_000n)
    expect(BigInt(askedNanoUsd)).toBeGreaterThan(0n)
    // In the words of the server: what the budget has settled is the sum of the attempts.
    const database = await instance.connect('postgres')
    const { rows } = await database.query<{ attempts: string; settled: string }>(
      `select (select sum(cost_nano_usd) from portcullis.prompt_attempts a where a.tenant_id = t.id) as attempts,
              (select sum(settled) from portcullis.budget_windows w where w.tenant_id = t.id) as settled
         from portcullis.tenants t where t.name = 'demo-5'`,
    )
    expect(rows).toEqual([{ attempts: spentNanoUsd, settled: spentNanoUsd }])
  })

  it('M3: a person reads what was done, what agrees and where to look', async () => {
    // As the binary prints it.
    const { code, stdout, stderr } = await new Portcullis(
      ['demo', '--speed', 'max', '--runs', '5', '--seed', '3'],
      env(),
    ).exited
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('A day of five agents in the tenant demo-3, seed 3')
    expect(stdout).toContain('ok  GetSummary has the same')
    expect(stdout).toMatch(/export PORTCULLIS_KEY=pc_\w+\n/)
    expect(stdout).toContain('npx portcullis ledger tail')
    expect(stdout).toContain(`${instance.url}/`)
    expect(stderr).toMatch(/^100 %, /m)
    expect(stdout + stderr).not.toContain('\u001B')
  })

  it('M3: the key of another tenant makes no demo', async () => {
    const { body } = await instance.call('TenantService/Create', { name: 'guest' })
    const { code, stderr } = await new Command(['demo'], { ...env(), PORTCULLIS_KEY: body.key }).exited
    expect(code).toBe(1)
    expect(stderr).toContain('[auth.scope_missing]')
    expect(stderr).toContain('Use the key of an admin of the tenant main')
  })
})
