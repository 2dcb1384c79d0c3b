import { afterEach, describe, expect, it } from 'vitest'
import { refuse, type Caller } from '#core'
import type { WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import { Floods } from './floods.ts'

const opened: Floods[] = []
afterEach(() => Promise.all(opened.splice(0).map((floods) => floods.close())))

function floodsAt(clock: { ms: number }, submit?: WriterPort['submit']) {
  const records: LedgerRecord[] = []
  const writer: WriterPort = {
    submit:
      submit ??
      ((member) => {
        records.push(member.record({ outcome: 'deny', code: 'x', reason: 'x' }))
        return Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false })
      }),
  }
  const lost: unknown[] = []
  const floods = new Floods(
    writer,
    { now: () => clock.ms, monotonic: () => clock.ms },
    ({ count }, why) => lost.push([count, why]),
    (remote) => remote.startsWith('10.'),
  )
  opened.push(floods)
  return { floods, lost, bodies: () => records.map(({ body }) => JSON.parse(body)), records }
}

const unknown = refuse('method.unknown', 'method not in the contract')

describe('refusals of nobody', () => {
  it('L14: a few get entries of their own, the rest is counted and written at the end', async () => {
    const { floods, bodies } = floodsAt({ ms: 1_800_000_000_000 })
    for (let call = 0; call < 1000; call += 1) await floods.unknownMethod('192.0.2.1', '/nobody.Knows/This', unknown)
    expect(bodies()).toHaveLength(2)
    await floods.close()
    expect(bodies()).toHaveLength(3)
    expect(bodies().reduce((sum, { args }) => sum + args.count, 0)).toBe(1000)
    expect(floods.unknownMethods).toBe(1000)
  })

  it('L14: addresses and codes are counted apart', async () => {
    const { floods, bodies } = floodsAt({ ms: 1_800_000_000_000 })
    for (const remote of ['192.0.2.1', '192.0.2.2'])
      for (let call = 0; call < 7; call += 1) await floods.unknownMethod(remote, '/a', unknown)
    for (let call = 0; call < 7; call += 1) await floods.unknownMethod('192.0.2.1', '/a', refuse('rate.limited', 'x'))
    await floods.close()
    const counted = bodies().filter(({ args }) => args.count > 1)
    expect(counted.map(({ remote, code, args }) => [remote, code, args.count])).toEqual([
      ['192.0.2.1', 'method.unknown', 5],
      ['192.0.2.2', 'method.unknown', 5],
      ['192.0.2.1', 'rate.limited', 5],
    ])
  })

  it('G12, L14: what is counted says where it came from, as what is told one by one', async () => {
    const { floods, bodies } = floodsAt({ ms: 1_800_000_000_000 })
    for (const remote of ['10.0.0.1', '192.0.2.1'])
      for (let call = 0; call < 7; call += 1) await floods.unknownMethod(remote, '/a', unknown)
    for (let call = 0; call < 7; call += 1) floods.ownRead('10.0.0.1', '/b')
    await floods.close()
    expect(bodies().map(({ remote, bypass }) => bypass === (remote === '10.0.0.1'))).toEqual(bodies().map(() => true))
    expect(bodies().filter(({ bypass }) => bypass).length).toBeGreaterThan(3)
  })

  it('L14: counts that cannot be written are told of, and nothing is thrown', async () => {
    const away = refuse('store.unavailable', 'away')
    const boom = new Error('boom')
    for (const [submit, why] of [
      [() => Promise.resolve(away), 'away'],
      [() => Promise.reject(boom), boom],
    ] as const) {
      const { floods, lost } = floodsAt({ ms: 1_800_000_000_000 }, submit)
      for (let call = 0; call < 8; call += 1)
        await floods.unknownMethod('192.0.2.1', '/a', unknown).catch(() => undefined)
      await floods.close()
      expect(lost).toEqual([[6, why]])
    }
  })

  it('G2: the path of an unknown method is kept, cut and clean', async () => {
    const { floods, bodies, records } = floodsAt({ ms: 1_800_000_000_000 })
    await floods.unknownMethod('192.0.2.1', `/${'x'.repeat(1000)}`, unknown)
    await floods.unknownMethod('192.0.2.1', '/a\0b\ud800', unknown)
    expect(bodies().map(({ args }) => args.path.length)).toEqual([200, 4])
    expect(bodies()[1].args.path).toBe('/ab\ufffd')
    expect(records[0]).toMatchObject({
      log: 'system',
      tenantId: undefined,
      action: 'denials.counted',
      outcome: 'deny',
      code: 'method.unknown',
    })
  })
})

