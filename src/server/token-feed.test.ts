import pino from 'pino'
import { describe, expect, it, vi } from 'vitest'
import { methods } from '@portcullis/contract'
import { keyPartOf, makeKey, sha256, uuidv7, type Caller } from '#core'
import { Gcra, type GatePorts, type KeyRecord } from '#gate'
import type { EntryRow, EventCursor, TokenEvents } from '#hub'
import { TokenFeed, type FeedBounds, type Listener } from './token-feed.ts'

const id = uuidv7()
const { text, secret } = makeKey(id)
const tenant = { id: `ten_${uuidv7()}`, name: 'main' }

/** A feed over a log that a test fills, with a key that it can revoke and a clock that it sets. */
function setUp(bounds: Partial<FeedBounds> = {}) {
  const state = { monotonic: 0, fresh: true, revoked: false, looks: 0, told: 0, asked: 0, size: 0, failing: false }
  const key = (): KeyRecord => ({
    id: `key_${id}`,
    digest: sha256(secret),
    owner: { kind: 'operator', id: 'opr_1' },
    tenant,
    scopes: new Set(['ledger:read']),
    expiresAtMs: undefined,
    revokedAtMs: state.revoked ? 1 : undefined,
    ownerDisabled: false,
    tenantDisabled: false,
    allowedCidrs: [],
    rate: undefined,
  })
  const one = new Gcra({ perSecond: 0.001, burst: 1 })
  const gate: GatePorts = {
    clock: { now: () => 1000, monotonic: () => state.monotonic },
    keys: {
      find: (part) => (part === keyPartOf(id) ? key() : undefined),
      fresh: () => {
        state.asked += 1
        return state.fresh
      },
      used: () => undefined,
    },
    failures: one,
    addresses: one,
    calls: one,
  }
  const tokenEvents = async (_scope: unknown, cursor: EventCursor | undefined): Promise<TokenEvents> => {
    state.looks += 1
    if (state.failing) throw new Error('away')
    const from = cursor?.['main'] ?? 0
    const rows: EntryRow[] = Array.from({ length: Math.min(2, state.size - from) }, (_, at) => ({
      log: 'main',
      seq: String(from + at),
      leaf: new Uint8Array(),
      entry: new Uint8Array(),
    }))
    if (rows.length > 0) state.told += 1
    return { rows, next: { main: from + rows.length }, more: from + rows.length < state.size }
  }
  const feed = new TokenFeed({
    gate,
    reader: { tokenEvents },
    log: pino({ level: 'silent' }),
    bounds: { pollMs: 1, perCallerMax: 2, perTenantMax: 3, streamsMax: 3, stuckMs: 1000, ...bounds },
  })
  const join = (from = 0) => {
    const heard = { seqs: [] as number[], ended: '', ready: true }
    const listener: Listener = {
      ready: () => heard.ready,
      tell: (rows) => heard.seqs.push(...rows.map(({ seq }) => Number(seq))),
      end: (why) => (heard.ended = why),
    }
    const method = methods.get('/portcullis.v1.LedgerService/GetTokenEvents') ?? expect.fail('no such method')
    const credentials = [{ kind: 'api_key', text }] as const
    const call = { method, credentials, remote: '127.0.0.1', requestId: 'r', tenantId: undefined }
    const leave = feed.join(call, caller('opr_1'), { main: from }, listener)
    return { heard, leave }
  }
  return { state, feed, join }
}

function caller(of: string): Caller {
  const credential = { kind: 'api_key', id: `key_${id}` } as const
  return { kind: 'operator', id: of, tenant, scopes: new Set(['ledger:read']), credential }
}

