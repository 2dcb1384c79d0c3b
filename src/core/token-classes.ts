/** Tokens of one call, each class apart: no token is in two of them (SPEC H11). */
export interface TokenClasses {
  /** Not read from a cache and not written to one. */
  readonly input: bigint
  readonly cachedRead: bigint
  readonly cacheWrite: bigint
  /** Without what was reasoned. */
  readonly output: bigint
  readonly reasoning: bigint
}

/** What a source says, with its own meaning of each number; what it leaves out is 0. */
export interface ReportedUsage {
  readonly input?: bigint
  readonly cachedRead?: bigint
  readonly cacheWrite?: bigint
  readonly output?: bigint
  readonly reasoning?: bigint
}

/**
 * Sources whose input includes what came from a cache and what went into one, and whose output includes the reasoning: OpenAI's API, the
 * attributes `gen_ai.usage.*` of OpenTelemetry, `llm.token_count.*` of OpenInference. A part that is larger than its whole leaves
 * nothing of the whole.
 */
export function fromOpenAi(reported: ReportedUsage): TokenClasses {
  const { input = 0n, cachedRead = 0n, cacheWrite = 0n, output = 0n, reasoning = 0n } = reported
  return {
    input: rest(input, cachedRead + cacheWrite),
    cachedRead,
    cacheWrite,
    output: rest(output, reasoning),
    reasoning,
  }
}

/** Anthropic's own API: input excludes both kinds of cached tokens. Its output includes the thinking, of which it tells no count, or one apart. */
export function fromAnthropic(reported: ReportedUsage): TokenClasses {
  const { input = 0n, cachedRead = 0n, cacheWrite = 0n, output = 0n, reasoning = 0n } = reported
  return { input, cachedRead, cacheWrite, output: rest(output, reasoning), reasoning }
}

/** Whether a source counts as Anthropic's own API does, by the name of the provider as the source gives it. */
export function excludesCached(provider: string): boolean {
  return provider.toLowerCase().includes('anthropic')
}

function rest(whole: bigint, part: bigint): bigint {
  return whole > part ? whole - part : 0n
}