const caller: Caller = {
  kind: 'agent',
  id: 'agt_1',
  tenant: { id: 'ten_0199d2f0-0000-7000-8000-000000000001', name: 'acme' },
  scopes: new Set(),
  credential: { kind: 'api_key', id: 'key_1' },
}

describe('refusals of a known caller', () => {
  it('L14: fifty get entries of their own, then they are counted in the log of the tenant, with a sample', async () => {
    const { floods, bodies, records } = floodsAt({ ms: 1_800_000_000_000 })
    const own = Array.from({ length: 1000 }, () => floods.ownDenial(caller, 'auth.scope_missing', '/a', '192.0.2.1'))
    expect(own.filter(Boolean)).toHaveLength(50)
    expect(floods.ownDenial(caller, 'input.invalid', '/a', '192.0.2.1')).toBe(true)
    expect(floods.ownDenial(caller, 'auth.scope_missing', '/b', '192.0.2.1')).toBe(true)
    expect(floods.ownDenial({ ...caller, id: 'agt_2' }, 'auth.scope_missing', '/a', '192.0.2.1')).toBe(true)
    await floods.close()
    expect(bodies()).toEqual([
      expect.objectContaining({
        args: { count: 950, first: '2027-01-15T08:00:00.000Z', last: '2027-01-15T08:00:00.000Z' },
        caller: { id: 'agt_1', kind: 'agent' },
        code: 'auth.scope_missing',
        kind: 'denials.counted',
        method: '/a',
        remote: '192.0.2.1',
        tenant: caller.tenant.id,
      }),
    ])
    expect(records[0]).toMatchObject({ log: 'acme', tenantId: '0199d2f0-0000-7000-8000-000000000001', caller: 'agt_1' })
  })

  it('L14: a flood that ends ends its count', async () => {
    const at = { ms: 1_800_000_000_000 }
    const { floods, bodies } = floodsAt(at)
    for (let call = 0; call < 60; call += 1) floods.ownDenial(caller, 'x', '/a', '192.0.2.1')
    at.ms += 20_000
    await floods.flush()
    expect(bodies().map(({ args }) => args.count)).toEqual([10])
    at.ms += 60_000
    await floods.flush()
    expect(floods.ownDenial(caller, 'x', '/a', '192.0.2.1')).toBe(true)
    expect(bodies()).toHaveLength(1)
  })
})

describe('addresses and public reads', () => {
  it('L14: addresses of one IPv6 network of 64 bits share their entries and their count', async () => {
    const { floods, bodies } = floodsAt({ ms: 1_800_000_000_000 })
    for (let host = 1; host <= 100; host += 1) await floods.unknownMethod(`2001:db8:0:1::${host}`, '/a', unknown)
    await floods.unknownMethod('2001:db8:0:2::1', '/a', unknown)
    await floods.close()
    expect(bodies()).toHaveLength(4)
    expect(bodies().at(-1)).toMatchObject({ remote: '2001:db8:0:1::/64', args: { count: 98 } })
  })

  it('L7: public reads of an address are a few entries and then counts, as allowed reads', async () => {
    const { floods, bodies } = floodsAt({ ms: 1_800_000_000_000 })
    const own = Array.from({ length: 100 }, () => floods.ownRead('192.0.2.1', '/summary'))
    expect(own.filter(Boolean)).toHaveLength(2)
    await floods.close()
    expect(bodies()).toEqual([
      expect.objectContaining({ kind: 'reads.counted', outcome: 'allow', method: '/summary', remote: '192.0.2.1' }),
    ])
    expect(bodies()[0].args.count).toBe(98)
  })

  it('L7, L14: public reads of more addresses than are told apart are told as reads, and not as denials', async () => {
    const { floods, bodies } = floodsAt({ ms: 1_800_000_000_000 })
    for (let at = 0; at < 1024; at += 1) floods.ownRead(`10.0.${at >> 8}.${at & 255}`, '/summary')
    for (let at = 0; at < 7; at += 1) floods.ownRead(`192.0.2.${at}`, '/summary')
    await floods.close()
    expect(bodies()).toEqual([
      expect.objectContaining({ kind: 'reads.counted', outcome: 'allow', args: expect.objectContaining({ count: 7 }) }),
    ])
  })
})
