import type {
  AgentRow,
  AttemptFilter,
  BenchmarkFilter,
  BenchmarkRow,
  ChangelogRow,
  EntryFilter,
  EntryRow,
  EventFilter,
  KeyRow,
  LogHead,
  LogVerdict,
  NoteRow,
  Page,
  ReaderPort,
  ReadScope,
  RunFilter,
  RunRow,
  StoredAttempt,
  StoredEvent,
  TaskFilter,
  TaskRow,
  TenantRow,
  TenantTotals,
  WorkflowTotals,
} from '#hub'
import { headOf, LogVerifier } from './log-verifier.ts'
import { Connection, send, type ConnectionSettings, type Statement } from './connection.ts'
import { agentColumns, keyColumns, tenantColumns } from './operations/identities.ts'
import { runColumns } from './operations/runs.ts'
import { taskColumns } from './operations/boards.ts'
import { ms } from './operations/statement.ts'
import { attemptColumns, benchmarkColumns, eventColumns, totalsText } from './list-columns.ts'

const begin: Statement = { name: 'read.begin', text: 'begin transaction read only', values: [] }
const commit: Statement = { name: 'read.commit', text: 'commit', values: [] }

/** Reads by key or along an index, each in a transaction of its own under row-level security, pipelined on a few connections. */
export class Reader implements ReaderPort {
  readonly #connections: readonly Connection[]
  readonly #verifier = new LogVerifier(this)
  #next = 0

  constructor(settings: ConnectionSettings, connections: number) {
    this.#connections = Array.from({ length: connections }, (_, index) => new Connection(settings, `reader ${index}`))
  }

