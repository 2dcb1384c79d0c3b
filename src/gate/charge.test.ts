import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { methods, type Method } from '@portcullis/contract'
import { keyPartOf, makeKey, Secret, sha256, uuidv7, type Clock, type Rate } from '#core'
import type { Call, Decision } from './call.ts'
import { decide } from './chain.ts'
import { chargeHere, furtherCharge, settle, shareOf } from './charge.ts'
import { Gcra } from './gcra.ts'
import type { GatePorts, KeyRecord } from './ports.ts'

function keyOf(scopes: readonly string[], rate: Rate | undefined): { record: KeyRecord; text: string; part: string } {
  const uuid = uuidv7()
  const { text, secret } = makeKey(uuid)
  const record: KeyRecord = {
    id: `key_${uuid}`,
    digest: sha256(secret),
    owner: { kind: 'operator', id: 'opr_1' },
    tenant: { id: 'ten_1', name: 'main' },
    scopes: new Set(scopes),
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    ownerDisabled: false,
    tenantDisabled: false,
    allowedCidrs: [],
    rate,
  }
  return { record, text: text.reveal(), part: keyPartOf(uuid) }
}

interface Made {
  readonly ports: GatePorts
  readonly advance: (ms: number) => void
}

function portsOf(keys: readonly ReturnType<typeof keyOf>[], rate: Rate, more: Partial<GatePorts> = {}): Made {
  let nowMs = 0
  const clock: Clock = { now: () => 1_800_000_000_000, monotonic: () => nowMs }
  const known = new Map(keys.map(({ part, record }) => [part, record]))
  const port = { find: (part: string) => known.get(part), fresh: () => true, used: () => undefined }
  const [failures, addresses, calls] = [new Gcra(rate), new Gcra(rate), new Gcra(rate)]
  const advance = (ms: number): void => {
    nowMs += ms
  }
  return { ports: { clock, keys: port, failures, addresses, calls, ...more }, advance }
}

function callOf(method: Method, text: string | undefined, remote = '192.0.2.1'): Call {
  const credentials = text === undefined ? [] : [{ kind: 'api_key' as const, text: new Secret(text) }]
  return { method, credentials, remote, requestId: 'req_1', tenantId: undefined }
}

function named(name: string): Method {
  const method = methods.get(`/portcullis.v1.HubService/${name}`)
  if (method === undefined) throw new Error(`no method ${name}`)
  return method
}

/** As the pipeline does it where the buckets are shared. */
function decideShared(call: Call, ports: GatePorts): Decision {
  const decision = decide(call, ports)
  const { charges } = decision
  return charges === undefined ? decision : settle(decision, charges, chargeHere(charges, ports))
}

describe('shared buckets', () => {
  const good = keyOf(['telemetry:write', 'telemetry:read'], undefined)
  const own = keyOf(['telemetry:write'], { perSecond: 2, burst: 3 })
  const bare = keyOf([], undefined)
  const calls = fc.array(
    fc.record({
      method: fc.constantFrom(named('GetTelemetrySummary'), named('ListRuns'), named('StartRun'), named('RecordBatch')),
      text: fc.constantFrom(good.text, own.text, bare.text, 'nonsense', undefined),
      remote: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2'),
      afterMs: fc.integer({ min: 0, max: 400 }),
    }),
    { maxLength: 80 },
  )

  it('G7: decide the same as those of one process, call by call: code, caller, what is left and when to come back', () => {
    const rate = { perSecond: 3, burst: 6 }
    fc.assert(
      fc.property(calls, (list) => {
        const memory = portsOf([good, own, bare], rate)
        const shared = portsOf([good, own, bare], rate, { shared: true })
        for (const { method, text, remote, afterMs } of list) {
          memory.advance(afterMs)
          shared.advance(afterMs)
          const [here, there] = [
            decide(callOf(method, text, remote), memory.ports),
            decideShared(callOf(method, text, remote), shared.ports),
          ]
          expect(plain(there)).toEqual(plain(here))
        }
      }),
      { numRuns: 300 },
    )
  })

  function plain(decision: Decision): object {
    return decision.refused
      ? { refusal: decision.refusal, caller: decision.caller }
      : { caller: decision.caller, ownOnly: decision.ownOnly, limit: decision.limit }
  }

  it('G7: take nothing while deciding, and never let a caller in by themselves', () => {
    const { ports } = portsOf([good], { perSecond: 1, burst: 1 }, { shared: true })
    for (let turn = 0; turn < 5; turn += 1) {
      const decision = decide(callOf(named('StartRun'), good.text), ports)
      expect(decision.charges).toMatchObject([
        { bucket: 'failures', subject: '192.0.2.1', take: false },
        { bucket: 'calls', subject: good.record.id, cost: 1, take: true },
      ])
    }
    expect(ports.calls.left(good.record.id, 0)).toBe(1)
  })

  it('G7: who is over the rate of the address is not told whose key it was', () => {
    const { ports } = portsOf([bare], { perSecond: 1, burst: 1 }, { shared: true })
    decideShared(callOf(named('StartRun'), 'nonsense'), ports)
    const decision = decideShared(callOf(named('StartRun'), bare.text), ports)
    expect(decision).toMatchObject({ refused: true, refusal: { code: 'rate.limited' }, caller: undefined })
  })
})

