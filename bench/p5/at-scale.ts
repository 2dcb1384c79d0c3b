import { Client } from 'pg'
import type { OurServer } from '../ours.ts'
import { fill } from './fill.ts'

const days = 8
const calls = 200
// Each connection of the reader makes its plan once, and the code that makes pages is compiled as it runs.
const warmUpCalls = 50

/** Pages of lists, a day's roll-up and the drop of a partition, over that many attempts of the days before today. */
export async function measureAtScale(
  ours: OurServer,
  rows: number,
  say: (line: string) => void,
): Promise<Readonly<Record<string, number>>> {
  const owner = new Client(await ours.database('portcullis_owner'))
  const app = new Client(await ours.database('portcullis_app'))
  await Promise.all([owner.connect(), app.connect()])
  try {
    const { rows: tenants } = await owner.query<{ id: string }>(`select id from portcullis.tenants where name = 'main'`)
    const tenantId = tenants[0]?.id ?? ''
    const startedAt = performance.now()
    await fill(owner, tenantId, rows, days, say)
    const filledSeconds = (performance.now() - startedAt) / 1000
    // As autovacuum leaves them; it would come by while the pages are measured.
    await owner.query('vacuum (analyze) portcullis.prompt_attempts, portcullis.run_events, portcullis.runs')
    say(`${rows} attempts are there`)
    const pages = await pagesOf(ours, say)
    const rolled = await rollUpADay(owner, app)
    say(`a day of ${rolled.attempts} attempts rolled up in ${rolled.seconds.toFixed(2)} s`)
    const drop = await dropOldest(app)
    say(`a partition of ${drop.mebibytes} MiB dropped in ${drop.milliseconds.toFixed(1)} ms`)
    return {
      rows,
      filledSeconds,
      ...pages,
      rollUpDayAttempts: rolled.attempts,
      rollUpDaySeconds: rolled.seconds,
      droppedMebibytes: drop.mebibytes,
      droppedMs: drop.milliseconds,
    }
  } finally {
    await Promise.all([owner.end(), app.end()])
  }
}

interface Reply {
  readonly nextPageToken?: string
  readonly attempts?: readonly { readonly runId: string }[]
}

/** p95 in ms of pages of 50 over the HTTP door, one caller: the ledger entry of each is in it. */
async function pagesOf(ours: OurServer, say: (line: string) => void): Promise<Readonly<Record<string, number>>> {
  const first: Reply = await ours.call('HubService/ListPromptAttempts', { pageSize: 50 })
  const runId = first.attempts?.[0]?.runId ?? ''
  const before = (day: number) => new Date(Date.now() - day * 86_400_000).toISOString()
  // Somewhere in the middle, by a bound in time and then page by page.
  let deep: Reply = await ours.call('HubService/ListPromptAttempts', { pageSize: 50, createdBefore: before(4) })
  const next = async (): Promise<void> => {
    deep = await ours
      .call('HubService/ListPromptAttempts', {
        pageSize: 50,
        createdBefore: before(4),
        ...(deep.nextPageToken === undefined ? {} : { pageToken: deep.nextPageToken }),
      })
      .catch(() => ours.call('HubService/ListPromptAttempts', { pageSize: 50, createdBefore: before(4) }))
  }
  const ask = (method: string, body: object) => () => ours.call(`HubService/${method}`, { pageSize: 50, ...body })
  const kinds: Readonly<Record<string, () => Promise<unknown>>> = {
    attemptsFirst: ask('ListPromptAttempts', {}),
    attemptsDeep: next,
    attemptsOfRun: ask('ListPromptAttempts', { runId }),
    attemptsOfWorkflow: ask('ListPromptAttempts', { workflow: 'w7' }),
    attemptsOfNoWorkflow: ask('ListPromptAttempts', { workflow: 'nowhere' }),
    attemptsFailed: ask('ListPromptAttempts', { outcome: 'ATTEMPT_OUTCOME_FAILED' }),
    attemptsOfTime: ask('ListPromptAttempts', { createdAfter: before(5), createdBefore: before(4) }),
    eventsFirst: ask('ListRunEvents', {}),
    eventsOfType: ask('ListRunEvents', { eventType: 'e3' }),
    runsFirst: ask('ListRuns', {}),
    runsOfWorkflow: ask('ListRuns', { workflow: 'w7' }),
  }
  const told: Record<string, number> = {}
  for (const [name, work] of Object.entries(kinds)) {
    for (let call = 0; call < warmUpCalls; call += 1) await work()
    const times: number[] = []
    for (let call = 0; call < calls; call += 1) {
      const sentAt = performance.now()
      await work()
      times.push(performance.now() - sentAt)
    }
    times.sort((a, b) => a - b)
    told[`${name}P95Ms`] = times[Math.floor(times.length * 0.95)] ?? Number.NaN
    say(`${name}: p50 ${times[times.length >> 1]?.toFixed(1)} ms, p95 ${told[`${name}P95Ms`]?.toFixed(1)} ms`)
  }
  return told
}

/** What the batches of yesterday had left behind, of a thousand attempts each, is folded. */
async function rollUpADay(
  owner: Client,
  app: Client,
): Promise<{ readonly attempts: number; readonly seconds: number }> {
  const { rows } = await owner.query<{ attempts: string }>(`with made as (
    insert into portcullis.telemetry_deltas
    select tenant_id, date_trunc('hour', created_at, 'UTC'), workflow, prompt_version, provider, model, agent_id, count(*),
           count(*) filter (where outcome = 1), count(*) filter (where outcome = 2), count(*) filter (where attempt_number > 1),
           sum(input_tokens), sum(cached_read_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens),
           sum(cost_nano_usd), sum(latency_ms), array_agg(portcullis.latency_bucket(latency_ms))
      from portcullis.prompt_attempts
     where id >= portcullis.least_id(date_trunc('day', now(), 'UTC') - interval '24 hours')
       and id < portcullis.least_id(date_trunc('day', now(), 'UTC'))
     group by 1, 2, 3, 4, 5, 6, 7, date_bin('60 s', created_at, '2020-01-01Z')
    returning attempts)
    select sum(attempts) as attempts from made`)
  const startedAt = performance.now()
  for (;;) {
    const folded = await app.query<{ n: number }>('select portcullis.fold_telemetry(1000) as n')
    const left = await owner.query<{ left: boolean }>('select exists (select from portcullis.telemetry_deltas) as left')
    if (folded.rows[0]?.n === 0 && left.rows[0]?.left === false) break
  }
  return { attempts: Number(rows[0]?.attempts ?? 0), seconds: (performance.now() - startedAt) / 1000 }
}

/** As retention drops a day; of its own first and empty partition nothing is told. */
async function dropOldest(app: Client): Promise<{ readonly mebibytes: number; readonly milliseconds: number }> {
  const { rows } = await app.query<{ name: string; until: Date; bytes: string }>(
    `select name, until, bytes from portcullis.telemetry_partitions('prompt_attempts') where since is not null order by until limit 1`,
  )
  const [oldest] = rows
  if (oldest === undefined) throw new Error('there is nothing to drop')
  const args = { partition: oldest.name, table: 'prompt_attempts', until: oldest.until.toISOString() }
  const body = JSON.stringify({ access: 'system', args, kind: 'telemetry.retention', outcome: 'allow' })
  const startedAt = performance.now()
  await app.query(`select portcullis.drop_telemetry_partition('prompt_attempts', $1, $2, 'bench', $3)`, [
    oldest.name,
    oldest.until,
    body,
  ])
  return { mebibytes: Math.round(Number(oldest.bytes) / 1024 ** 2), milliseconds: performance.now() - startedAt }
}
