import type { AttemptRecord } from '#hub'
import type { Place, Statement } from '../connection.ts'
import { lookUp } from './runs.ts'
import { sparseMembers, type OperationStatement } from './statement.ts'

/** What attempts of one call have in common, written once for all of them. */
interface Shape {
  readonly of: AttemptRecord
  readonly claim: string
  readonly n: number
  readonly parts: number[]
  readonly attempts: AttemptRecord[]
}

/** Texts that often differ where all else is the same: sent as arrays where they do. */
const loose = ['promptHash', 'errorType', 'errorMessage'] as const

/** The columns of the attempts by themselves, as arrays: `$2` and what follows. */
const own = [
  ['id', 'uuid', ({ id }) => id],
  ['attemptNumber', 'int', ({ attemptNumber }) => attemptNumber],
  ['outcome', 'smallint', ({ outcome }) => outcome],
  ['inputTokens', 'bigint', ({ inputTokens }) => inputTokens],
  ['cachedReadTokens', 'bigint', ({ cachedReadTokens }) => cachedReadTokens],
  ['cacheWriteTokens', 'bigint', ({ cacheWriteTokens }) => cacheWriteTokens],
  ['outputTokens', 'bigint', ({ outputTokens }) => outputTokens],
  ['reasoningTokens', 'bigint', ({ reasoningTokens }) => reasoningTokens],
  ['costNanoUsd', 'bigint', ({ costNanoUsd }) => costNanoUsd],
  ['reportedCostNanoUsd', 'bigint', ({ reportedCostNanoUsd }) => reportedCostNanoUsd],
  ['latencyMs', 'bigint', ({ latencyMs }) => latencyMs],
  ['qualityScoreMilli', 'int', ({ qualityScoreMilli }) => qualityScoreMilli],
  ['createdAtMs', 'float8', ({ createdAtMs }) => createdAtMs],
] as const satisfies readonly (readonly [keyof AttemptRecord, string, (attempt: AttemptRecord) => string | number])[]

type OwnColumn = (typeof own)[number][0]

/** A column of the attempt `i`; an array in which all are zero is not sent. */
function at(name: OwnColumn): string {
  const index = own.findIndex(([column]) => column === name)
  return `coalesce(($${index + 2}::${own[index]?.[1]}[])[i], ${name === 'id' ? 'null' : 0})`
}

function sumOf(name: OwnColumn): string {
  return `sum(${at(name)}) as "${name}"`
}

const hourMs = 3_600_000
const sums = `sum("inputTokens"), sum("cachedReadTokens"), sum("cacheWriteTokens"), sum("outputTokens"), sum("reasoningTokens"),
           sum("costNanoUsd")`

/**
 * As `recordAttempt`, for the attempts of calls that have many: `$1` has a row for what many of them have in common, which says where
 * they are in the arrays. Their runs are looked up once, and sums are made once, for each such row; it answers one row `s` for each.
 */
export const recordAttempts: OperationStatement = {
  name: 'attempt.record_many',
  text: `with ${sparseMembers(`s int, first int, last int, "runId" uuid, "ownerAgentId" uuid, workflow text, "providerType" text,
      provider text, model text, "promptVersion" text, "promptHash" text[], "errorType" text[], "errorMessage" text[],
      "priceVersion" text, "unitPrices" text, sku text, "hourMs" float8`)},
  found as materialized (
    select m.*, r.agent_id, coalesce(nullif(m.workflow, ''), r.workflow) as the_workflow,
           coalesce(nullif(m."promptVersion", ''), r.prompt_version) as the_version,
           to_timestamp(m."hourMs" / 1000) as the_hour, t.*
      from m cross join lateral ${lookUp('m."runId"')} r
      cross join lateral (
        select count(*) as attempts, count(*) filter (where ${at('outcome')} = 1) as successes,
               count(*) filter (where ${at('outcome')} = 2) as failures, count(*) filter (where ${at('attemptNumber')} > 1) as retries,
               ${sumOf('inputTokens')}, ${sumOf('cachedReadTokens')}, ${sumOf('cacheWriteTokens')}, ${sumOf('outputTokens')},
               ${sumOf('reasoningTokens')}, ${sumOf('costNanoUsd')}, ${sumOf('reportedCostNanoUsd')}, ${sumOf('latencyMs')},
               string_agg(portcullis.latency_bucket(${at('latencyMs')})::text, ',') as latencies
          from generate_series(m.first, m.last) i) t
     where m."ownerAgentId" is null or r.agent_id = m."ownerAgentId"),
  -- In the order of the ids, as indexes have it. What is sorted MUST NOT hold an array: each row would have a copy of it.
  written as (
    insert into portcullis.prompt_attempts (tenant_id, id, run_id, attempt_number, workflow, agent_id, provider_type, provider, model,
      prompt_version, prompt_hash, outcome, error_type, error_message, input_tokens, cached_read_tokens, cache_write_tokens,
      output_tokens, reasoning_tokens, cost_nano_usd, reported_cost_nano_usd, price_version, latency_ms, quality_score_milli, created_at)
    select (select portcullis.tenant()), ${at('id')}, "runId", ${at('attemptNumber')}, the_workflow, agent_id, "providerType", provider,
      model, the_version, hash, ${at('outcome')}, error, message, ${at('inputTokens')}, ${at('cachedReadTokens')},
      ${at('cacheWriteTokens')}, ${at('outputTokens')}, ${at('reasoningTokens')}, ${at('costNanoUsd')}, ${at('reportedCostNanoUsd')},
      "priceVersion", ${at('latencyMs')}, ${at('qualityScoreMilli')}, to_timestamp(${at('createdAtMs')} / 1000)
      from (
        select "runId", the_workflow, agent_id, "providerType", provider, model, the_version, "priceVersion", i,
               coalesce(u.hash, f."promptHash"[1], '') as hash, coalesce(u.error, f."errorType"[1], '') as error,
               coalesce(u.message, f."errorMessage"[1], '') as message
          from found f cross join lateral rows from (generate_series(f.first, f.last), unnest(f."promptHash"), unnest(f."errorType"),
            unnest(f."errorMessage")) as u(i, hash, error, message)
         order by ${at('id')}) a),
  counted as (
    insert into portcullis.workflow_deltas (tenant_id, workflow, attempts, failed_attempts, input_tokens, cached_read_tokens,
      cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms)
    select (select portcullis.tenant()), the_workflow, sum(attempts), sum(failures), ${sums}, sum("latencyMs")
      from found group by the_workflow),
  -- There is no aggregate that joins arrays of different lengths: the buckets go through text.
  rolled as (
    insert into portcullis.telemetry_deltas (tenant_id, bucket, workflow, prompt_version, provider, model, agent_id, attempts, successes,
      failures, retries, input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, latency_ms,
      latencies)
    select (select portcullis.tenant()), the_hour, the_workflow, the_version, provider, model, agent_id, sum(attempts), sum(successes),
           sum(failures), sum(retries), ${sums}, sum("latencyMs"), string_to_array(string_agg(latencies, ','), ',')::smallint[]
      from found group by 2, 3, 4, 5, 6, 7),
  charged as (
    insert into portcullis.cost_deltas (tenant_id, hour, agent_id, workflow, provider, model, sku, price_version, unit_prices, attempts,
      input_tokens, cached_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano_usd, reported_cost_nano_usd)
    select (select portcullis.tenant()), the_hour, agent_id, the_workflow, provider, model, sku, "priceVersion", "unitPrices",
           sum(attempts), ${sums}, sum("reportedCostNanoUsd")
      from found group by 2, 3, 4, 5, 6, 7, 8, 9)
  select s, the_workflow as workflow, the_version as "promptVersion", agent_id as "agentId" from found`,
}

