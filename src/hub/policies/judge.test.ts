import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decidingCap, judgeAttempt, type JudgedAttempt, type RunTotals } from './judge.ts'
import type { CapLimits, PolicyLimits } from './ports.ts'

const noLimits: PolicyLimits = {
  maxCostPerRunNanoUsd: 0n,
  maxAttemptsPerRun: 0n,
  maxTokensPerRun: 0n,
  maxLatencyPerAttemptMs: 0n,
}
const attempt: JudgedAttempt = {
  providerType: 'cloud',
  provider: 'openai',
  models: ['gpt-5', 'openai/gpt-5', 'gpt-5-2025-08-07'],
  costNanoUsd: 100n,
  tokens: 10n,
  latencyMs: 1000n,
}
const run: RunTotals = { costNanoUsd: 900n, attempts: 9n, tokens: 90n }

function cap(id: string, more: Partial<CapLimits> = {}): CapLimits {
  return {
    ...noLimits,
    id,
    name: id,
    providerType: '',
    provider: '',
    model: '',
    maxCostPerAttemptNanoUsd: 0n,
    maxTokensPerAttempt: 0n,
    priority: 0,
    dryRun: false,
    ...more,
  }
}

describe('judgeAttempt', () => {
  const limits = [
    ['maxCostPerRunNanoUsd', 1000n],
    ['maxAttemptsPerRun', 10n],
    ['maxTokensPerRun', 100n],
    ['maxCostPerAttemptNanoUsd', 100n],
    ['maxTokensPerAttempt', 10n],
    ['maxLatencyPerAttemptMs', 1000n],
  ] as const

  it.each(limits)('B2: %s holds what it allows, and is broken by one more', (limitName, limit) => {
    const rules = (value: bigint) => ({ policy: undefined, caps: [cap('a', { [limitName]: value })] })
    expect(judgeAttempt(rules(limit), run, attempt)).toEqual([])
    const broken = { capId: 'a', name: 'a', limitName, limit: limit - 1n, value: limit, dryRun: false }
    expect(judgeAttempt(rules(limit - 1n), run, attempt)).toEqual([broken])
  })

  it('B1: the policy of the tenant holds beside any cap, and is never a trial', () => {
    const policy = { ...noLimits, maxAttemptsPerRun: 9n }
    const caps = [cap('a', { maxAttemptsPerRun: 5n, dryRun: true, model: 'gpt-5' })]
    expect(judgeAttempt({ policy, caps }, run, attempt)).toEqual([
      { capId: undefined, name: 'policy', limitName: 'maxAttemptsPerRun', limit: 9n, value: 10n, dryRun: false },
      { capId: 'a', name: 'a', limitName: 'maxAttemptsPerRun', limit: 5n, value: 10n, dryRun: true },
    ])
  })

  it('B2: what is not known before a call breaks nothing', () => {
    const before = { ...attempt, costNanoUsd: undefined, tokens: undefined, latencyMs: undefined }
    const caps = [cap('a', { maxCostPerAttemptNanoUsd: 1n, maxTokensPerAttempt: 1n, maxLatencyPerAttemptMs: 1n })]
    expect(judgeAttempt({ policy: undefined, caps }, run, before)).toEqual([])
  })

  it('B2: a run that is over its limit already stays refused, whatever the attempt costs', () => {
    const caps = [cap('a', { maxCostPerRunNanoUsd: 800n })]
    for (const costNanoUsd of [undefined, 0n])
      expect(judgeAttempt({ policy: undefined, caps }, run, { ...attempt, costNanoUsd })).toHaveLength(1)
  })

  it('T2: a limit is named exactly where the totals with the attempt exceed it', () => {
    const amount = fc.bigInt({ min: 0n, max: 50n })
    fc.assert(
      fc.property(amount, amount, amount, amount, (limit, sofar, costNanoUsd, tokens) => {
        const totals = { costNanoUsd: sofar, attempts: sofar, tokens: sofar }
        const found = judgeAttempt(
          {
            policy: { ...noLimits, maxCostPerRunNanoUsd: limit, maxAttemptsPerRun: limit, maxTokensPerRun: limit },
            caps: [],
          },
          totals,
          { ...attempt, costNanoUsd, tokens },
        )
        const over = (value: bigint): boolean => limit > 0n && value > limit
        expect(found.map(({ limitName }) => limitName)).toEqual([
          ...(over(sofar + costNanoUsd) ? ['maxCostPerRunNanoUsd'] : []),
          ...(over(sofar + 1n) ? ['maxAttemptsPerRun'] : []),
          ...(over(sofar + tokens) ? ['maxTokensPerRun'] : []),
        ])
        for (const { value } of found) expect(value > limit).toBe(true)
      }),
    )
  })
})

describe('decidingCap', () => {
  it('B2: a model goes before a provider, a provider before its type, its type before every one', () => {
    const caps = [
      cap('any', { priority: 9 }),
      cap('type', { providerType: 'cloud', priority: 8 }),
      cap('provider', { provider: 'openai', providerType: 'cloud' }),
      cap('model', { model: 'gpt-5' }),
    ]
    for (let left = caps.length; left > 0; left -= 1)
      expect(decidingCap(caps.slice(0, left), attempt)).toBe(caps[left - 1])
  })

  it('B2: among caps as specific the priority decides, then the newest', () => {
    expect(decidingCap([cap('1', { priority: 2 }), cap('2', { priority: 1 })], attempt)?.id).toBe('1')
    expect(decidingCap([cap('2'), cap('1')], attempt)?.id).toBe('2')
  })

  it('B2: another spelling of a model is no way around its cap', () => {
    expect(decidingCap([cap('1', { model: 'GPT-5' })], attempt)?.id).toBe('1')
    expect(decidingCap([cap('1', { model: 'gpt-5-2025-08-07' })], attempt)?.id).toBe('1')
    expect(decidingCap([cap('1', { model: 'gpt-5', provider: 'azure' })], attempt)).toBeUndefined()
    expect(decidingCap([cap('1', { model: 'gpt-5-mini' })], attempt)).toBeUndefined()
  })

  it('T2: the order of the caps decides nothing, and the one that decides matches', () => {
    const name = fc.constantFrom('', 'cloud', 'openai', 'gpt-5', 'other')
    const one = fc.record({
      id: fc.uuid(),
      providerType: name,
      provider: name,
      model: name,
      priority: fc.integer({ min: 0, max: 2 }),
    })
    const many = fc.uniqueArray(one, { selector: ({ id }) => id, maxLength: 12 })
    fc.assert(
      fc.property(many, fc.infiniteStream(fc.nat()), (made, order) => {
        const caps = made.map((each) => cap(each.id, each))
        const shuffled = caps
          .map((each) => [order.next().value, each] as const)
          .toSorted(([a], [b]) => a - b)
          .map(([, each]) => each)
        const found = decidingCap(caps, attempt)
        expect(decidingCap(shuffled, attempt)?.id).toBe(found?.id)
        const holds = ({ model, provider, providerType }: CapLimits): boolean =>
          ['', 'gpt-5'].includes(model) && ['', 'openai'].includes(provider) && ['', 'cloud'].includes(providerType)
        expect(found === undefined).toBe(!caps.some(holds))
        if (found !== undefined) expect(holds(found)).toBe(true)
      }),
    )
  })
})
