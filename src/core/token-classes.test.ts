import { describe, expect, it } from 'vitest'
import { excludesCached, fromAnthropic, fromOpenAi } from './token-classes.ts'

describe('classes of tokens', () => {
  it('H11: input of OpenAI and OpenTelemetry includes cached tokens, output includes reasoning: each is counted once', () => {
    expect(fromOpenAi({ input: 1000n, cachedRead: 600n, cacheWrite: 100n, output: 500n, reasoning: 300n })).toEqual({
      input: 300n,
      cachedRead: 600n,
      cacheWrite: 100n,
      output: 200n,
      reasoning: 300n,
    })
  })

  it('H11: input of Anthropic excludes cached tokens and stays as it is', () => {
    expect(fromAnthropic({ input: 1000n, cachedRead: 6000n, cacheWrite: 100n, output: 500n })).toEqual({
      input: 1000n,
      cachedRead: 6000n,
      cacheWrite: 100n,
      output: 500n,
      reasoning: 0n,
    })
  })

  it('H11: a part that is larger than its whole leaves nothing of it, and never less', () => {
    expect(fromOpenAi({ input: 10n, cachedRead: 60n, output: 5n, reasoning: 30n })).toMatchObject({
      input: 0n,
      output: 0n,
    })
    expect(fromOpenAi({})).toEqual({ input: 0n, cachedRead: 0n, cacheWrite: 0n, output: 0n, reasoning: 0n })
  })

  it('H11: only names of Anthropic count as Anthropic does', () => {
    expect(excludesCached('Anthropic')).toBe(true)
    expect(excludesCached('aws.bedrock')).toBe(false)
  })
})
