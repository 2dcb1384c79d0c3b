import { formatDecimal } from '#core'

/** What was used of a model on a day; tokens of each class apart. */
export interface DayOfUse {
  /** YYYY-MM-DD, UTC. */
  readonly day: string
  readonly provider: string
  readonly model: string
  readonly input: bigint
  readonly cachedRead: bigint
  readonly cacheWrite: bigint
  readonly output: bigint
  readonly costNanoUsd: bigint
}

/**
 * What a provider would say about that use, in the form of Anthropic's usage report. Of our own making: it is for showing and testing the
 * comparison, and says nothing about any provider.
 */
export function usageReport(use: readonly DayOfUse[]): string {
  return report(use, ({ model, input, cachedRead, cacheWrite, output }) => [
    {
      api_key_id: null,
      workspace_id: null,
      model,
      service_tier: 'standard',
      context_window: '0-200k',
      uncached_input_tokens: Number(input),
      cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: Number(cacheWrite) },
      cache_read_input_tokens: Number(cachedRead),
      output_tokens: Number(output),
      server_tool_use: { web_search_requests: 0 },
    },
  ])
}

/** The same in the form of its cost report: two lines a model, amounts in cents. `offMilli` is by how many thousandths the provider charges more. */
export function costReport(use: readonly DayOfUse[], offMilli = 0n): string {
  return report(use, ({ model, costNanoUsd }) => {
    const charged = (costNanoUsd * (1000n + offMilli)) / 1000n
    const input = charged / 3n
    const line = (kind: string, amount: bigint): object => ({
      currency: 'USD',
      amount: formatDecimal(amount, 7),
      workspace_id: null,
      description: `${model} usage`,
      cost_type: 'tokens',
      context_window: '0-200k',
      model,
      service_tier: 'standard',
      token_type: kind,
    })
    return [line('uncached_input_tokens', input), line('output_tokens', charged - input)]
  })
}

/**
 * A bill for the demo, as a table: what was used, but one model is charged 3 % more than is known, one line is there that nothing explains,
 * and one is in another currency.
 */
export function demoBill(use: readonly DayOfUse[]): string {
  const sorted = use.toSorted((a, b) => (a.costNanoUsd > b.costNanoUsd ? -1 : 1))
  const [dearest, ...others] = sorted
  if (dearest === undefined) return usageTable([])
  const { day, provider } = dearest
  return [
    usageTable([dearest], 30n),
    usageTable(others).slice(head.length + 1),
    `${day},${provider},example-unheard-of,1000,0,0,100,0.5,USD\n`,
    `${day},${provider},${dearest.model},0,0,0,0,0.5,EUR\n`,
  ].join('')
}

const head = 'day,provider,model,input_tokens,cached_read_tokens,cache_write_tokens,output_tokens,charged,currency'

/** The same as a table with the columns of `portcullis costs import --source csv`. */
function usageTable(use: readonly DayOfUse[], offMilli = 0n): string {
  const lines = use.map(({ day, provider, model, input, cachedRead, cacheWrite, output, costNanoUsd }) => {
    const charged = formatDecimal((costNanoUsd * (1000n + offMilli)) / 1000n, 9)
    return [day, provider, model, input, cachedRead, cacheWrite, output, charged, 'USD'].join(',')
  })
  return `${[head, ...lines].join('\n')}\n`
}

function report(use: readonly DayOfUse[], resultsOf: (use: DayOfUse) => readonly object[]): string {
  const days = [...new Set(use.map(({ day }) => day))].toSorted()
  const data = days.map((day) => ({
    starting_at: `${day}T00:00:00Z`,
    ending_at: new Date(Date.parse(day) + 86_400_000).toISOString().replace('.000Z', 'Z'),
    results: use.filter((one) => one.day === day).flatMap(resultsOf),
  }))
  return `${JSON.stringify({ data, has_more: false, next_page: null }, undefined, 2)}\n`
}
