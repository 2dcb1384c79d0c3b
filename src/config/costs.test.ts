import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const agent = 'agt_0199c0de-0000-7000-8000-000000000001'
const priced = { provider: 'acme', model: 'own', inputPerMillionUsd: '2.50' }

function problemsOf(costs: object): readonly string[] {
  const loaded = loadConfig({ text: JSON.stringify({ costs }), env: {}, mode: 'up' })
  return loaded.ok ? [] : loaded.problems.map(({ path }) => path)
}

describe('costs', () => {
  it('H11: prices are text, to the last digit', () => {
    const prices = [
      priced,
      { ...priced, model: 'fine', outputPerMillionUsd: '0.000000000000000001', maxOutputTokens: 1 },
    ]
    expect(problemsOf({ prices, driftAlertMinUsd: '0', driftAlertMilli: 0 })).toEqual([])
  })

  it.each([
    ['a float', { prices: [{ ...priced, inputPerMillionUsd: 2.5 }] }, 'costs.prices.0.inputPerMillionUsd'],
    ['a negative price', { prices: [{ ...priced, inputPerMillionUsd: '-1' }] }, 'costs.prices.0.inputPerMillionUsd'],
    ['too many digits', { prices: [{ ...priced, requestUsd: `0.${'1'.repeat(19)}` }] }, 'costs.prices.0.requestUsd'],
    ['no price at all', { prices: [{ provider: 'acme', model: 'own' }] }, 'costs.prices.0'],
    ['a second price', { prices: [priced, { ...priced, provider: 'ACME' }] }, 'costs.prices.1'],
    ['no model', { prices: [{ ...priced, model: ' ' }] }, 'costs.prices.0.model'],
    ['a key without agents', { providerKeys: [{ provider: 'p', id: 'k', agents: [] }] }, 'costs.providerKeys.0.agents'],
    [
      'a name for an id',
      { providerKeys: [{ provider: 'p', id: 'k', agents: ['worker'] }] },
      'costs.providerKeys.0.agents.0',
    ],
    ['an amount with a sign', { driftAlertMinUsd: '+1' }, 'costs.driftAlertMinUsd'],
    ['less than nothing', { driftAlertMilli: -1 }, 'costs.driftAlertMilli'],
  ])('H11: %s is refused at its path', (_, costs, path) => {
    expect(problemsOf(costs)).toEqual([path])
  })

  it('H12: a key has its agents once, and no agent is behind two keys of one provider', () => {
    const key = { provider: 'openai', id: 'k', agents: [agent] }
    expect(problemsOf({ providerKeys: [key, { ...key, provider: 'anthropic' }] })).toEqual([])
    expect(problemsOf({ providerKeys: [key, { ...key, id: 'other' }] })).toEqual(['costs.providerKeys'])
    expect(problemsOf({ providerKeys: [key, { ...key, provider: 'OpenAI' }] })).toEqual([
      'costs.providerKeys.1',
      'costs.providerKeys',
    ])
  })
})
