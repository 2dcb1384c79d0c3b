import { ms } from './operations/statement.ts'

function tokens(prefix: string): string {
  return `json_build_object('inputTokens', t.${prefix}_input_tokens::text, 'cachedReadTokens', t.${prefix}_cached_read_tokens::text,
    'cacheWriteTokens', t.${prefix}_cache_write_tokens::text, 'outputTokens', t.${prefix}_output_tokens::text,
    'reasoningTokens', t.${prefix}_reasoning_tokens::text) as ${prefix}`
}

/** The columns of a CorrectionRow. */
export const correctionColumns = `t.id, t.import_id as "importId", t.source, to_char(t.day, 'YYYY-MM-DD') as day, t.provider, t.model,
  t.sku, t.provider_key as "providerKey", t.known_nano_usd as "knownNanoUsd", t.charged_nano_usd as "chargedNanoUsd",
  t.correction_nano_usd as "correctionNanoUsd", t.drift_milli as "driftMilli", t.alert, ${tokens('known')}, ${tokens('charged')},
  ${ms('t.imported_at', 'importedAtMs')}`

/** The columns of a CostHourRow. */
export const costHourColumns = `t.id, ${ms('t.hour', 'hourMs')}, t.agent_id as "agentId", t.workflow, t.provider, t.model, t.sku,
  t.price_version as "priceVersion", t.unit_prices as "unitPrices", t.attempts::text as attempts,
  t.input_tokens::text as "inputTokens", t.cached_read_tokens::text as "cachedReadTokens",
  t.cache_write_tokens::text as "cacheWriteTokens", t.output_tokens::text as "outputTokens",
  t.reasoning_tokens::text as "reasoningTokens", t.cost_nano_usd::text as "costNanoUsd",
  t.reported_cost_nano_usd::text as "reportedCostNanoUsd"`
