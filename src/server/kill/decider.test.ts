import { describe, expect, it } from 'vitest'
import { refuse, type Caller } from '#core'
import { denyAll, noPrices } from '#hub'
import { withKills } from './decider.ts'

const caller: Caller = {
  kind: 'agent',
  id: 'agt_0199c0de-0000-7000-8000-000000000001',
  tenant: { id: 'ten_0199c0de-0000-7000-8000-000000000002', name: 'main' },
  scopes: new Set(),
  credential: { kind: 'api_key', id: 'key_0199c0de-0000-7000-8000-000000000003' },
}

describe('the decider under kill switches', () => {
  const prices = { ...noPrices, skuOf: () => 'openai/gpt-4o' }
  const decider = withKills(
    denyAll,
    {
      cache: { epoch: () => '1' },
      refusalForCaller: () => undefined,
      refusalOf: ({ models, tool }) =>
        models?.includes('gpt-4o') === true || tool === 'shell' ? refuse('kill.engaged', 'a test') : undefined,
    },
    prices,
  )
  const asked = (resource: string, context: Readonly<Record<string, string>> = {}): string | undefined =>
    decider.fine?.({ caller, action: 'use', resource, context })?.code

  it('K2: a question is stopped by the model under any of its names, in the resource and in the context', () => {
    expect(asked('model:GPT-4o-2024-08-06')).toBe('kill.engaged')
    expect(asked('file:x', { model: 'GPT-4o-2024-08-06', provider: 'openai' })).toBe('kill.engaged')
    expect(asked('file:x', { tool: 'shell' })).toBe('kill.engaged')
    expect([asked('file:x'), asked('tool:other')]).toEqual([undefined, undefined])
  })
})
