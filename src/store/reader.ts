import type {
  AgentRow,
  EntryFilter,
  EntryRow,
  KeyRow,
  Page,
  ReaderPort,
  ReadScope,
  RunFilter,
  RunRow,
  TenantRow,
} from '#hub'
import { Connection, send, type ConnectionSettings, type Statement } from './connection.ts'
import { agentColumns, keyColumns, tenantColumns } from './operations/identities.ts'
import { runColumns } from './operations/runs.ts'

const begin: Statement = { name: 'read.begin', text: 'begin transaction read only', values: [] }
const commit: Statement = { name: 'read.commit', text: 'commit', values: [] }

/** Reads by key or along an index, each in a transaction of its own under row-level security, pipelined on a few connections. */
export class Reader implements ReaderPort {
  readonly #connections: readonly Connection[]
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
    where.add('r.id >= $', filter.startedAfterMs === undefined ? undefined : firstUuidOf(filter.startedAfterMs))
    where.add('r.id < $', filter.startedBeforeMs === undefined ? undefined : firstUuidOf(filter.startedBeforeMs))
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
    const columns = 'e.log, e.seq, e.leaf, e.entry'
    return this.#rows(scope, where.select('read.entries', columns, 'audits.entries e', 'e.seq desc', page.size))
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
function firstUuidOf(timeMs: number): string {
  const time = Math.max(0, Math.floor(timeMs)).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7000-8000-000000000000`
}