  async run(scope: ReadScope, id: string): Promise<RunRow | undefined> {
    const [row] = await this.#rows<RunRow>(scope, {
      name: 'read.run',
      text: `select ${runColumns} from portcullis.runs r where r.tenant_id = (select portcullis.tenant()) and r.id = $1`,
      values: [id],
    })
    return row
  }

  runs(scope: ReadScope, filter: RunFilter, page: Page): Promise<readonly RunRow[]> {
    const where = new Where(`r.tenant_id = (select portcullis.tenant())`)
    where.add('r.id = $', filter.id)
    where.add('r.task_id = $', filter.taskId)
    where.add('r.workflow = $', filter.workflow)
    where.add('r.agent_id = $', filter.agentId)
    where.add('r.status = $', filter.status)
    where.add('r.prompt_version = $', filter.promptVersion)
    where.add('r.id >= $', uuidAt(filter.startedAfterMs))
    where.add('r.id < $', uuidAt(filter.startedBeforeMs))
    where.add('r.id < $', page.before)
    return this.#rows(scope, where.select('read.runs', runColumns, 'portcullis.runs r', 'r.id desc', page.size))
  }

  agents(scope: ReadScope, filter: { readonly name?: string }, page: Page): Promise<readonly AgentRow[]> {
    const where = new Where('a.tenant_id = (select portcullis.tenant())')
    where.add('a.name = $', filter.name)
    where.add('a.id < $', page.before)
    return this.#rows(scope, where.select('read.agents', agentColumns, 'portcullis.agents a', 'a.id desc', page.size))
  }

  keys(scope: ReadScope, filter: { readonly agentId?: string }, page: Page): Promise<readonly KeyRow[]> {
    const where = new Where('k.tenant_id = (select portcullis.tenant())')
    where.add('k.agent_id = $', filter.agentId)
    where.add('k.id < $', page.before)
    return this.#rows(scope, where.select('read.keys', keyColumns, 'portcullis.keys k', 'k.id desc', page.size))
  }

  tenants(scope: ReadScope, page: Page): Promise<readonly TenantRow[]> {
    const where = new Where('true')
    where.add('t.id < $', page.before)
    return this.#rows(
      scope,
      where.select('read.tenants', tenantColumns, 'portcullis.tenants t', 't.id desc', page.size),
    )
  }

  tasks(scope: ReadScope, filter: TaskFilter, page: Page): Promise<readonly TaskRow[]> {
    const where = new Where('t.tenant_id = (select portcullis.tenant())')
    where.add('t.status = $', filter.status)
    where.add('t.agent_id = $', filter.agentId)
    where.add('t.tags @> array[$::text]', filter.tag)
    where.add('t.id < $', page.before)
    return this.#rows(scope, where.select('read.tasks', taskColumns, 'portcullis.tasks t', 't.id desc', page.size))
  }

  notes(scope: ReadScope, filter: { readonly tag?: string }, page: Page): Promise<readonly NoteRow[]> {
    const where = new Where('t.tenant_id = (select portcullis.tenant())')
    where.add('t.tags @> array[$::text]', filter.tag)
    where.add('t.id < $', page.before)
    const columns = `t.id, t.title, t.body, t.tags, ${ms('t.created_at', 'createdAtMs')}`
    return this.#rows(scope, where.select('read.notes', columns, 'portcullis.notes t', 't.id desc', page.size))
  }

  changelog(scope: ReadScope, filter: { readonly category?: string }, page: Page): Promise<readonly ChangelogRow[]> {
    const where = new Where('t.tenant_id = (select portcullis.tenant())')
    where.add('t.category = $', filter.category)
    where.add('t.id < $', page.before)
    const columns = `t.id, t.category, t.summary, t.details, t.actor, ${ms('t.created_at', 'createdAtMs')}`
    return this.#rows(scope, where.select('read.changelog', columns, 'portcullis.changelog t', 't.id desc', page.size))
  }

  attempts(scope: ReadScope, filter: AttemptFilter, page: Page): Promise<readonly StoredAttempt[]> {
    const where = new Where('t.tenant_id = (select portcullis.tenant())')
    where.add('t.run_id = $', filter.runId)
    where.add('t.workflow = $', filter.workflow)
    where.add('t.agent_id = $', filter.agentId)
    where.add('t.model = $', filter.model)
    where.add('t.outcome = $', filter.outcome)
    where.add('t.prompt_version = $', filter.promptVersion)
    where.add('t.id >= $', uuidAt(filter.createdAfterMs))
    where.add('t.id < $', uuidAt(filter.createdBeforeMs))
    where.add('t.id < $', page.before)
    return this.#rows(
      scope,
      where.select('read.attempts', attemptColumns, 'portcullis.prompt_attempts t', 't.id desc', page.size),
    )
  }

  events(scope: ReadScope, filter: EventFilter, page: Page): Promise<readonly StoredEvent[]> {
    const where = new Where('t.tenant_id = (select portcullis.tenant())')
    where.add('t.run_id = $', filter.runId)
    where.add('t.event_type = $', filter.eventType)
    where.add('t.level = $', filter.level)
    where.add('t.id >= $', uuidAt(filter.createdAfterMs))
    where.add('t.id < $', uuidAt(filter.createdBeforeMs))
    where.add('t.id < $', page.before)
    return this.#rows(
      scope,
      where.select('read.events', eventColumns, 'portcullis.run_events t', 't.id desc', page.size),
    )
  }

  benchmarks(scope: ReadScope, filter: BenchmarkFilter, page: Page): Promise<readonly BenchmarkRow[]> {
    const where = new Where('t.tenant_id = (select portcullis.tenant())')
    where.add('t.workflow = $', filter.workflow)
    where.add('t.model = $', filter.model)
    where.add('t.id < $', page.before)
    return this.#rows(
      scope,
      where.select('read.benchmarks', benchmarkColumns, 'portcullis.benchmarks t', 't.id desc', page.size),
    )
  }

  async totals(scope: ReadScope): Promise<TenantTotals> {
    const [row] = await this.#rows<TenantTotals>(scope, { name: 'read.totals', text: totalsText, values: [] })
    if (row === undefined) throw new Error('the totals of a tenant answered no row')
    return row
  }

  async publicSummary(minimumSamples: number): Promise<readonly WorkflowTotals[]> {
    const client = await this.#pick().client()
    const { rows } = await client.query<WorkflowTotals>({
      name: 'read.public_summary',
      text: `select workflow, attempts, failed_attempts as "failedAttempts", input_tokens as "inputTokens",
        output_tokens as "outputTokens", latency_ms as "latencyMs" from portcullis.public_summary($1)`,
      values: [minimumSamples],
    })
    return rows
  }

  entries(scope: ReadScope, filter: EntryFilter, page: Page): Promise<readonly EntryRow[]> {
    const where = new Where('true')
    where.add('e.log = $', filter.log)
    where.add('e.caller = $', filter.caller)
    where.add('e.action = $', filter.action)
    where.add('e.outcome = $', filter.outcome)
    where.add('e.code = $', filter.code)
    where.add('e.request_id = $', filter.requestId)
    where.add('e.ts > to_timestamp($::float8 / 1000)', filter.afterMs)
    where.add('e.ts < to_timestamp($::float8 / 1000)', filter.beforeMs)
    where.add('e.seq < $::bigint', page.before)
    where.add('e.seq >= $::bigint', filter.fromSeq)
    const columns = 'e.log, e.seq, e.leaf, e.entry'
    return this.#rows(scope, where.select('read.entries', columns, 'audits.entries e', 'e.seq desc', page.size))
  }

  entriesFrom(scope: ReadScope, log: string, fromSeq: number, limit: number): Promise<readonly EntryRow[]> {
    return this.#rows(scope, {
      name: 'read.entries_from',
      text: `select e.log, e.seq, e.leaf, e.entry from audits.entries e where e.log = $1 and e.seq >= $2::bigint
        order by e.seq limit $3`,
      values: [log, fromSeq, limit],
    })
  }

  async head(scope: ReadScope, log: string): Promise<LogHead | undefined> {
    const [row] = await this.#rows<Parameters<typeof headOf>[0]>(scope, {
      name: 'read.head',
      text: `select h.size, h.frontier, h.last_hash as "lastHash",
          (select e.seq from audits.entries e where e.log = $1 order by e.seq desc limit 1) as "lastSeq"
        from audits.heads h where h.log = $1`,
      values: [log],
    })
    return row === undefined ? undefined : headOf(row)
  }

  verify(scope: ReadScope, log: string): Promise<LogVerdict | 'too_long' | undefined> {
    return this.#verifier.verify(scope, log)
  }

  async ping(): Promise<boolean> {
    try {
      const client = await this.#pick().client()
      await client.query('select 1')
      return true
    } catch {
      // Unreachable is what the caller asks about.
      return false
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()))
  }

  #pick(): Connection {
    this.#next = (this.#next + 1) % this.#connections.length
    const connection = this.#connections[this.#next]
    if (connection === undefined) throw new Error('the reader has no connections')
    return connection
  }

  async #rows<Row>(scope: ReadScope, statement: Statement): Promise<readonly Row[]> {
    const client = await this.#pick().client()
    const identity: Statement = {
      name: 'read.identity',
      text: `select set_config('portcullis.tenant', $1, true), set_config('portcullis.platform', $2, true)`,
      values: [scope.tenantId, scope.platform ? 'on' : 'off'],
    }
    const [, , result] = await Promise.allSettled([begin, identity, statement, commit].map((one) => send(client, one)))
    if (result?.status !== 'fulfilled') throw new Error('a read of the store failed', { cause: result?.reason })
    return result.value.rows as readonly Row[]
  }
}

/** Conditions that are present; each combination is a prepared statement of its own, and there are few. */
class Where {
  readonly #conditions: string[]
  readonly #values: (string | number)[] = []
  #shape = ''

  constructor(always: string) {
    this.#conditions = [always]
  }

  add(condition: string, value: string | number | undefined): void {
    this.#shape += value === undefined ? '0' : '1'
    if (value === undefined) return
    this.#values.push(value)
    this.#conditions.push(condition.replace('$', `$${this.#values.length}`))
  }

  select(name: string, columns: string, from: string, order: string, limit: number): Statement {
    return {
      name: `${name}.${this.#shape}`,
      text: `select ${columns} from ${from} where ${this.#conditions.join(' and ')} order by ${order} limit $${this.#values.length + 1}`,
      values: [...this.#values, limit],
    }
  }
}

/** The smallest UUIDv7 of a millisecond: ids are sorted by time. */
function uuidAt(timeMs: number | undefined): string | undefined {
  if (timeMs === undefined) return undefined
  const time = Math.max(0, Math.floor(timeMs)).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7000-8000-000000000000`
}
