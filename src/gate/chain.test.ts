import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { methods, type Method } from '@portcullis/contract'
import {
  closeScopes,
  keyPartOf,
  makeKey,
  parseCidr,
  refusals,
  scopes as allScopes,
  Secret,
  sha256,
  uuidv7,
  type Caller,
  type Clock,
} from '#core'
import type { Call, PresentedCredential } from './call.ts'
import { decide } from './chain.ts'
import { Gcra } from './gcra.ts'
import type { GatePorts, KeyRecord } from './ports.ts'

const nowMs = 1_800_000_000_000
const wide = { perSecond: 1_000_000, burst: 1_000_000 }
const clock: Clock = { now: () => nowMs, monotonic: () => 0 }

interface Stored {
  readonly record: KeyRecord
  readonly text: string
  readonly part: string
}

/** A stored key, good in every way but for what the test changes. */
function keyWith(changes: Partial<KeyRecord> = {}): Stored {
  const uuid = uuidv7()
  const { text, secret } = makeKey(uuid)
  const record: KeyRecord = {
    id: `key_${uuid}`,
    digest: sha256(secret),
    owner: { kind: 'agent', id: 'agt_1' },
    tenant: { id: 'ten_1', name: 'main' },
    scopes: new Set(allScopes.keys()),
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    ownerDisabled: false,
    tenantDisabled: false,
    allowedCidrs: [],
    rate: undefined,
    ...changes,
  }
  return { record, text: text.reveal(), part: keyPartOf(uuid) }
}

function portsOf(
  stored: readonly Stored[],
  more: { fresh?: boolean; failures?: Gcra; addresses?: Gcra; calls?: Gcra } = {},
): GatePorts & { readonly used: string[] } {
  const known = new Map(stored.map(({ part, record }) => [part, record]))
  const used: string[] = []
  const keys = {
    find: (part: string) => known.get(part),
    fresh: () => more.fresh ?? true,
    used: (key: KeyRecord) => void used.push(key.id),
  }
  const [failures, addresses, calls] = [more.failures, more.addresses, more.calls].map(
    (bucket) => bucket ?? new Gcra(wide),
  )
  if (failures === undefined || addresses === undefined || calls === undefined) throw new Error('three buckets')
  return { clock, keys, failures, addresses, calls, used }
}

function callOf(method: Method, credentials: readonly string[], more: Partial<Call> = {}): Call {
  const presented = credentials.map((text): PresentedCredential => ({ kind: 'api_key', text: new Secret(text) }))
  return { method, credentials: presented, remote: '192.0.2.1', requestId: 'req_1', tenantId: undefined, ...more }
}

function methodNamed(name: string): Method {
  const method = methods.get(`/portcullis.v1.HubService/${name}`)
  if (method === undefined) throw new Error(`no method ${name}`)
  return method
}

const [publicRead, privateRead, write] = ['GetHealth', 'ListRuns', 'StartRun'].map(methodNamed) as [
  Method,
  Method,
  Method,
]
const agentRead =
  [...methods.values()].find(({ access, ownObjects }) => access === 'private_read' && !ownObjects) ?? privateRead

function codeOf(call: Call, ports: GatePorts): string {
  const decision = decide(call, ports)
  return decision.refused ? decision.refusal.code : 'allow'
}

