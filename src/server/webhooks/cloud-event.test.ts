import { describe, expect, it } from 'vitest'
import { webhookEvents } from '#config'
import { formatEntry, genesisPrev } from '#ledger'
import { cloudEvent } from './cloud-event.ts'
import { eventOf, eventsMeant, sourcesOf, strangePaths } from './events.ts'

const entry = (body: object): Uint8Array =>
  Buffer.from(
    formatEntry({
      bodyJson: JSON.stringify(body),
      log: 'acme',
      prev: genesisPrev,
      seq: 7,
      ts: '2026-11-21T18:45:29.123456Z',
    }),
  )
const body = {
  access: 'system',
  args: { budgetId: 'bud_1', threshold: 80 },
  id: 'ent_1',
  kind: 'budget.threshold',
  method: '(budgets)',
  outcome: 'allow',
  reason: 'private',
  remote: '192.0.2.1',
  tenant: 'ten_1',
}
const all = (action: string, outcome: string, args = {}) => eventOf(action, outcome, args, webhookEvents)

describe('events of webhooks', () => {
  it('O11: name what they mean, one by one, by kind or all', () => {
    expect(eventsMeant(['kill.*', 'cost.drift'])).toEqual([
      'kill.engaged',
      'kill.released',
      'kill.auto',
      'kill.alert',
      'cost.drift',
    ])
    expect(eventsMeant(['*'])).toEqual(webhookEvents)
    expect(eventsMeant(['kill'])).toEqual([])
  })

  it('O11: are made of entries that there are', () => {
    expect(strangePaths()).toEqual([])
    const { actions, outcomes } = sourcesOf(webhookEvents)
    expect(actions.length).toBe(outcomes.length)
    expect(new Set(webhookEvents)).toEqual(
      new Set(['job.ended', ...actions.flatMap((action, at) => all(action, outcomes[at] ?? '') ?? [])]),
    )
  })

  it('O11: a job that failed is told as that, where somebody wants to know', () => {
    expect(all('job.ended', 'error')).toBe('job.failed')
    expect(all('job.ended', 'allow')).toBe('job.ended')
    expect(eventOf('job.ended', 'error', {}, ['job.ended'])).toBe('job.ended')
    expect(all('/portcullis.v1.KillService/Engage', 'deny')).toBeUndefined()
  })
})

describe('the kill switch of a policy', () => {
  it('O11, B1: is engaged and released as others are, and a policy without it is no event', () => {
    const path = '/portcullis.v1.PolicyService/SetPolicy'
    const told = [true, false].map((killSwitch) => all(path, 'allow', { killSwitch, killId: 'kil_1' }))
    expect(told).toEqual(['kill.engaged', 'kill.released'])
    // It was off before, too.
    expect([all(path, 'allow', { killSwitch: false }), all(path, 'allow')]).toEqual([undefined, undefined])
    expect(eventOf(path, 'allow', { killSwitch: true, killId: 'kil_1' }, ['kill.released'])).toBeUndefined()
    const set = { ...body, kind: 'decision', method: path, args: { killId: 'kil_1', killSwitch: false } }
    expect(cloudEvent(entry(set), all, 'x')?.type).toBe('portcullis.kill.released')
  })
})

describe('an entry as an event', () => {
  it('O11: is a CloudEvent without what is private', () => {
    const event = cloudEvent(entry(body), all, 'ledger.example')
    expect(JSON.parse(event?.json ?? '')).toEqual({
      specversion: '1.0',
      id: 'ent_1',
      source: 'urn:portcullis:ledger.example:acme',
      type: 'portcullis.budget.threshold',
      time: '2026-11-21T18:45:29.123456Z',
      subject: 'acme',
      sequence: '7',
      datacontenttype: 'application/json',
      data: {
        access: 'system',
        args: { budgetId: 'bud_1', threshold: 80 },
        kind: 'budget.threshold',
        method: '(budgets)',
        outcome: 'allow',
        tenant: 'ten_1',
      },
    })
  })

  it('O11: is none where a call was only repeated, nobody wants it, or it is no entry', () => {
    const engaged = { ...body, kind: 'decision', method: '/portcullis.v1.KillService/Engage' }
    expect(cloudEvent(entry(engaged), all, 'x')?.type).toBe('portcullis.kill.engaged')
    expect(cloudEvent(entry({ ...engaged, args: { replayed: true } }), all, 'x')).toBeUndefined()
    expect(cloudEvent(entry({ ...body, kind: 'token.issued' }), all, 'x')).toBeUndefined()
    expect(cloudEvent(Buffer.from('{}'), all, 'x')).toBeUndefined()
  })
})
