import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRefusal, uuidv7 } from '#core'
import type { Listed, Listing, ReadScope } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { appendInThePast } from '../ledger/past.fixture.ts'
import { alongIndexes, listStatement, lookAtMost, pageBytesMax, type List } from './list-statement.ts'
import { lists } from './lists.ts'
import { Reader } from './reader.ts'

const many = 30_000
const tenantTables = [
  'agents',
  'keys',
  'operators',
  'sessions',
  'signing_keys',
  'certificates',
  'apps',
  'runs',
  'prompt_attempts',
  'run_events',
  'tasks',
  'notes',
  'changelog',
  'benchmarks',
  'policy_caps',
  'budgets',
  'reservations',
]

let database: TestDatabase
let admin: Client
let app: Client
let tenant: TestTenant
let scope: ReadScope
let reader: Reader

// Rows of which a hundredth has each value, and all have the same of what is asked for in vain.
const filled: readonly string[] = [
  `insert into portcullis.budgets (tenant_id, id, name, subject_kind, subject_id, unit, limit_amount, window_kind, duration, duration_ms,
       time_zone, hard, action, active, created_at, updated_at)
     select $1, case n when 1 then $2 else uuidv7() end, '', 6, 'm' || n, 1, 1, 3, '', 0, 'UTC', true, 1, true, now(), now()
       from generate_series(1, 1000) n`,
  `insert into portcullis.reservations (tenant_id, id, run_id, agent_id, provider, model, tool, state, legs, held_nano_usd, held_tokens,
       price_version, created_at, expires_at, ended_at)
     select $1, uuidv7(), $2, $2, '', '', '', 1 + n % 2, '[]', 0, 0, '', now(), now(), case n % 2 when 1 then now() end
       from generate_series(1, ${many}) n`,
  `insert into portcullis.policy_caps (tenant_id, id, name, provider_type, provider, model, max_cost_per_run_nano_usd, max_attempts_per_run,
       max_tokens_per_run, max_latency_per_attempt_ms, max_cost_per_attempt_nano_usd, max_tokens_per_attempt, priority, dry_run, active,
       updated_at)
     select $1, case n when 1 then $2 else uuidv7() end, 'c' || n, '', '', '', 1, 0, 0, 0, 0, 0, 0, false, true, now()
       from generate_series(1, 500) n`,
  `insert into portcullis.agents (tenant_id, id, name, owner, labels, allowed_models, allowed_tools)
     select $1, case n when 1 then $2 else uuidv7() end, 'a' || n, '', '{}', '{}', '{}' from generate_series(1, ${many}) n`,
  `insert into portcullis.keys (tenant_id, id, agent_id, digest, scopes)
     select $1, uuidv7(), $2, sha256(n::text::bytea), '{}' from generate_series(1, ${many}) n`,
  `insert into portcullis.signing_keys (tenant_id, id, agent_id, algorithm)
     select $1, uuidv7(), $2, 'hmac-sha256' from generate_series(1, ${many}) n`,
  `insert into portcullis.apps (tenant_id, id, name, agent_id, scopes, redirect_uris, grant_types, auth_method, dpop_bound, certificate_bound)
     select $1, uuidv7(), 'p' || n, $2, '{}', '{}', '{}', 'none', false, false from generate_series(1, ${many}) n`,
  `insert into portcullis.certificates (tenant_id, id, agent_id, thumbprint, subject_dn, scopes, expires_at)
     select $1, uuidv7(), $2, sha256(n::text::bytea), '', '{}', now() from generate_series(1, ${many}) n`,
  `insert into portcullis.operators (tenant_id, id, name) select $1, case n when 1 then $2 else uuidv7() end, 'o' || n
     from generate_series(1, ${many}) n`,
  `insert into portcullis.sessions (digest, tenant_id, operator_id, expires_at)
     select sha256(n::text::bytea), $1, $2, now() from generate_series(1, ${many}) n`,
  `insert into portcullis.runs (tenant_id, id, task_id, workflow, agent_id, prompt_version, model_policy, status, max_retries, started_at)
     select $1, uuidv7(), 't' || n % 100, 'w' || n % 100, $2, 'v' || n % 100, '', n % 9, 0, now() from generate_series(1, ${many}) n`,
  `insert into portcullis.prompt_attempts (tenant_id, id, run_id, attempt_number, workflow, agent_id, provider_type, provider, model,
       prompt_version, prompt_hash, outcome, error_type, error_message, input_tokens, cached_read_tokens, cache_write_tokens,
       output_tokens, reasoning_tokens, cost_nano_usd, reported_cost_nano_usd, latency_ms, quality_score_milli, created_at)
     select $1, uuidv7(), $2, 1, 'w' || n % 100, $2, '', '', 'm' || n % 100, 'v' || n % 100, '', 2, '', '', 0, 0, 0, 0, 0, 0, 0, 0, 0, now()
       from generate_series(1, ${many}) n`,
  `insert into portcullis.run_events (tenant_id, id, run_id, agent_id, event_type, level, message, data_json, created_at)
     select $1, uuidv7(), $2, $2, 'e' || n % 100, 1 + n % 4, '', '', now() from generate_series(1, ${many}) n`,
  `insert into portcullis.tasks (tenant_id, id, agent_id, title, details, status, tags, created_at, updated_at)
     select $1, uuidv7(), $2, 't', '', 1 + n % 8, array['a', 'n' || n], now(), now() from generate_series(1, ${many}) n`,
  `insert into portcullis.notes (tenant_id, id, title, body, tags, created_at)
     select $1, uuidv7(), 't' || $2::uuid, '', array['a', 'n' || n], now() from generate_series(1, ${many}) n`,
  `insert into portcullis.changelog (tenant_id, id, category, summary, details, actor, created_at)
     select $1, uuidv7(), 'c' || n % 100, '', '', $2, now() from generate_series(1, ${many}) n`,
  `insert into portcullis.benchmarks (tenant_id, id, workflow, provider_type, provider, model, input_tokens, cached_read_tokens,
       cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms, quality_score_milli, notes, created_at)
     select $1, uuidv7(), 'w' || n % 100, '', '', 'm' || n % 100, 0, 0, 0, 0, 0, 0, 0, 0, $2, now() from generate_series(1, ${many}) n`,
]

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  app = await database.connect('portcullis_app')
  tenant = await database.makeTenant('large')
  scope = { tenantId: tenant.id, platform: false }
  const one = uuidv7()
  await app.query('select portcullis.make_telemetry_partitions(2)')
  for (const text of filled) await admin.query(text, [tenant.id, one])
  for (const table of tenantTables) await admin.query(`analyze portcullis.${table}`)
  reader = new Reader(database.settings(), 2)
}, 120_000)
afterAll(async () => {
  await reader.close()
  await database.stop()
})

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Cond'?: string
  readonly Filter?: string
  readonly Plans?: readonly PlanNode[]
}