/** The attempts of all calls of a batch that have more than one part. */
export class AttemptBatch {
  readonly #shapes: Shape[] = []
  #known = new Map<string, Shape>()
  #n = -1
  #claim = ''

  /** Attempts of one call, and the members of a JSON object that name its idempotency key. */
  begin(n: number, claim: string): void {
    this.#known = new Map()
    this.#n = n
    this.#claim = claim
  }

  add(part: number, args: AttemptRecord): void {
    const key = shapeOf(args)
    let shape = this.#known.get(key)
    if (shape === undefined) {
      // One row says under which key all of the call are.
      const claim = this.#known.size === 0 ? this.#claim : ''
      shape = { of: args, claim, n: this.#n, parts: [], attempts: [] }
      this.#known.set(key, shape)
      this.#shapes.push(shape)
    }
    shape.parts.push(part)
    shape.attempts.push(args)
  }

  statements(): readonly Statement[] {
    if (this.#shapes.length === 0) return []
    const attempts = this.#shapes.flatMap((shape) => shape.attempts)
    let last = 0
    const rows = this.#shapes.map((shape, s) => {
      const first = last + 1
      last += shape.attempts.length
      return `{${shape.claim}${JSON.stringify(rowOf(shape, s, first, last)).slice(1)}`
    })
    const columns = own.map(([, , valueOf]) => arrayOf(attempts, valueOf))
    const places = this.#shapes.map(({ n, parts }): Place => ({ n, parts }))
    return [{ ...recordAttempts, values: [`[${rows.join(',')}]`, ...columns], places }]
  }
}

/** All that attempts with the same key have in common. No text of a caller holds a NUL. */
function shapeOf(args: AttemptRecord): string {
  return [
    args.runId,
    args.ownerAgentId,
    args.workflow,
    args.providerType,
    args.provider,
    args.model,
    args.promptVersion,
    args.sku,
    args.priceVersion,
    args.unitPrices,
    Math.floor(args.createdAtMs / hourMs),
  ].join('\0')
}

function rowOf({ attempts, n, of }: Shape, s: number, first: number, last: number): object {
  return {
    n,
    s,
    first,
    last,
    runId: of.runId,
    ownerAgentId: of.ownerAgentId,
    workflow: of.workflow,
    providerType: of.providerType,
    provider: of.provider,
    model: of.model,
    promptVersion: of.promptVersion,
    ...Object.fromEntries(loose.map((name) => [name, textsOf(attempts, name)])),
    priceVersion: of.priceVersion,
    unitPrices: of.unitPrices,
    sku: of.sku,
    hourMs: Math.floor(of.createdAtMs / hourMs) * hourMs,
  }
}

/** One text stands for all where they are the same; undefined where they are empty. */
function textsOf(attempts: readonly AttemptRecord[], name: (typeof loose)[number]): readonly string[] | undefined {
  const first = attempts[0]?.[name] ?? ''
  if (attempts.some((attempt) => attempt[name] !== first)) return attempts.map((attempt) => attempt[name])
  return first === '' ? undefined : [first]
}

/** An array of PostgreSQL of what needs no quotes: null where all are zero. */
function arrayOf(
  attempts: readonly AttemptRecord[],
  valueOf: (attempt: AttemptRecord) => string | number,
): string | null {
  const values = attempts.map(valueOf)
  return values.every((value) => value === '0' || value === 0) ? null : `{${values.join(',')}}`
}