describe('the feed of token events', () => {
  it('A11: tells each stream what comes after its cursor, in order, and takes no tokens for looking', async () => {
    const { state, feed, join } = setUp()
    const [one, other] = [join(), join(3)]
    state.size = 5
    await vi.waitFor(() =>
      expect([one.heard.seqs, other.heard.seqs]).toEqual([
        [0, 1, 2, 3, 4],
        [3, 4],
      ]),
    )
    state.size = 6
    await vi.waitFor(() => expect([one.heard.seqs.at(-1), other.heard.seqs.at(-1)]).toEqual([5, 5]))
    await feed.close()
  })

  it('A11: streams that are up to date share one look', async () => {
    const { state, feed, join } = setUp({ pollMs: 20 })
    const [one, other] = [join(), join()]
    await vi.waitFor(() => expect(state.looks).toBeGreaterThan(0))
    state.size = 2
    await vi.waitFor(() =>
      expect([one.heard.seqs, other.heard.seqs]).toEqual([
        [0, 1],
        [0, 1],
      ]),
    )
    expect(state.told).toBe(1)
    await feed.close()
  })

  it('A11, A10: a stream ends with its credential', async () => {
    const { state, feed, join } = setUp()
    const { heard } = join()
    state.revoked = true
    await vi.waitFor(() => expect(heard.ended).toBe('credential'))
    expect(feed.size).toBe(0)
  })

  it('A11, G20: while it cannot be told whether a credential holds, nothing is told', async () => {
    const { state, feed, join } = setUp()
    state.fresh = false
    state.size = 1
    const { heard } = join()
    await vi.waitFor(() => expect(state.asked).toBeGreaterThan(2))
    expect([heard.seqs, heard.ended]).toEqual([[], ''])
    state.fresh = true
    await vi.waitFor(() => expect(heard.seqs).toEqual([0]))
    await feed.close()
  })

  it('A11: a client that is slow is told nothing, loses nothing when it takes up again, and ends when it does not', async () => {
    const { state, feed, join } = setUp()
    const [{ heard }, other] = [join(), join()]
    heard.ready = false
    state.size = 3
    await vi.waitFor(() => expect(other.heard.seqs).toEqual([0, 1, 2]))
    expect(heard.seqs).toEqual([])
    state.monotonic = 900
    heard.ready = true
    await vi.waitFor(() => expect(heard.seqs).toEqual([0, 1, 2]))
    heard.ready = false
    state.monotonic = 2000
    await vi.waitFor(() => expect(heard.ended).toBe('slow'))
    await feed.close()
  })

  it('A11: a store that is away delays and loses nothing', async () => {
    const { state, feed, join } = setUp()
    state.failing = true
    const { heard } = join()
    await vi.waitFor(() => expect(state.looks).toBeGreaterThan(1))
    state.failing = false
    state.size = 1
    await vi.waitFor(() => expect(heard.seqs).toEqual([0]))
    expect(heard.ended).toBe('')
    await feed.close()
  })

  it('A11: has room for so many streams of a caller, and of all; who leaves makes room', async () => {
    const { feed, join } = setUp()
    const [first] = [join(), join()]
    expect(feed.full(caller('opr_1'))?.code).toBe('rate.limited')
    expect(feed.full(caller('opr_2'))).toBeUndefined()
    join()
    expect(feed.full(caller('opr_2'))?.code).toBe('store.busy')
    first.leave()
    expect(feed.full(caller('opr_2'))).toBeUndefined()
    await feed.close()
  })

  it('A11: no tenant takes the room of the others', async () => {
    const { feed, join } = setUp({ perTenantMax: 1 })
    join()
    expect(feed.full(caller('opr_2'))?.code).toBe('rate.limited')
    expect(feed.full({ ...caller('opr_2'), tenant: { id: 'ten_9', name: 'other' } })).toBeUndefined()
    await feed.close()
  })

  it('A11: every stream ends at the drain, and none begins', async () => {
    const { feed, join } = setUp()
    const [one, other] = [join(), join()]
    await feed.close()
    expect([one.heard.ended, other.heard.ended]).toEqual(['draining', 'draining'])
    expect(feed.full(caller('opr_9'))?.code).toBe('server.draining')
  })
})
