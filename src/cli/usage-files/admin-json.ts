import { fromAnthropic, fromOpenAi } from '#core'
import { usage } from '../errors.ts'
import {
  amountOf,
  BadValue,
  countOf,
  dayOf,
  fail,
  linesMax,
  noTokens,
  summed,
  textOf,
  type BadLine,
  type UsageFile,
  type UsageLine,
} from './lines.ts'

type Source = 'anthropic' | 'openai'
type Json = Readonly<Record<string, unknown>>

/**
 * Replies of the admin APIs, one page or an array of pages, as they were fetched: Anthropic's usage and cost reports, OpenAI's usage and
 * costs. What kind a line is, its own fields say.
 */
export function readAdminJson(text: string, source: Source): UsageFile {
  const pages = pagesOf(text)
  const lines: UsageLine[] = []
  const bad: BadLine[] = []
  let incomplete = false
  for (const [pageIndex, page] of pages.entries()) {
    const where = pages.length === 1 ? '' : `page ${pageIndex + 1}, `
    const last = pageIndex === pages.length - 1
    if (!isObject(page) || !Array.isArray(page['data'])) {
      throw usage(`The file is no ${source} report: ${where}data is missing.`, todo[source])
    }
    incomplete ||= last && page['has_more'] === true
    for (const [bucketIndex, bucket] of (page['data'] as readonly unknown[]).entries()) {
      const inBucket = `${where}data[${bucketIndex}]`
      const results = isObject(bucket) ? (bucket['results'] ?? bucket['result']) : undefined
      if (!isObject(bucket) || !Array.isArray(results)) {
        bad.push({ at: inBucket, why: 'results are missing' })
        continue
      }
      for (const [index, result] of (results as readonly unknown[]).entries()) {
        const at = `${inBucket}.results[${index}]`
        if (lines.length + bad.length >= linesMax) {
          throw usage(`The file has more than ${linesMax} lines.`, 'Import it in parts, a month at a time.')
        }
        try {
          if (!isObject(result)) fail('is no object')
          lines.push(source === 'anthropic' ? anthropicLine(at, bucket, result) : openAiLine(at, bucket, result))
        } catch (error) {
          if (!(error instanceof BadValue)) throw error
          bad.push({ at, why: error.message })
        }
      }
    }
  }
  return { lines: summed(lines), bad, incomplete }
}

const todo = {
  anthropic: 'Save what /v1/organizations/usage_report/messages or /v1/organizations/cost_report answers.',
  openai: 'Save what /v1/organization/usage/completions or /v1/organization/costs answers.',
} as const

function pagesOf(text: string): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(text.replace(/^\ufeff/, ''))
    return Array.isArray(parsed) ? (parsed as readonly unknown[]) : [parsed]
  } catch (cause) {
    throw usage(
      `The file is not JSON: ${cause instanceof Error ? cause.message : String(cause)}.`,
      'Name the right file.',
    )
  }
}

/** Docs: platform.claude.com, Usage and Cost API. Amounts are cents, as decimal text. */
function anthropicLine(at: string, bucket: Json, result: Json): UsageLine {
  const base = { at, day: dayOf('starting_at', bucket['starting_at']), provider: 'anthropic' }
  const workspace = textOf('workspace_id', result['workspace_id'])
  if (result['amount'] !== undefined) {
    return {
      ...base,
      model: textOf('model', result['model']) || textOf('description', result['description']) || 'unnamed',
      providerKey: workspace,
      tokens: noTokens,
      chargedNanoUsd: amountOf('amount', result['amount'], 100n),
      currency: textOf('currency', result['currency']),
      requests: 0n,
    }
  }
  const written = result['cache_creation']
  const creation: Json = isObject(written) ? written : {}
  return {
    ...base,
    model: textOf('model', result['model']) || fail('model is missing: group the report by model'),
    providerKey: textOf('api_key_id', result['api_key_id']) || workspace,
    tokens: fromAnthropic({
      input: countOf('uncached_input_tokens', result['uncached_input_tokens']),
      cachedRead: countOf('cache_read_input_tokens', result['cache_read_input_tokens']),
      cacheWrite:
        countOf('ephemeral_5m_input_tokens', creation['ephemeral_5m_input_tokens']) +
        countOf('ephemeral_1h_input_tokens', creation['ephemeral_1h_input_tokens']),
      output: countOf('output_tokens', result['output_tokens']),
    }),
    chargedNanoUsd: undefined,
    currency: '',
    requests: 0n,
  }
}

/** Docs: platform.openai.com, Usage and Costs. Input includes what was cached; amounts are in their currency. */
function openAiLine(at: string, bucket: Json, result: Json): UsageLine {
  const base = { at, day: dayOf('start_time', bucket['start_time']), provider: 'openai' }
  const project = textOf('project_id', result['project_id'])
  const amount = result['amount']
  if (amount !== undefined) {
    if (!isObject(amount)) return fail('amount must be an object with value and currency')
    // Such as `gpt-4o-2024-08-06, input`.
    const item = textOf('line_item', result['line_item']) || fail('line_item is missing: group the costs by line_item')
    return {
      ...base,
      model: item.split(',')[0]?.trim() ?? item,
      providerKey: project,
      tokens: noTokens,
      chargedNanoUsd: amountOf('amount.value', amount['value']),
      currency: textOf('amount.currency', amount['currency']).toUpperCase(),
      requests: 0n,
    }
  }
  return {
    ...base,
    model: textOf('model', result['model']) || fail('model is missing: group the usage by model'),
    providerKey: textOf('api_key_id', result['api_key_id']) || project,
    tokens: fromOpenAi({
      input: countOf('input_tokens', result['input_tokens']),
      cachedRead: countOf('input_cached_tokens', result['input_cached_tokens']),
      output: countOf('output_tokens', result['output_tokens']),
    }),
    chargedNanoUsd: undefined,
    currency: '',
    requests: countOf('num_model_requests', result['num_model_requests']),
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
