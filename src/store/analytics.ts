import type { AnalyticsFilter, AnalyticsKey, AnalyticsRow, AnalyticsRows, VersionsFilter } from '#hub'
import type { Statement } from './connection.ts'

const dayMs = 86_400_000
const most = 2n ** 63n - 1n
/** Rows of the roll-ups whose histograms are added up for one page: it ends early where there are more. One key has all of its own. */
export const rollupsAtMost = 20_000

const keyColumns = ['workflow', 'prompt_version', 'provider', 'model']
const sums = [
  'attempts',
  'successes',
  'retries',
  'input_tokens',
  'cached_read_tokens',
  'cache_write_tokens',
  'output_tokens',
  'reasoning_tokens',
  'cost_nano_usd',
]
const camel = (column: string): string => column.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
// A sum has no bound; the contract carries 64 bits of it.
const summed = sums.map((column) => `least(sum(${column}), ${most})::bigint::text as "${camel(column)}"`).join(', ')

type Put = (value: string | number) => string
/** A row, and whether its page ended before all was listed. */
export type AnalyticsLine = AnalyticsRow & { readonly more: boolean }

/** How prompts did, sorted by workflow, version, provider and model: those behind `after`, so many at most (SPEC H9). */
export function promptAnalytics(filter: AnalyticsFilter, limit: number, after: AnalyticsKey | undefined): Statement {
  const { values, put } = listed()
  const conditions: string[] = []
  if (filter.workflow !== undefined) conditions.push(`workflow = ${put(filter.workflow)}`)
  if (filter.promptVersion !== undefined) conditions.push(`prompt_version = ${put(filter.promptVersion)}`)
  if (filter.model !== undefined) conditions.push(`model = ${put(filter.model)}`)
  if (after !== undefined) {
    const key = [after.workflow, after.promptVersion, after.provider, after.model].map(put).join(', ')
    conditions.push(`(workflow, prompt_version, provider, model) > (${key})`)
  }
  const shape = [filter.workflow, filter.promptVersion, filter.model, after].map((each) => Number(each !== undefined))
  return {
    name: `read.analytics.${shape.join('')}`,
    text: `${added(rollups(filter, conditions, put), keyColumns, put(limit))}
      select k.workflow, k.prompt_version as "promptVersion", k.provider, k.model, ${totals} order by k.k`,
    values,
  }
}

/** Two versions of a prompt, over every provider; a version that nobody used has no row. */
export function promptVersions(filter: VersionsFilter): Statement {
  const { values, put } = listed()
  const [first, second] = filter.versions
  const workflow = put(filter.workflow)
  const conditions = [`workflow = ${workflow}`, `prompt_version in (${put(first)}, ${put(second)})`]
  if (filter.model !== undefined) conditions.push(`model = ${put(filter.model)}`)
  return {
    name: `read.prompt_versions.${Number(filter.model !== undefined)}`,
    text: `${added(rollups(filter, conditions, put), ['prompt_version'], put(2))}
      select ${workflow}::text as workflow, k.prompt_version as "promptVersion", ${put(filter.model ?? '')}::text as model,
             s.provider, ${totals} order by k.k`,
    values,
  }
}

export function rowsOf(lines: readonly AnalyticsLine[]): AnalyticsRows {
  return { rows: lines, more: lines.some(({ more }) => more) }
}

/**
 * What the statements have in common: the keys of the page, in order, then the sums of each. Adding up histograms is what takes the time, so
 * that only those of the page are read.
 */
function added(from: string, keys: readonly string[], limit: string): string {
  const key = keys.join(', ')
  return `with found as (
      select ${key}, count(*) as rows from (${from}) r group by ${key} order by ${key} limit ${limit}::int + 1),
    numbered as (
      select f.*, row_number() over (order by ${key}) as k, sum(f.rows) over (order by ${key}) - f.rows as before from found f),
    k as materialized (
      select n.*, exists (select from numbered o where o.k > ${limit}::int or o.before >= ${rollupsAtMost}) as more
        from numbered n where n.k <= ${limit}::int and (n.before < ${rollupsAtMost} or n.k = 1)),
    s as (
      select k.k, ${summed}, case when count(distinct r.provider) = 1 then min(r.provider) else '' end as provider,
             portcullis.sum_histograms(r.latency_histogram) as histogram
        from k join (${from}) r using (${key}) group by k.k)`
}

const shown = sums.map((column) => `s."${camel(column)}"`).join(', ')
const totals = `${shown}, portcullis.latency_quantile(s.histogram, 0.5)::float8 as "p50LatencyMs",
  portcullis.latency_quantile(s.histogram, 0.95)::float8 as "p95LatencyMs", k.more from k join s using (k)`

/** The roll-ups of a range: whole days by the day, what is left at its ends by the hour. */
function rollups(
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
  conditions: readonly string[],
  put: Put,
): string {
  const firstDay = Math.ceil(fromMs / dayMs) * dayMs
  const lastDay = Math.floor(untilMs / dayMs) * dayMs
  const whole = firstDay < lastDay
  const spans: readonly (readonly [string, number, number])[] = [
    ['day', whole ? firstDay : fromMs, whole ? lastDay : fromMs],
    ['hour', fromMs, whole ? firstDay : untilMs],
    ['hour', whole ? lastDay : untilMs, untilMs],
  ]
  const at = (ms: number): string => `to_timestamp(${put(ms)}::float8 / 1000)`
  return spans
    .map(([span, from, until]) =>
      [
        `select workflow, prompt_version, provider, model, ${sums.join(', ')}, latency_histogram
          from portcullis.telemetry_rollups_${span} where tenant_id = (select portcullis.tenant())`,
        `bucket >= ${at(from)}`,
        `bucket < ${at(until)}`,
        ...conditions,
      ].join(' and '),
    )
    .join(' union all ')
}

function listed(): { readonly values: (string | number)[]; readonly put: Put } {
  const values: (string | number)[] = []
  return { values, put: (value) => `$${values.push(value)}` }
}

export const leaderboardText = `select workflow, provider, model, benchmark, samples, successes, cost_nano_usd as "costNanoUsd",
  latency_ms as "latencyMs" from portcullis.leaderboard($1, $2)`