/** Every way to fill in the filters of a list; those of the key are in each statement as they are. */
function combinations(list: List): readonly Readonly<Record<string, string | number>>[] {
  const values: Readonly<Record<string, readonly (string | number)[]>> = {
    id: [uuidv7()],
    agentId: [uuidv7()],
    operatorId: [uuidv7()],
    runId: [uuidv7()],
    tenantId: [uuidv7()],
    status: [3],
    outcome: list.name === 'entries' ? ['allow', 'deny'] : [1, 2],
    level: [1, 3, 4],
    alert: ['true', 'false'],
    subjectKind: [1],
    active: ['true'],
    ...(['reservations', 'jobs'].includes(list.name) ? { state: [1, 2] } : {}),
    log: ['long'],
    afterMs: [1],
    beforeMs: [2 ** 42],
    engagedAtMs: [1],
  }
  const names = Object.keys(list.filters).filter((name) => list.filters[name]?.by.match(/^(?:from|below)$/) === null)
  return names.reduce<readonly Readonly<Record<string, string | number>>[]>(
    (known, name) => [
      ...known,
      ...known.flatMap((one) => (values[name] ?? ['x']).map((value) => ({ ...one, [name]: value }))),
    ],
    [{}],
  )
}

/** The nodes that read the table, each with the nodes above it. */
function scansOf(node: PlanNode, above: readonly PlanNode[] = []): readonly (readonly PlanNode[])[] {
  const path = [...above, node]
  return [
    ...(node['Relation Name'] === undefined ? [] : [path]),
    ...(node.Plans ?? []).flatMap((each) => scansOf(each, path)),
  ]
}

async function plan(text: string, values: readonly (string | number | null)[] | undefined): Promise<PlanNode> {
  const options = values === undefined ? 'format json, generic_plan' : 'format json'
  const { rows } = await app.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>(
    `explain (${options}) ${text}`,
    values === undefined ? undefined : [...values],
  )
  const [found] = rows[0]?.['QUERY PLAN'] ?? []
  if (found === undefined) throw new Error('no plan')
  return found.Plan
}

