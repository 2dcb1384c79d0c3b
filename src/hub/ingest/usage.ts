import {
  excludesCached,
  fromAnthropic,
  fromOpenAi,
  type ReportedUsage,
  type TokenClasses,
} from '../costs/usage-classes.ts'
import type { Attributes } from './attributes.ts'

/**
 * The tokens of a span, each class apart (SPEC H11, H13). OpenTelemetry counts cached tokens into the input, and so does OpenInference.
 * Anthropic's own API does not, and instrumentations from before `gen_ai.provider.name` hand its numbers on as they are: those with
 * `gen_ai.system`, and any whose cached tokens are more than the input that they ought to be a part of.
 */
export function usageOf(attributes: Attributes, provider: string): TokenClasses {
  const reported = reportedOf(attributes)
  const { input = 0n, cachedRead = 0n, cacheWrite = 0n } = reported
  const older = attributes.has('gen_ai.system') && !attributes.has('gen_ai.provider.name')
  const apart = excludesCached(provider) && (older || cachedRead + cacheWrite > input)
  return apart ? fromAnthropic(reported) : fromOpenAi(reported)
}

function reportedOf(attributes: Attributes): ReportedUsage {
  const counts = {
    input: attributes.count('gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens', 'llm.token_count.prompt'),
    cachedRead: attributes.count(
      'gen_ai.usage.cache_read.input_tokens',
      'gen_ai.usage.cache_read_input_tokens',
      'llm.token_count.prompt_details.cache_read',
    ),
    cacheWrite: attributes.count(
      'gen_ai.usage.cache_creation.input_tokens',
      'gen_ai.usage.cache_creation_input_tokens',
      'llm.token_count.prompt_details.cache_write',
    ),
    output: attributes.count(
      'gen_ai.usage.output_tokens',
      'gen_ai.usage.completion_tokens',
      'llm.token_count.completion',
    ),
    reasoning: attributes.count(
      'gen_ai.usage.reasoning.output_tokens',
      'gen_ai.usage.reasoning_tokens',
      'llm.token_count.completion_details.reasoning',
    ),
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== undefined))
}