describe('what a call costs', () => {
  const key = keyOf(['telemetry:write'], undefined)

  it('G7: a method takes as many tokens as the contract says', () => {
    const batch = named('RecordBatch')
    expect(batch.cost).toBeGreaterThan(1)
    const { ports } = portsOf([key], { perSecond: 1, burst: batch.cost * 2 + 1 })
    const codes = [1, 2, 3].map(() => {
      const decision = decide(callOf(batch, key.text), ports)
      return decision.refused ? decision.refusal.code : decision.limit?.left
    })
    expect(codes).toEqual([batch.cost + 1, 1, 'rate.limited'])
    expect(decide(callOf(named('StartRun'), key.text), ports).refused).toBe(false)
  })

  it('G7: a method that costs more than the bucket holds takes all of it, and is not locked out for ever', () => {
    const { ports, advance } = portsOf([key], { perSecond: 1, burst: 3 })
    const call = callOf(named('RecordBatch'), key.text)
    expect(decide(call, ports)).toMatchObject({ refused: false, limit: { left: 0 } })
    expect(decide(call, ports)).toMatchObject({ refusal: { code: 'rate.limited', retryAfterSeconds: 3 } })
    advance(3000)
    expect(decide(call, ports).refused).toBe(false)
  })

  it('G7: a caller is told of its bucket when let in, when refused for something else, and when limited', () => {
    const poor = keyOf([], undefined)
    const { ports } = portsOf([key, poor], { perSecond: 1, burst: 2 })
    const rate = { perSecond: 1, burst: 2 }
    expect(decide(callOf(named('StartRun'), key.text), ports)).toMatchObject({
      limit: { policy: 'key', rate, left: 1, waitMs: 0 },
    })
    expect(decide(callOf(named('StartRun'), poor.text), ports)).toMatchObject({
      refusal: { code: 'auth.scope_missing', limit: { policy: 'key', rate, left: 1 } },
    })
    decide(callOf(named('StartRun'), key.text), ports)
    expect(decide(callOf(named('StartRun'), key.text), ports)).toMatchObject({
      refusal: { code: 'rate.limited', limit: { policy: 'key', rate, left: 0, waitMs: 1000 } },
    })
    const wrong = decide(callOf(named('StartRun'), 'nonsense', '192.0.2.9'), ports)
    expect(wrong).not.toHaveProperty('refusal.limit')
  })
})

describe('workers', () => {
  it('G7: all shares together keep the rate, and each worker lets at least one call in', () => {
    const rates = fc.record({ perSecond: fc.integer({ min: 1, max: 5000 }), burst: fc.integer({ min: 1, max: 5000 }) })
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 64 }), (rate, workers) => {
        const share = shareOf(rate, workers)
        expect(share.perSecond * workers).toBeCloseTo(rate.perSecond)
        expect(share.burst).toBeGreaterThanOrEqual(1)
        if (rate.burst >= workers) expect(share.burst * workers).toBeLessThanOrEqual(rate.burst)
        expect(shareOf(rate, workers)).toBe(share)
      }),
    )
  })

  it('G7: a worker lets in its share of the default rate and of the rate of a key', () => {
    const own = keyOf(['telemetry:write'], { perSecond: 1, burst: 8 })
    const key = keyOf(['telemetry:write'], undefined)
    const { ports } = portsOf([own, key], { perSecond: 1, burst: 12 }, { workers: 4 })
    const letIn = (text: string): number =>
      Array.from({ length: 20 }, () => decide(callOf(named('StartRun'), text), ports)).filter(({ refused }) => !refused)
        .length
    expect([letIn(key.text), letIn(own.text)]).toEqual([3, 2])
  })

  it('G7: addresses of one /64 share the bucket of public reads and that of failures', () => {
    const { ports } = portsOf([], { perSecond: 1, burst: 2 })
    const codes = ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1'].map((remote) => {
      const read = decide(callOf(named('GetTelemetrySummary'), undefined, remote), ports)
      const failed = decide(callOf(named('StartRun'), undefined, remote), ports)
      return [read, failed].map((each) => (each.refused ? each.refusal.code : 'allow'))
    })
    const first = ['allow', 'auth.credential_missing']
    expect(codes).toEqual([first, first, ['rate.limited', 'rate.limited'], first])
  })
})

describe('what a call costs beyond its method', () => {
  const own = keyOf(['telemetry:read'], { perSecond: 2, burst: 30 })
  const plain = keyOf(['telemetry:read'], undefined)

  /** What is left of the bucket after a call that costs so much in all; 'limited' where it was not there. */
  const left = (ports: GatePorts, text: string, cost: number): number | 'limited' | undefined => {
    const call = callOf(named('ListRuns'), text)
    const decision = decide(call, ports)
    if (decision.refused) return 'limited'
    const charge = furtherCharge(call, decision, cost, ports)
    const settled = charge === undefined ? decision : settle(decision, [charge], chargeHere([charge], ports))
    return settled.refused ? 'limited' : settled.limit?.left
  }

  it('G7: is taken from the bucket of its caller, at the rate of its key', () => {
    const { ports } = portsOf([own, plain], { perSecond: 1, burst: 10 })
    expect([1, 20, 20, 0].map((cost) => left(ports, own.text, cost))).toEqual([29, 9, 'limited', 7])
    expect(left(ports, plain.text, 9)).toBe(1)
  })

  it('G7: takes all of a bucket that cannot hold it, and no more, also of the share of a worker', () => {
    for (const workers of [1, 2]) {
      const { ports, advance } = portsOf([plain], { perSecond: 1, burst: 10 }, { workers })
      expect(left(ports, plain.text, 1000)).toBe(0)
      expect(left(ports, plain.text, 1)).toBe('limited')
      advance(20_000)
      expect(left(ports, plain.text, 1000)).toBe(0)
    }
  })

  it('G7: is nothing for whom nobody knows', () => {
    const { ports } = portsOf([], { perSecond: 1, burst: 10 })
    const nobody = { refused: false, caller: undefined, ownOnly: false } as const
    expect(furtherCharge(callOf(named('ListRuns'), undefined), nobody, 5, ports)).toBeUndefined()
  })
})
