import pino from 'pino'
import { describe, expect, it, vi } from 'vitest'
import { create } from '@bufbuild/protobuf'
import { RecordBatchResponseSchema } from '@portcullis/contract'
import type { Caller } from '#core'
import { noKills, type Effect, type WriterMember } from '#hub'
import { AutoKill, type AutoRule } from './auto-kill.ts'

const uuid = (n: number): string => `0199a3c2-7b1e-7d42-9c55-${String(n).padStart(12, '0')}`
const agent: Caller = {
  kind: 'agent',
  id: `agt_${uuid(1)}`,
  tenant: { id: `ten_${uuid(2)}`, name: 'main' },
  scopes: new Set(),
  credential: { kind: 'api_key', id: `key_${uuid(3)}` },
}
const base: AutoRule = {
  name: 'denials',
  on: 'denial_rate',
  scope: 'agent',
  share: 0.5,
  nanoUsd: 0n,
  minSamples: 4,
  windowMs: 60_000,
  mode: 'enforce',
  expiresAfterMs: undefined,
}

function setUp(rule: Partial<AutoRule> = {}) {
  const submitted: WriterMember[] = []
  const state = { nowMs: 1_800_000_000_000, refreshed: 0, failing: false }
  const auto = new AutoKill({
    rules: [{ ...base, ...rule }],
    clock: { now: () => state.nowMs, monotonic: () => state.nowMs },
    log: pino({ level: 'silent' }),
    kill: noKills,
    refresh: () => Promise.resolve(void (state.refreshed += 1)),
    writer: {
      submit: (member) => {
        submitted.push(member)
        if (state.failing) return Promise.reject(new Error('away'))
        return Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false })
      },
    },
  })
  const kinds = (): readonly unknown[] =>
    submitted.map(({ record }) => JSON.parse(record({ outcome: 'allow' }).body).kind)
  const deny = (times: number, caller = agent, code: 'auth.scope_missing' | 'kill.engaged' = 'auth.scope_missing') => {
    for (let at = 0; at < times; at += 1) auto.told({ caller, outcome: 'deny', code })
  }
  return { auto, submitted, state, kinds, deny }
}

describe('rules that engage the kill switch', () => {
  it('K6: enforce engages for the agent, as the rule, and again once that is over', async () => {
    const { submitted, deny, kinds, state } = setUp({ expiresAfterMs: 5000 })
    deny(3)
    expect(submitted).toEqual([])
    deny(10)
    expect(kinds()).toEqual(['kill.auto_engaged'])
    expect(submitted[0]?.effect).toMatchObject({
      operation: 'kill.engage',
      args: {
        subject: uuid(1),
        scope: 3,
        actor: 'auto:denials',
        platform: false,
        once: true,
        expiresAtMs: state.nowMs + 5000,
      },
    })
    await vi.waitFor(() => expect(state.refreshed).toBe(1))
    state.nowMs += 4999
    deny(1)
    expect(submitted).toHaveLength(1)
    // What it stops is over before its window is.
    state.nowMs += 1
    deny(1)
    expect(submitted).toHaveLength(2)
    state.nowMs += base.windowMs
    deny(4)
    expect(submitted).toHaveLength(3)
  })

  it('K6: without an expiry it engages once in a window, and the entry names the kill', () => {
    const { submitted, deny, state } = setUp()
    deny(10)
    state.nowMs += base.windowMs - 1
    deny(10)
    expect(submitted).toHaveLength(1)
    const [one] = submitted
    ;(one?.effect as Effect | undefined)?.answer({ id: uuid(9), verdict: 'done' })
    expect(JSON.parse(one?.record({ outcome: 'allow' }).body ?? '').args).toMatchObject({ killId: `kil_${uuid(9)}` })
  })

  it.each([
    ['shadow', 'kill.auto_shadow'],
    ['warn', 'kill.auto_alert'],
  ] as const)('K6: %s stops nobody and leaves an entry', (mode, kind) => {
    const { submitted, deny, kinds } = setUp({ mode })
    deny(5)
    expect([kinds(), submitted[0]?.effect]).toEqual([[kind], undefined])
    expect(JSON.parse(submitted[0]?.record({ outcome: 'allow' }).body ?? '').args).toEqual({
      hits: 4,
      mode,
      on: 'denial_rate',
      rule: 'denials',
      samples: 4,
      scope: 'agent',
      subject: agent.id,
    })
  })

  it('K6: what a kill switch refuses does not count, nor do operators and those who are nobody', () => {
    const { auto, submitted, deny } = setUp()
    deny(20, agent, 'kill.engaged')
    deny(20, { ...agent, kind: 'operator', id: `opr_${uuid(4)}` })
    auto.told({ caller: undefined, outcome: 'deny', code: 'auth.credential_invalid' })
    expect(submitted).toEqual([])
  })

  it('K6: errors and spending have thresholds of their own; keys and tenants are subjects, too', () => {
    const errors = setUp({ on: 'error_rate', scope: 'key' })
    for (let at = 0; at < 4; at += 1)
      errors.auto.told({ caller: agent, outcome: at < 2 ? 'allow' : 'error', code: undefined })
    expect(errors.submitted[0]?.effect).toMatchObject({ args: { scope: 4, subject: uuid(3) } })
    const spend = setUp({ on: 'spend_rate', scope: 'tenant', nanoUsd: 10n, minSamples: 1 })
    spend.auto.spent(agent, 9n)
    expect(spend.submitted).toEqual([])
    spend.auto.spent(agent, 1n)
    expect(spend.submitted[0]?.effect).toMatchObject({ args: { scope: 2, subject: uuid(2) } })
    const items = setUp({ on: 'spend_rate', nanoUsd: 10n, minSamples: 3 })
    items.auto.replied('/portcullis.v1.HubService/RecordBatch', agent, create(RecordBatchResponseSchema), [5n, 0n, 5n])
    expect(items.submitted).toHaveLength(1)
  })

  it('K6: a rule that could not act tries again with the next sample', async () => {
    const { state, submitted, deny } = setUp()
    state.failing = true
    deny(4)
    expect(submitted).toHaveLength(1)
    await vi.waitFor(() => {
      deny(1)
      expect(submitted.length).toBeGreaterThan(1)
    })
  })
})
