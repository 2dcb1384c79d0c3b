import { create } from '@bufbuild/protobuf'
import { timestampMs, type Timestamp } from '@bufbuild/protobuf/wkt'
import {
  ComparePromptVersionsResponseSchema,
  GetPromptAnalyticsResponseSchema,
  HubService,
  PromptAnalyticsSchema,
  type PromptAnalytics,
} from '@portcullis/contract'
import { isRefusal, refuse } from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { read, readScope } from '../handler.ts'
import { sizes, tokenCounts } from '../runs/rules.ts'
import type { AnalyticsFilter, AnalyticsKey, AnalyticsRange, AnalyticsRow } from './analytics-rows.ts'
import { newcombe, wilson } from './intervals.ts'
import { keyToken, readKeyPage } from './key-pages.ts'

const list = 'prompt_analytics'
const hourMs = 3_600_000
const dayMs = 24 * hourMs
const daysDefault = 30
const analyticsDaysMax = 400

const getPromptAnalytics = read(
  HubService.method.getPromptAnalytics,
  async (message, { caller, clock, reader }) => {
    const fields = new Fields()
    const asked = {
      ...(message.workflow === '' ? {} : { workflow: fields.text('workflow', message.workflow, sizes.name) }),
      ...(message.promptVersion === ''
        ? {}
        : { promptVersion: fields.text('promptVersion', message.promptVersion, sizes.name) }),
      ...(message.model === '' ? {} : { model: fields.text('model', message.model, sizes.name) }),
    }
    const range = rangeOf(fields, message.from, message.until, clock.now())
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    // The range as it was asked for: while time goes by, a list of the last days goes on.
    const key = { ...asked, from: spelt(message.from), until: spelt(message.until), tenant: scope.tenantId }
    const page = readKeyPage(list, key, message.pageSize, message.pageToken)
    if (isRefusal(page)) return page
    const filter: AnalyticsFilter = { ...asked, ...range }
    const found = await reader.promptAnalytics(scope, filter, page.size, page.after)
    if (isRefusal(found)) return found
    const last = found.rows.at(-1)
    return create(GetPromptAnalyticsResponseSchema, {
      rows: found.rows.map(analyticsMessage),
      nextPageToken: found.more && last !== undefined ? keyToken(list, key, last) : '',
    })
  },
  ({ pageSize, workflow, promptVersion, model }) => ({ model, pageSize, promptVersion, workflow }),
)

const comparePromptVersions = read(
  HubService.method.comparePromptVersions,
  async (message, { caller, clock, reader }) => {
    const fields = new Fields()
    const workflow = fields.required('workflow', message.workflow, sizes.name)
    const versions = [
      fields.required('firstVersion', message.firstVersion, sizes.name),
      fields.required('secondVersion', message.secondVersion, sizes.name),
    ] as const
    const model = fields.text('model', message.model, sizes.name)
    const range = rangeOf(fields, message.from, message.until, clock.now())
    if (fields.refusal !== undefined) return fields.refusal
    const filter = { ...range, workflow, versions, ...(model === '' ? {} : { model }) }
    const found = await reader.promptVersions(readScope(caller, false), filter)
    if (isRefusal(found)) return found
    const [first, second] = versions.map(
      (promptVersion) =>
        found.rows.find((row) => row.promptVersion === promptVersion) ?? nothingOf({ workflow, promptVersion, model }),
    )
    if (first === undefined || second === undefined) return refuse('object.not_found', 'two versions were asked for')
    const difference = newcombe(sampleOf(first), sampleOf(second))
    return create(ComparePromptVersionsResponseSchema, {
      first: analyticsMessage(first),
      second: analyticsMessage(second),
      differencePpm: difference.differencePpm,
      differenceLowPpm: difference.lowPpm,
      differenceHighPpm: difference.highPpm,
      significant: difference.significant,
    })
  },
  ({ workflow, firstVersion, secondVersion, model }) => ({ firstVersion, model, secondVersion, workflow }),
)

/** Whole hours: what is counted is counted by the hour. */
function rangeOf(
  fields: Fields,
  from: Timestamp | undefined,
  until: Timestamp | undefined,
  nowMs: number,
): AnalyticsRange {
  const untilMs = until === undefined ? nowMs : fields.moment('until', until)
  const fromMs = from === undefined ? untilMs - daysDefault * dayMs : fields.moment('from', from)
  const range = { fromMs: Math.floor(fromMs / hourMs) * hourMs, untilMs: Math.ceil(untilMs / hourMs) * hourMs }
  if (range.fromMs >= range.untilMs) fields.wrong('until', 'must be after from')
  if (range.untilMs - range.fromMs > (analyticsDaysMax + 1) * dayMs)
    fields.wrong('from', `must be at most ${analyticsDaysMax} days before until`)
  return range
}

function spelt(time: Timestamp | undefined): number | null {
  return time === undefined ? null : timestampMs(time)
}

function sampleOf({ attempts, successes }: AnalyticsRow): { readonly trials: bigint; readonly successes: bigint } {
  return { trials: BigInt(attempts), successes: BigInt(successes) }
}

function analyticsMessage(row: AnalyticsRow): PromptAnalytics {
  const { ratePpm, lowPpm, highPpm } = wilson(sampleOf(row))
  return create(PromptAnalyticsSchema, {
    workflow: maskText(row.workflow),
    promptVersion: maskText(row.promptVersion),
    provider: maskText(row.provider),
    model: maskText(row.model),
    attempts: BigInt(row.attempts),
    successes: BigInt(row.successes),
    successRatePpm: ratePpm,
    lowPpm,
    highPpm,
    costNanoUsd: BigInt(row.costNanoUsd),
    tokens: tokenCounts(row),
    p50LatencyMs: BigInt(Math.round(row.p50LatencyMs ?? 0)),
    p95LatencyMs: BigInt(Math.round(row.p95LatencyMs ?? 0)),
    retries: BigInt(row.retries),
  })
}

function nothingOf(key: Omit<AnalyticsKey, 'provider'>): AnalyticsRow {
  return {
    ...key,
    provider: '',
    attempts: '0',
    successes: '0',
    retries: '0',
    inputTokens: '0',
    cachedReadTokens: '0',
    cacheWriteTokens: '0',
    outputTokens: '0',
    reasoningTokens: '0',
    costNanoUsd: '0',
    p50LatencyMs: null,
    p95LatencyMs: null,
  }
}

export const analyticsHandlers = [getPromptAnalytics, comparePromptVersions]
