import { afterEach, describe, expect, it } from 'vitest'
import { refuse } from '#core'
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
  const floods = new Floods(writer, { now: () => clock.ms, monotonic: () => clock.ms }, ({ count }, why) =>
    lost.push([count, why]),
  )
  opened.push(floods)
  return { floods, lost, bodies: () => records.map(({ body }) => JSON.parse(body)), records }
}

const unknown = refuse('method.unknown', 'method not in the contract')

describe('refusals of nobody', () => {
  it('L14: a few get entries of their own, the rest is counted and written at the end', async () => {
    const { floods, bodies } = floodsAt({ ms: 1_800_000_000_000 })
    for (let call = 0; call < 1000; call += 1) await floods.unknownMethod('192.0.2.1', '/nobody.Knows/This', unknown)
    expect(bodies()).toHaveLength(5)
    await floods.close()
    expect(bodies()).toHaveLength(6)
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
      ['192.0.2.1', 'method.unknown', 2],
      ['192.0.2.2', 'method.unknown', 2],
      ['192.0.2.1', 'rate.limited', 2],
    ])
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
      expect(lost).toEqual([[3, why]])
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
