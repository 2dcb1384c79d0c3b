import { create, type Message } from '@bufbuild/protobuf'
import { describe, expect, it, vi } from 'vitest'
import { KillService, methodOf, WatchResponseSchema } from '@portcullis/contract'
import { keyPartOf, makeKey, refuse, sha256, uuidv7, type Caller, type Refusal } from '#core'
import { Gcra, type Call, type GatePorts, type KeyRecord } from '#gate'
import { streamDefaults, Streams, type Hearer, type StreamBounds } from './streams.ts'

const id = uuidv7()
const { text, secret } = makeKey(id)
const tenant = { id: `ten_${uuidv7()}`, name: 'main' }
const caller: Caller = {
  kind: 'operator',
  id: 'opr_1',
  tenant,
  scopes: new Set(['admin:read']),
  credential: { kind: 'api_key', id: `key_${id}` },
}
const call: Call = {
  method: methodOf(KillService.method.watch),
  credentials: [{ kind: 'api_key', text }],
  remote: '192.0.2.1',
  requestId: 'req_1',
  tenantId: undefined,
}
const message = (): Message => create(WatchResponseSchema, { engaged: true })

/** Streams whose clock a test sets, with a key that it can revoke, and a switch. */
function setUp(bounds: Partial<StreamBounds> = {}) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const state = {
    monotonic: 0,
    revoked: false,
    fresh: true,
    kill: undefined as Refusal | undefined,
    scopes: ['admin:read'],
  }
  const one = new Gcra({ perSecond: 0.001, burst: 1 })
  const key = (): KeyRecord => ({
    id: `key_${id}`,
    digest: sha256(secret),
    owner: { kind: 'operator', id: 'opr_1' },
    tenant,
    scopes: new Set(state.scopes),
    expiresAtMs: undefined,
    revokedAtMs: state.revoked ? 1 : undefined,
    ownerDisabled: false,
    tenantDisabled: false,
    allowedCidrs: [],
    rate: undefined,
  })
  const gate: GatePorts = {
    clock: { now: () => 1000, monotonic: () => state.monotonic },
    keys: {
      find: (part) => (part === keyPartOf(id) ? key() : undefined),
      fresh: () => state.fresh,
      used: () => undefined,
    },
    kill: { refusal: () => state.kill, refusalOf: () => undefined },
    failures: one,
    addresses: one,
    calls: one,
  }
  const streams = new Streams(gate, { ...streamDefaults, ...bounds })
  const pass = (ms: number): void => {
    state.monotonic += ms
    vi.advanceTimersByTime(streamDefaults.tickMs)
  }
  const open = (who = caller) => {
    const heard: string[] = []
    const reader = { ready: true, left: false }
    let tell: (messages: readonly Message[]) => void = () => undefined
    const hearer: Hearer = {
      ready: () => reader.ready,
      say: (said) => void heard.push('heartbeat' in said && said.heartbeat === true ? 'heartbeat' : 'message'),
      end: (why) => void heard.push(why.code),
    }
    const leave = streams.join(
      call,
      who,
      false,
      {
        first: () => [message()],
        listen: (hear) => {
          tell = hear
          return () => (reader.left = true)
        },
        heartbeat: () => create(WatchResponseSchema, { heartbeat: true }),
      },
      hearer,
    )
    return { heard, reader, leave, tell: (count: number) => tell(Array.from({ length: count }, message)) }
  }
  return { streams, state, pass, open }
}

describe('streams', () => {
  it('K3: say what is, then what changes, and that they live where nothing does', () => {
    const { streams, open, pass } = setUp()
    const one = open()
    one.tell(2)
    pass(1000)
    expect(one.heard).toEqual(['message', 'message', 'message'])
    pass(5000)
    expect(one.heard.at(-1)).toBe('heartbeat')
    one.leave()
    expect([streams.size, one.reader.left]).toEqual([0, true])
    one.tell(1)
    expect(one.heard).toHaveLength(4)
  })

  it('K3: end with the credential, with a kill switch and with the scope, and wait while nobody can tell', () => {
    const { open, pass, state } = setUp()
    const ended = (): string | undefined => {
      const one = open()
      pass(1)
      return one.heard.at(-1)
    }
    expect(ended()).toBe('message')
    state.kill = refuse('kill.engaged', 'by a test')
    expect(ended()).toBe('kill.engaged')
    state.kill = refuse('kill.stale', 'by a test')
    expect(ended()).toBe('message')
    state.kill = undefined
    state.scopes = ['tasks:read']
    expect(ended()).toBe('auth.scope_missing')
    state.scopes = ['admin:read']
    state.revoked = true
    expect(ended()).toBe('auth.credential_invalid')
  })

  it('G1: keep a bounded number of messages for a slow reader, and let it go', () => {
    const { open, pass, streams } = setUp({ waitingMax: 10 })
    const [full, stuck, slow] = [open(), open(), open()]
    for (const { reader } of [full, stuck, slow]) reader.ready = false
    full.tell(11)
    expect(full.heard.at(-1)).toBe('bounds.deadline')
    for (const one of [stuck, slow]) one.tell(10)
    expect(slow.heard).toEqual(['message'])
    slow.reader.ready = true
    pass(31_000)
    expect([stuck.heard.at(-1), slow.heard.length, streams.size]).toEqual(['bounds.deadline', 11, 1])
  })

  it('G1: have bounds for a caller, a tenant and the process, and end with it', async () => {
    const { open, streams } = setUp({ perCallerMax: 2, perTenantMax: 3, streamsMax: 4 })
    const as = (who: string, ten = tenant): Caller => ({ ...caller, id: who, tenant: ten })
    const first = [open(), open()][0]
    expect(streams.full(caller)?.code).toBe('rate.limited')
    expect(open().heard).toEqual(['rate.limited'])
    open(as('b'))
    expect(streams.full(as('c'))).toMatchObject({ code: 'rate.limited', detail: expect.stringContaining('tenant') })
    const other = { id: 'ten_2', name: 'other' }
    expect(streams.full(as('d', other))).toBeUndefined()
    open(as('d', other))
    expect(streams.full(as('e', { id: 'ten_3', name: 'more' }))?.code).toBe('store.busy')
    await streams.close()
    expect([first?.heard.at(-1), streams.size, streams.full(caller)?.code]).toEqual([
      'server.draining',
      0,
      'server.draining',
    ])
    vi.useRealTimers()
  })
})
