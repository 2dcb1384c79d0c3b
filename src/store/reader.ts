import type { Client } from 'pg'
import { isRefusal, systemClock, type Clock, type Refusal } from '#core'
import type {
  AgentRow,
  AnalyticsFilter,
  AnalyticsKey,
  AnalyticsRows,
  AppRow,
  AttemptFilter,
  BenchmarkFilter,
  BudgetFilter,
  BudgetUseRow,
  BenchmarkRow,
  CapRow,
  CertificateRow,
  ChangelogRow,
  ChargeFilter,
  CorrectionRow,
  CostHourRow,
  DriftFilter,
  DrillRow,
  PostureRow,
  EntryFilter,
  EntryRow,
  EventCursor,
  EventFilter,
  JobFilter,
  JobRow,
  KeyRow,
  LeaderboardRow,
  KillRow,
  Listed,
  Listing,
  LogHead,
  LogVerdict,
  NoteRow,
  OperatorRow,
  Page,
  PastAttempt,
  PastFilter,
  ReaderPort,
  ReadScope,
  ReservationFilter,
  ReservationRow,
  RunFilter,
  RunRow,
  SigningKeyRow,
  SessionRow,
  StoredAttempt,
  StoredEvent,
  StoredPolicy,
  TaskFilter,
  TaskRow,
  TenantRow,
  TenantTotals,
  TokenEvents,
  VersionsFilter,
  WorkflowTotals,
} from '#hub'
import { blockStatement, entriesBlock, type BlockRow, type EntriesBlock } from './entries-block.ts'
import { headOf, LogVerifier } from './log-verifier.ts'
import { TlogReader } from './tiles.ts'
import { Connection, type ConnectionSettings, type Statement } from './connection.ts'
import { runColumns } from './operations/runs.ts'
import { totalsText } from './list-columns.ts'
import { alongIndexes, listStatement, looks, pageOf, recentSince, type List, type Marked } from './list-statement.ts'
import { lists } from './lists.ts'
import { jobStatement, lastJobsStatement } from './jobs.ts'
import { promptAnalytics, promptVersions, rowsOf, type AnalyticsLine } from './analytics.ts'
import { Leaderboards } from './leaderboards.ts'
import { pastAttemptsStatement } from './past-attempts.ts'
import { policyStatement, storedPolicy, type PolicyLine } from './policies.ts'
import { readAs } from './read-as.ts'
import { eventsOf, eventsStatement, type EventRow as TokenEventRow } from './token-events.ts'
import { Turns, turnsDefaults } from './turns.ts'

/** Rows that a list with the largest page reads; one that looks at more than it lists counts as such. */
const fullPageRows = 1000

/** A connection and the reads that wait for it. */
interface Lane {
  readonly connection: Connection
  waiting: number
}

/**
 * Reads by key or along an index, each in a transaction of its own under row-level security, pipelined on a few connections. What
 * one tenant lists at a time is bounded to the work of a full page on each connection but one.
 */