describe('whatever the call', () => {
  const times = fc.option(fc.integer({ min: nowMs - 2, max: nowMs + 2 }), { nil: undefined })
  const records = fc.record({
    scopes: fc.subarray([...allScopes.keys()]).map((list) => new Set(list)),
    expiresAtMs: times,
    revokedAtMs: times,
    ownerDisabled: fc.boolean(),
    tenantDisabled: fc.boolean(),
    allowedCidrs: fc.constantFrom(
      [],
      [parseCidr('192.0.2.0/24')],
      [parseCidr('10.0.0.0/8'), parseCidr('2001:db8::/32')],
    ),
    owner: fc.constantFrom({ kind: 'agent' as const, id: 'agt_1' }, { kind: 'operator' as const, id: 'opr_1' }),
  })
  const anyCall = fc.record({
    method: fc.constantFrom(...methods.values()),
    record: records,
    sent: fc.array(fc.constantFrom('right', 'wrong secret', 'unknown', 'nonsense', 'query'), { maxLength: 3 }),
    tenantId: fc.constantFrom(undefined, 'ten_1', 'main', 'ten_2', 'other', ''),
    fresh: fc.boolean(),
  })

  type Given = typeof anyCall extends fc.Arbitrary<infer Value> ? Value : never

  /** The gate's policy said another way, condition by condition, in the order of the SPEC. */
  function expected({ method, record, sent, tenantId, fresh }: Given): string {
    if (method.access === 'public_read') return 'allow'
    if (sent.includes('query')) return 'auth.credential_ambiguous'
    if (sent.length !== 1) return sent.length === 0 ? 'auth.credential_missing' : 'auth.credential_ambiguous'
    if (!fresh) return 'store.unavailable'
    if (sent[0] !== 'right') return 'auth.credential_invalid'
    const ended = (at: number | undefined): boolean => at !== undefined && at <= nowMs
    if (record.revokedAtMs !== undefined || ended(record.expiresAtMs) || record.ownerDisabled || record.tenantDisabled)
      return 'auth.credential_invalid'
    if (record.allowedCidrs.length === 2) return 'auth.address_denied'
    if (!closeScopes(record.scopes).has(method.scope) && !(method.ownObjects && record.owner.kind === 'agent'))
      return 'auth.scope_missing'
    return tenantId === undefined || tenantId === 'ten_1' || tenantId === 'main' ? 'allow' : 'tenant.mismatch'
  }

  it('G2: the table decides as the policy says, and a refused decision never carries an allow', () => {
    fc.assert(
      fc.property(anyCall, (given) => {
        const key = keyWith(given.record)
        const { secret } = makeKey(uuidv7())
        // The id of a stored key with another secret: its checksum must be right for it to get as far as the comparison.
        const wrong = rightChecksum(key.part, secret)
        const texts = new Map([
          ['right', key.text],
          ['wrong secret', wrong],
          ['unknown', makeKey(uuidv7()).text.reveal()],
          ['nonsense', 'nonsense'],
        ])
        const credentials = given.sent.map((kind): PresentedCredential => ({
          kind: kind === 'query' ? 'query' : 'api_key',
          text: new Secret(texts.get(kind) ?? ''),
        }))
        const ports = portsOf([key], { fresh: given.fresh })
        const decision = decide({ ...callOf(given.method, []), credentials, tenantId: given.tenantId }, ports)
        expect(decision.refused ? decision.refusal.code : 'allow').toBe(expected(given))
        if (decision.refused) {
          expect(decision).not.toHaveProperty('ownOnly')
          expect(Object.keys(refusals)).toContain(decision.refusal.code)
          expect(decision.refusal.reason).not.toContain(key.text)
        } else if (given.method.access !== 'public_read') {
          expect(decision.caller?.tenant.id).toBe('ten_1')
          expect(decision.ownOnly).toBe(!closeScopes(given.record.scopes).has(given.method.scope))
          expect(ports.used).toEqual([key.record.id])
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('G2: without a credential nobody is ever let in to what is not public', () => {
    fc.assert(
      fc.property(fc.constantFrom(...methods.values()), fc.string(), fc.boolean(), (method, tenantId, fresh) => {
        const decision = decide(callOf(method, [], { tenantId }), portsOf([keyWith()], { fresh }))
        expect(decision.refused).toBe(method.access !== 'public_read')
        expect(decision.caller).toBeUndefined()
      }),
    )
  })
})

describe('the order of refusals', () => {
  const empty = (): Gcra => {
    const bucket = new Gcra({ perSecond: 1, burst: 1 })
    bucket.take('192.0.2.1', 0)
    return bucket
  }

  it('G2: rate of failures, credential, rate of the key, scope, tenant', () => {
    const key = keyWith({ scopes: new Set() })
    const calls = new Gcra({ perSecond: 1, burst: 1 })
    calls.take(key.record.id, 0)
    const other = { tenantId: 'ten_2' }
    expect(codeOf(callOf(agentRead, ['nonsense'], other), portsOf([key], { failures: empty(), calls }))).toBe(
      'rate.limited',
    )
    expect(codeOf(callOf(agentRead, ['nonsense'], other), portsOf([key], { calls }))).toBe('auth.credential_invalid')
    expect(codeOf(callOf(agentRead, [key.text], other), portsOf([key], { calls }))).toBe('rate.limited')
    expect(codeOf(callOf(agentRead, [key.text], other), portsOf([key]))).toBe('auth.scope_missing')
    expect(codeOf(callOf(privateRead, [key.text], other), portsOf([key]))).toBe('tenant.mismatch')
    expect(codeOf(callOf(privateRead, [key.text]), portsOf([key]))).toBe('allow')
  })

  it('G7: each missing or failed credential is charged to its address, a right one and a stale store are not', () => {
    const key = keyWith()
    const failures = (): Gcra => new Gcra({ perSecond: 1, burst: 1 })
    const charged = (credentials: readonly string[], more: { fresh?: boolean } = {}): boolean => {
      const bucket = failures()
      decide(callOf(write, credentials), portsOf([key], { failures: bucket, ...more }))
      return bucket.wait('192.0.2.1', 0) > 0
    }
    expect([charged([]), charged(['nonsense']), charged([key.text, key.text])]).toEqual([true, true, true])
    expect([charged([key.text]), charged([key.text], { fresh: false })]).toEqual([false, false])
  })

  it('G7: a key that was refused for its address is a failure too, and one address does not lock out another', () => {
    const key = keyWith({ allowedCidrs: [parseCidr('10.0.0.0/8')] })
    const failures = new Gcra({ perSecond: 1, burst: 1 })
    const ports = portsOf([key], { failures })
    expect(codeOf(callOf(write, [key.text]), ports)).toBe('auth.address_denied')
    expect(codeOf(callOf(write, [key.text]), ports)).toBe('rate.limited')
    expect(codeOf(callOf(write, [key.text], { remote: '10.1.2.3' }), ports)).toBe('allow')
  })

  it('G7: public reads are charged to the address and to nobody else', () => {
    const addresses = new Gcra({ perSecond: 1, burst: 2 })
    const ports = portsOf([], { addresses, failures: empty() })
    expect([1, 2, 3].map(() => codeOf(callOf(publicRead, []), ports))).toEqual(['allow', 'allow', 'rate.limited'])
    expect(codeOf(callOf(publicRead, [], { remote: '192.0.2.2' }), ports)).toBe('allow')
  })

  it('G7: a limited call says when to come back, never less than a second', () => {
    const key = keyWith({ rate: { perSecond: 1000, burst: 1 } })
    const ports = portsOf([key])
    decide(callOf(write, [key.text]), ports)
    const decision = decide(callOf(write, [key.text]), ports)
    expect(decision).toMatchObject({ refused: true, refusal: { code: 'rate.limited', retryAfterSeconds: 1 } })
  })

  it('G6: the missing scope is named, and nothing else', () => {
    const key = keyWith({ scopes: new Set() })
    const decision = decide(callOf(write, [key.text]), portsOf([key]))
    expect(decision).toMatchObject({ refusal: { code: 'auth.scope_missing', detail: write.scope } })
  })

  it('G4: the ledger learns whose key it was once the secret was right, and not before', () => {
    const revoked = keyWith({ revokedAtMs: nowMs - 1 })
    expect(decide(callOf(write, [revoked.text]), portsOf([revoked])).caller?.id).toBe('agt_1')
    const wrong = rightChecksum(revoked.part, makeKey(uuidv7()).secret)
    expect(decide(callOf(write, [wrong]), portsOf([revoked])).caller).toBeUndefined()
  })

  it('G4: expiry holds from its very millisecond on, revocation at once, whatever time it says', () => {
    const at = (field: 'expiresAtMs' | 'revokedAtMs', ms: number): string => {
      const key = keyWith({ [field]: ms })
      return codeOf(callOf(write, [key.text]), portsOf([key]))
    }
    const around = [nowMs + 1, nowMs, nowMs - 1]
    const refused = 'auth.credential_invalid'
    expect(around.map((ms) => at('expiresAtMs', ms))).toEqual(['allow', refused, refused])
    // The replica that revoked the key may have a clock that is ahead of ours.
    expect(around.map((ms) => at('revokedAtMs', ms))).toEqual([refused, refused, refused])
  })

  it('G21: policies see a signed request as the key that it came with: its signature is looked at with the body', () => {
    const key = keyWith()
    const signed = { method: 'POST', path: write.path, query: undefined, authority: undefined, fields: () => ['x'] }
    const seen: string[] = []
    const policy = { refusal: (_: Call, caller: Caller) => void seen.push(caller.credential.kind) }
    expect(codeOf(callOf(write, [key.text], { signed }), { ...portsOf([key]), policy })).toBe('allow')
    expect(seen).toEqual(['api_key'])
  })

  it('H3: only an agent is let in without the scope, and to its own objects', () => {
    const agent = keyWith({ scopes: new Set() })
    const operator = keyWith({ scopes: new Set(), owner: { kind: 'operator', id: 'opr_1' } })
    expect(decide(callOf(privateRead, [agent.text]), portsOf([agent]))).toMatchObject({ refused: false, ownOnly: true })
    expect(codeOf(callOf(privateRead, [operator.text]), portsOf([operator]))).toBe('auth.scope_missing')
  })
})

/** A key text of that id and secret, with the checksum that gets it as far as the look-up. */
function rightChecksum(part: string, secret: string): string {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let rest = crc32(`pc_${part}_${secret}`)
  let sum = ''
  for (let place = 0; place < 6; place += 1) {
    sum = alphabet.charAt(rest % 62) + sum
    rest = Math.floor(rest / 62)
  }
  return `pc_${part}_${secret}${sum}`
}