const ofTenants = (Object.values(lists) as readonly List[]).filter(
  ({ name }) => name !== 'entries' && name !== 'tenants',
)

describe('the statement of a list', () => {
  it.each(ofTenants.map((list) => [list.name, list] as const))(
    'C4: %s reads rows in order along an index that serves all it is asked for, in every combination of filters',
    async (_name, list) => {
      await app.query(`select set_config('portcullis.tenant', $1, false)`, [tenant.id])
      for (const setting of alongIndexes) await app.query(setting)
      await app.query(`set enable_sort = ${list.partitioned === true ? 'off' : 'on'}`)
      for (const filter of combinations(list)) {
        const { text, values } = listStatement(list, filter, { size: 50, before: uuidv7() })
        // The plan for these values, and the one that is kept for all.
        for (const given of [values, undefined]) {
          const paths = scansOf(await plan(text, given))
          const said = JSON.stringify({ filter, given })
          if (list.partitioned === true) expect(paths.length, said).toBeGreaterThan(0)
          else expect(paths, said).toHaveLength(1)
          for (const path of paths) {
            const scan = path.at(-1)
            expect(scan?.['Node Type'], said).toMatch(/^Index Scan/)
            // Every replica has all keys in memory: there they may also be read by their ids alone.
            if (list.name === 'keys' && !('agentId' in filter)) continue
            expect(scan?.['Index Cond'], said).toContain('tenant_id')
            // One row, found by its name: there is nothing to be bounded.
            if (/[( ](?:id|name) = /.test(scan?.['Index Cond'] ?? '')) continue
            // What a scan filters has no bound.
            expect(scan?.Filter, said).toBeUndefined()
            // A sort would read all there is before the first row.
            expect(
              path.map((node) => node['Node Type']),
              said,
            ).not.toContain('Sort')
          }
        }
      }
    },
  )

  it('C4: entries are read along an index of every month, in every combination of filters', async () => {
    await app.query(`select audits.create_log('long', null)`)
    const times = Array.from({ length: 120 }, (_, at) => new Date(Date.UTC(2025, Math.floor(at / 20), 1 + (at % 20))))
    await appendInThePast(admin, 'long', times)
    await admin.query('analyze audits.entries')
    await app.query(`select set_config('portcullis.platform', 'on', false)`)
    for (const setting of alongIndexes) await app.query(setting)
    const asked = combinations(lists.entries).filter((filter) => 'log' in filter)
    for (const filter of asked) {
      // As the handler bounds what no index serves.
      const bounded = { ...filter, log: 'long', fromSeq: '7' }
      const { text, values } = listStatement(lists.entries, bounded, { size: 50, before: '100' })
      for (const given of [values, undefined]) {
        const paths = scansOf(await plan(text, given))
        const said = JSON.stringify({ filter, given })
        for (const path of paths) {
          const scan = path.at(-1)
          expect(scan?.['Node Type'], said).toMatch(/^Index Scan/)
          expect(scan?.['Index Cond'], said).toContain('log = ')
          // Those of one request are few, and put in order.
          if ('requestId' in filter) continue
          expect(scan?.Filter?.replaceAll(/\b(?:tenant_id|ts)\b/g, ''), said).not.toMatch(/caller|code|outcome|action/)
          expect(
            path.map((node) => node['Node Type']),
            said,
          ).not.toContain('Sort')
        }
      }
    }
  })

  it('C4: names of statements tell every combination apart within what PostgreSQL looks at', () => {
    for (const list of Object.values(lists) as readonly List[]) {
      const names = combinations(list).map((filter) => listStatement(list, filter, { size: 1, before: undefined }))
      for (const { name } of names) expect(name.length).toBeLessThan(63)
      // Values without an index of their own share a statement.
      const texts = new Map(names.map(({ name, text }) => [name, text]))
      for (const { name, text } of names) expect(texts.get(name)).toBe(text)
      expect(new Set(names.map(({ name }) => name)).size).toBe(new Set(names.map(({ text }) => text)).size)
    }
  })
})

async function listed<Row>(listing: Listed<Row>): Promise<Listing<Row>> {
  const found = await listing
  if (isRefusal(found)) throw new Error(found.code)
  return found
}

describe('a page', () => {
  it('C4: a filter without an index looks at a bounded number of rows and says where to go on', async () => {
    const none = await listed(reader.notes(scope, { tag: 'nowhere' }, { size: 10, before: undefined }))
    expect(none.rows).toEqual([])
    const { rows } = await admin.query<{ id: string }>(
      'select id from portcullis.notes where tenant_id = $1 order by id desc offset $2 limit 1',
      [tenant.id, lookAtMost - 1],
    )
    expect(none.next).toBe(rows[0]?.id)
    const end = await listed(reader.notes(scope, { tag: 'nowhere' }, { size: 10, before: none.next }))
    expect(end).toEqual({ rows: [], next: undefined })
  })

  it('C4: page by page every row that passes is listed once, whatever serves the filters', async () => {
    const ids: string[] = []
    let before: string | undefined
    do {
      const page: Listing<{ readonly id: string }> = await listed(
        reader.tasks(scope, { tag: 'n7' }, { size: 10, before }),
      )
      ids.push(...page.rows.map(({ id }) => id))
      before = page.next
    } while (before !== undefined)
    expect(ids).toHaveLength(1)
    const seen: string[] = []
    do {
      const page: Listing<{ readonly id: string }> = await listed(
        reader.tasks(scope, { tag: 'a', status: 3 }, { size: 1000, before }),
      )
      seen.push(...page.rows.map(({ id }) => id))
      before = page.next
    } while (before !== undefined)
    expect(seen).toHaveLength(many / 8)
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toEqual(seen.toSorted().toReversed())
  })

  it('C4: a row that passes as the last of those looked at is listed', async () => {
    const { rows } = await admin.query<{ id: string; tag: string }>(
      'select id, tags[2] as tag from portcullis.notes where tenant_id = $1 order by id desc offset $2 limit 1',
      [tenant.id, lookAtMost - 1],
    )
    const found = await listed(reader.notes(scope, { tag: rows[0]?.tag ?? '' }, { size: 10, before: undefined }))
    expect(found).toMatchObject({ rows: [{ id: rows[0]?.id }], next: rows[0]?.id })
  })

  it('C4: ends where its bytes do, with one row at the least, and nothing is left out', async () => {
    const other = await database.makeTenant('notes')
    const theirs = { tenantId: other.id, platform: false }
    const body = 'x'.repeat(65_536)
    const sizes = [...Array.from({ length: 40 }, () => body), '', 'y'.repeat(2 * pageBytesMax), 'z']
    for (const [at, text] of sizes.entries()) {
      await admin.query(
        `insert into portcullis.notes (tenant_id, id, title, body, tags, created_at) values ($1, uuidv7(), $2, $3, '{}', now())`,
        [other.id, String(at), text],
      )
    }
    const titles: string[] = []
    let before: string | undefined
    do {
      const page = await listed(reader.notes(theirs, {}, { size: 1000, before }))
      const bytes = page.rows.reduce((sum, row) => sum + row.body.length, 0)
      expect(page.rows.length === 1 || bytes <= pageBytesMax).toBe(true)
      expect(Object.keys(page.rows[0] ?? {}).toSorted()).toEqual(['body', 'createdAtMs', 'id', 'tags', 'title'])
      titles.push(...page.rows.map(({ title }) => title))
      before = page.next
    } while (before !== undefined)
    expect(titles).toEqual(sizes.map((_text, at) => String(at)).toReversed())
  })

  it('C4: one tenant with long lists waits for itself; beyond its line it is refused, and others are served', async () => {
    // Nobody waits too long where no time passes.
    const still = { now: () => 0, monotonic: () => 0 }
    const own = new Reader(database.settings(), 2, still)
    const page = { size: 10, before: undefined }
    const asked = Array.from({ length: 80 }, () => own.tasks(scope, { tag: 'nowhere' }, page))
    const other = await database.makeTenant('other')
    const served = await listed(own.tasks({ tenantId: other.id, platform: false }, {}, page))
    expect(served).toEqual({ rows: [], next: undefined })
    const answers = await Promise.all(asked)
    const refused = answers.filter(isRefusal)
    expect(refused[0]).toMatchObject({ code: 'store.busy', retryAfterSeconds: 1 })
    expect(refused).toHaveLength(80 - 1 - 64)
    await own.close()
  })
})

it('H8: sums beyond what the contract carries are told as the largest number', async () => {
  const huge = await database.makeTenant('huge')
  await admin.query(
    `insert into portcullis.workflow_totals (tenant_id, workflow, runs, cost_nano_usd) values ($1, '', 3, 1e30)`,
    [huge.id],
  )
  const totals = await reader.totals({ tenantId: huge.id, platform: false })
  expect(totals).toMatchObject({ runs: '3', costNanoUsd: (2n ** 63n - 1n).toString(), inputTokens: '0' })
})