export class Reader implements ReaderPort {
  readonly #lanes: readonly Lane[]
  readonly #turns: Turns
  readonly #clock: Clock
  readonly #verifier = new LogVerifier(this)
  readonly #boards: Leaderboards
  readonly tlog = new TlogReader((scope, statement) => this.#rows(scope, statement))

  constructor(settings: ConnectionSettings, connections: number, clock: Clock = systemClock) {
    this.#lanes = Array.from({ length: connections }, (_, index) => ({
      connection: new Connection({ ...settings, setUp: alongIndexes }, `reader ${index}`),
      waiting: 0,
    }))
    this.#clock = clock
    this.#boards = new Leaderboards((work) => this.#withClient(work), clock)
    this.#turns = new Turns({ ...turnsDefaults, weightMax: fullPageRows * Math.max(1, connections - 1) }, clock)
  }

  async run(scope: ReadScope, id: string): Promise<RunRow | undefined> {
    const [row] = await this.#rows<RunRow>(scope, {
      name: 'read.run',
      text: `select ${runColumns} from portcullis.runs r where r.tenant_id = (select portcullis.tenant()) and r.id = $1`,
      values: [id],
    })
    return row
  }

  runs(scope: ReadScope, filter: RunFilter, page: Page): Listed<RunRow> {
    return this.#list(lists.runs, scope, filter, page)
  }

  agents(scope: ReadScope, filter: { readonly name?: string }, page: Page): Listed<AgentRow> {
    return this.#list(lists.agents, scope, filter, page)
  }

  apps(scope: ReadScope, filter: { readonly name?: string }, page: Page): Listed<AppRow> {
    return this.#list(lists.apps, scope, filter, page)
  }

  keys(scope: ReadScope, filter: { readonly agentId?: string }, page: Page): Listed<KeyRow> {
    return this.#list(lists.keys, scope, filter, page)
  }

  signingKeys(scope: ReadScope, filter: { readonly agentId?: string }, page: Page): Listed<SigningKeyRow> {
    return this.#list(lists.signingKeys, scope, filter, page)
  }

  operators(scope: ReadScope, filter: { readonly name?: string }, page: Page): Listed<OperatorRow> {
    return this.#list(lists.operators, scope, filter, page)
  }

  sessions(scope: ReadScope, filter: { readonly operatorId?: string }, page: Page): Listed<SessionRow> {
    return this.#list(lists.sessions, scope, filter, page)
  }

  certificates(scope: ReadScope, filter: { readonly agentId?: string }, page: Page): Listed<CertificateRow> {
    return this.#list(lists.certificates, scope, filter, page)
  }

  tenants(scope: ReadScope, page: Page): Listed<TenantRow> {
    return this.#list(lists.tenants, scope, {}, page)
  }

  tasks(scope: ReadScope, filter: TaskFilter, page: Page): Listed<TaskRow> {
    return this.#list(lists.tasks, scope, filter, page)
  }

  notes(scope: ReadScope, filter: { readonly tag?: string }, page: Page): Listed<NoteRow> {
    return this.#list(lists.notes, scope, filter, page)
  }

  changelog(scope: ReadScope, filter: { readonly category?: string }, page: Page): Listed<ChangelogRow> {
    return this.#list(lists.changelog, scope, filter, page)
  }

  attempts(scope: ReadScope, filter: AttemptFilter, page: Page): Listed<StoredAttempt> {
    return this.#list(lists.attempts, scope, filter, page)
  }

  events(scope: ReadScope, filter: EventFilter, page: Page): Listed<StoredEvent> {
    return this.#list(lists.events, scope, filter, page)
  }

  benchmarks(scope: ReadScope, filter: BenchmarkFilter, page: Page): Listed<BenchmarkRow> {
    return this.#list(lists.benchmarks, scope, filter, page)
  }

  costHours(scope: ReadScope, filter: ChargeFilter, page: Page): Listed<CostHourRow> {
    return this.#list(lists.costHours, scope, filter, page)
  }

  corrections(scope: ReadScope, filter: ChargeFilter, page: Page): Listed<CorrectionRow> {
    return this.#list(lists.corrections, scope, filter, page)
  }

  drift(scope: ReadScope, filter: DriftFilter, page: Page): Listed<CorrectionRow> {
    return this.#list(lists.drift, scope, filter, page)
  }

  entries(scope: ReadScope, filter: EntryFilter, page: Page): Listed<EntryRow> {
    return this.#list(lists.entries, scope, filter, page)
  }

  kills(scope: ReadScope, filter: { readonly engagedAtMs?: number }, page: Page): Listed<KillRow> {
    return this.#list(lists.kills, scope, filter, page)
  }

  postures(scope: ReadScope, filter: { readonly target?: string }, page: Page): Listed<PostureRow> {
    return this.#list(lists.postures, scope, filter, page)
  }

  drills(scope: ReadScope, page: Page): Listed<DrillRow> {
    return this.#list(lists.drills, scope, {}, page)
  }

  async totals(scope: ReadScope): Promise<TenantTotals> {
    const [row] = await this.#rows<TenantTotals>(scope, { name: 'read.totals', text: totalsText, values: [] })
    if (row === undefined) throw new Error('the totals of a tenant answered no row')
    return row
  }

  jobs(scope: ReadScope, filter: JobFilter, page: Page): Listed<JobRow> {
    return this.#list(lists.jobs, scope, filter, page)
  }

  async job(scope: ReadScope, id: string): Promise<JobRow | undefined> {
    return (await this.#rows<JobRow>(scope, jobStatement(id)))[0]
  }

  lastJobs(scope: ReadScope, kinds: readonly string[]): Promise<readonly JobRow[]> {
    return this.#rows(scope, lastJobsStatement(kinds))
  }

  budgets(scope: ReadScope, filter: BudgetFilter, page: Page): Listed<BudgetUseRow> {
    return this.#list(lists.budgets, scope, filter, page)
  }

  reservations(scope: ReadScope, filter: ReservationFilter, page: Page): Listed<ReservationRow> {
    return this.#list(lists.reservations, scope, filter, page)
  }

  /** Takes its turn as a full page. */
  async pastAttempts(scope: ReadScope, past: PastFilter, limit: number): Promise<readonly PastAttempt[] | Refusal> {
    const turn = await this.#turns.take(scope.tenantId, fullPageRows)
    if (isRefusal(turn)) return turn
    try {
      return await this.#rows<PastAttempt>(scope, pastAttemptsStatement(past, limit))
    } finally {
      turn.over()
    }
  }

  caps(scope: ReadScope, filter: { readonly active?: string }, page: Page): Listed<CapRow> {
    return this.#list(lists.caps, scope, filter, page)
  }

  async policy(scope: ReadScope): Promise<StoredPolicy> {
    return storedPolicy(await this.#rows<PolicyLine>(scope, policyStatement))
  }

  async promptAnalytics(
    scope: ReadScope,
    filter: AnalyticsFilter,
    limit: number,
    after: AnalyticsKey | undefined,
  ): Promise<AnalyticsRows | Refusal> {
    const lines = await this.#inTurn<AnalyticsLine>(scope, promptAnalytics(filter, limit, after))
    return isRefusal(lines) ? lines : rowsOf(lines)
  }

  async promptVersions(scope: ReadScope, filter: VersionsFilter): Promise<AnalyticsRows | Refusal> {
    const lines = await this.#inTurn<AnalyticsLine>(scope, promptVersions(filter))
    return isRefusal(lines) ? lines : rowsOf(lines)
  }

  leaderboard(minimumSamples: number, days: number): Promise<readonly LeaderboardRow[]> {
    return this.#boards.get(minimumSamples, days)
  }

  async publicSummary(minimumSamples: number): Promise<readonly WorkflowTotals[]> {
    const { rows } = await this.#withClient((client) =>
      client.query<WorkflowTotals>({
        name: 'read.public_summary',
        text: `select workflow, attempts, failed_attempts as "failedAttempts", input_tokens as "inputTokens",
          output_tokens as "outputTokens", latency_ms as "latencyMs" from portcullis.public_summary($1)`,
        values: [minimumSamples],
      }),
    )
    return rows
  }

  entriesFrom(scope: ReadScope, log: string, fromSeq: number, limit: number): Promise<readonly EntryRow[]> {
    return this.#rows(scope, {
      name: 'read.entries_from',
      text: `select e.log, e.seq, e.leaf, e.entry from audits.entries e where e.log = $1 and e.seq >= $2::bigint
        order by e.seq limit $3`,
      values: [log, fromSeq, limit],
    })
  }

  /** Takes its turn as a list that looks at more than it lists. */
  async tokenEvents(scope: ReadScope, cursor: EventCursor | undefined, limit: number): Promise<TokenEvents | Refusal> {
    const rows = await this.#inTurn<TokenEventRow>(scope, eventsStatement(cursor, limit))
    return isRefusal(rows) ? rows : eventsOf(rows)
  }

  async entriesBlock(scope: ReadScope, log: string, fromSeq: number, toSeq: number): Promise<EntriesBlock | undefined> {
    const [row] = await this.#rows<BlockRow>(scope, blockStatement(log, fromSeq, toSeq))
    return row === undefined ? undefined : entriesBlock(row)
  }

  async head(scope: ReadScope, log: string): Promise<LogHead | undefined> {
    const [row] = await this.#rows<Parameters<typeof headOf>[0]>(scope, {
      name: 'read.head',
      text: `select h.size, h.frontier, h.last_hash as "lastHash",
          (select e.seq from audits.entries e where e.log = $1 order by e.seq desc limit 1) as "lastSeq",
          p.below, encode(p.last_hash, 'hex') as "belowPrev", p.frontier as "belowFrontier", p.entry_seq as "pruneSeq"
        from audits.heads h
        left join lateral (select r.* from audits.prunes r where r.log = h.log and r.below = h.min_index
          and r.dropped_at is not null order by r.entry_seq desc limit 1) p on true
        where h.log = $1`,
      values: [log],
    })
    return row === undefined ? undefined : headOf(row)
  }

  async logs(scope: ReadScope): Promise<readonly string[]> {
    const rows = await this.#rows<{ readonly log: string }>(scope, {
      name: 'read.logs',
      text: 'select h.log from audits.heads h order by h.log limit 100',
      values: [],
    })
    return rows.map(({ log }) => log)
  }

  verify(scope: ReadScope, log: string): Promise<LogVerdict | 'too_long' | undefined> {
    return this.#verifier.verify(scope, log)
  }

  async ping(): Promise<boolean> {
    try {
      await this.#withClient((client) => client.query('select 1'))
      return true
    } catch {
      // Unreachable is what the caller asks about.
      return false
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map(({ connection }) => connection.close()))
  }

  /** One page, once it is the turn of the tenant. */
  async #list<Row extends object>(list: List, scope: ReadScope, filter: object, page: Page): Listed<Row> {
    const weight = looks(list, filter) ? fullPageRows : page.size
    const turn = await this.#turns.take(scope.tenantId, weight)
    if (isRefusal(turn)) return turn
    const read = async (since?: string): Promise<Listing<Row>> => {
      const statement = listStatement(list, filter, page, since)
      const rows = await this.#rows<Marked<Row>>(scope, statement, list.partitioned === true)
      return pageOf(rows, page, (row) => String(Reflect.get(row, list.key.column)))
    }
    try {
      const since = recentSince(list, filter, page, this.#clock.now())
      const recent = since === undefined ? undefined : await read(since)
      return recent?.next === undefined ? await read() : recent
    } finally {
      turn.over()
    }
  }

  /** What looks at more than it answers with takes its turn as a full page does. */
  async #inTurn<Row>(scope: ReadScope, statement: Statement): Promise<readonly Row[] | Refusal> {
    const turn = await this.#turns.take(scope.tenantId, fullPageRows)
    if (isRefusal(turn)) return turn
    try {
      return await this.#rows<Row>(scope, statement)
    } finally {
      turn.over()
    }
  }

  /** The connection that the fewest reads wait for: one that is busy with a long list is left to it. */
  async #withClient<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const lane = this.#lanes.reduce((least, one) => (one.waiting < least.waiting ? one : least))
    lane.waiting += 1
    try {
      return await work(await lane.connection.client())
    } finally {
      lane.waiting -= 1
    }
  }

  #rows<Row>(scope: ReadScope, statement: Statement, unsorted = false): Promise<readonly Row[]> {
    return this.#withClient((client) => readAs<Row>(client, scope, statement, unsorted))
  }
}
