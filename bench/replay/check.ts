import { Client } from 'pg'
import { Frontier, verifyChain, type ChainItem, type VerifyResult } from '#ledger'
import type { Reached } from '../ours.ts'
import { attemptPath, type Sent } from './send.ts'

export interface Tokens {
  readonly input: number
  readonly output: number
}

export interface Checked {
  /** Summed by SQL over the attempts of the runs. */
  readonly recorded: Tokens & { readonly attempts: number }
  /** Summed over the totals that GetRun answers. */
  readonly totals: Tokens & { readonly attempts: number }
  /** Calls of the replay that have exactly one entry that let them do their work. */
  readonly withEntry: number
  readonly chain: VerifyResult & { readonly log: string }
}

const entriesPerRead = 2000

/** Looks at what the replay left behind, as the reader role under the tenant's row-level security. */
export async function checkReplay(server: Reached, sent: Sent): Promise<Checked> {
  const totals = await runTotals(server, sent.runIds)
  const { log, tenantId } = await ownLog(server)
  const reader = new Client(await server.database('portcullis_reader'))
  await reader.connect()
  try {
    // One snapshot for rows, head and entries: others may be writing.
    await reader.query('begin isolation level repeatable read read only')
    await reader.query(`select set_config('portcullis.tenant', $1, true)`, [tenantId])
    const recorded = await recordedTokens(reader, sent.runIds)
    const head = await readHead(reader, log)
    const calls = new Counter(sent.requestIds)
    const chain = await verifyChain(calls.watch(entriesOf(reader, log)), { log, head })
    return { recorded, totals, withEntry: calls.once, chain: { ...chain, log } }
  } finally {
    await reader.end()
  }
}

async function runTotals(server: Reached, runIds: readonly string[]): Promise<Checked['totals']> {
  const sum = { input: 0, output: 0, attempts: 0 }
  for (const runId of runIds) {
    const { run } = await server.call('HubService/GetRun', { runId })
    sum.input += Number(run.tokens.input)
    sum.output += Number(run.tokens.output)
    sum.attempts += Number(run.totalAttempts)
  }
  return sum
}

/** The log and the tenant of the admin key, from its newest entry. */
async function ownLog(server: Reached): Promise<{ readonly log: string; readonly tenantId: string }> {
  const { entries } = await server.call('LedgerService/Query', { pageSize: 1 })
  const { log, body } = JSON.parse(entries[0].entryJson)
  return { log, tenantId: body.tenant.slice('ten_'.length) }
}

async function recordedTokens(reader: Client, runIds: readonly string[]): Promise<Checked['recorded']> {
  const { rows } = await reader.query<{ attempts: string; input: string; output: string }>(
    `select count(*) as attempts, sum(input_tokens) as input, sum(output_tokens) as output
       from portcullis.prompt_attempts where run_id = any($1::uuid[])`,
    [runIds.map((id) => id.slice('run_'.length))],
  )
  const [row] = rows
  return { attempts: Number(row?.attempts), input: Number(row?.input), output: Number(row?.output) }
}

async function readHead(
  reader: Client,
  log: string,
): Promise<{ readonly size: number; readonly root: string; readonly lastHash: string }> {
  const { rows } = await reader.query<{ size: string; frontier: Buffer; last_hash: Buffer }>(
    'select size, frontier, last_hash from audits.heads where log = $1',
    [log],
  )
  const [head] = rows
  if (head === undefined) throw new Error(`the log ${log} has no head`)
  const size = Number(head.size)
  return {
    size,
    root: Frontier.fromBytes(size, head.frontier).root().toString('hex'),
    lastHash: head.last_hash.toString('hex'),
  }
}

async function* entriesOf(reader: Client, log: string): AsyncGenerator<ChainItem> {
  for (let from = 0; ; from += entriesPerRead) {
    const { rows } = await reader.query<{ seq: string; entry: Buffer; leaf: Buffer }>(
      'select seq, entry, leaf from audits.entries where log = $1 and seq >= $2 and seq < $3 order by seq',
      [log, from, from + entriesPerRead],
    )
    for (const { seq, entry, leaf } of rows) yield { seq: BigInt(seq), entry, leaf }
    if (rows.length < entriesPerRead) return
  }
}

/** Counts, while they pass, the entries that let a call of the replay do its work. */
class Counter {
  readonly #seen: Map<string, number>

  constructor(requestIds: readonly string[]) {
    this.#seen = new Map(requestIds.map((id) => [id, 0]))
  }

  get once(): number {
    return [...this.#seen.values()].filter((count) => count === 1).length
  }

  async *watch(entries: AsyncIterable<ChainItem>): AsyncGenerator<ChainItem> {
    for await (const item of entries) {
      const { body } = JSON.parse(Buffer.from(item.entry).toString('utf8'))
      const count = this.#seen.get(body.requestId)
      const worked = body.method === attemptPath && body.outcome === 'allow' && body.args.replayed !== true
      if (count !== undefined && worked) this.#seen.set(body.requestId, count + 1)
      yield item
    }
  }
}
