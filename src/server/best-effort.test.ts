import { describe, expect, it } from 'vitest'
import { refuse } from '#core'
import type { WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import { BestEffort } from './best-effort.ts'

const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 }
const tenantId = '0199d2f0-0000-7000-8000-000000000001'

function record(body: string, log = 'main'): LedgerRecord {
  const nobody = { caller: undefined, actor: undefined, code: undefined, requestId: undefined }
  return { ...nobody, log, tenantId, action: 'a', outcome: 'allow', body }
}

/** A writer that can be away, and tells when it has as many entries as were asked for. */
function fakeWriter() {
  const written: LedgerRecord[] = []
  let waiting: { count: number; resolve: () => void } | undefined
  const state = { away: false, fault: (one: LedgerRecord): boolean => one.body === '' }
  const port: WriterPort = {
    submit: (member) => {
      if (state.away) return Promise.resolve(refuse('store.busy', 'full'))
      const all = [member.record({ outcome: 'allow' }), ...(member.more ?? [])]
      if (all.some(state.fault)) return Promise.reject(new Error('not this one'))
      written.push(...all)
      if (waiting !== undefined && written.length >= waiting.count) waiting.resolve()
      return Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false })
    },
  }
  const has = (count: number): Promise<void> =>
    new Promise((resolve) => {
      waiting = { count, resolve }
      if (written.length >= count) resolve()
    })
  return { port, written, state, has }
}

describe('entries of best effort', () => {
  it('L7: are written soon, in order, without anybody who waits for them', async () => {
    const writer = fakeWriter()
    const best = new BestEffort(writer.port, clock, () => undefined)
    for (let at = 0; at < 300; at += 1) best.offer(record(String(at)))
    expect(writer.written).toEqual([])
    await writer.has(300)
    expect(writer.written.map(({ body }) => body)).toEqual(Array.from({ length: 300 }, (_, at) => String(at)))
    expect([best.queued, best.lost]).toEqual([0, 0])
    await best.close()
  })

  it('L7: wait while the store is away; a refusal that finds no place is counted, and told by one entry for each log', async () => {
    const writer = fakeWriter()
    const gaps: number[] = []
    const best = new BestEffort(writer.port, clock, (lost) => gaps.push(lost), { takes: (inHand) => inHand < 10 })
    writer.state.away = true
    for (let at = 0; at < 25; at += 1) best.offerOrCount(record(String(at), at % 2 === 0 ? 'even' : 'odd'))
    expect([best.queued, best.lost, gaps]).toEqual([10, 15, [1]])
    writer.state.away = false
    await writer.has(12)
    const lost = writer.written.filter(({ action }) => action === 'entries.lost')
    expect(lost.map(({ log }) => log).toSorted()).toEqual(['even', 'odd'])
    const bodies = lost.map(({ body }) => JSON.parse(body))
    expect(bodies.reduce((sum, { args }) => sum + args.count, 0)).toBe(15)
    for (const body of bodies) {
      const at = '2027-01-15T08:00:00.000Z'
      expect(body).toMatchObject({ kind: 'entries.lost', outcome: 'error', args: { first: at, last: at } })
    }
    await best.close()
  })

  it('L7: beyond what may be in hand nothing is taken, so that its caller waits for its entry', async () => {
    const writer = fakeWriter()
    writer.state.away = true
    const best = new BestEffort(writer.port, clock, () => undefined, { takes: (inHand) => inHand < 3 })
    expect(Array.from({ length: 5 }, (_, at) => best.offer(record(String(at))))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
    // What is being written is in hand still.
    await new Promise((resolve) => setImmediate(resolve))
    expect(best.offer(record('x'))).toBe(false)
    writer.state.away = false
    await writer.has(3)
    expect([best.lost, writer.written.map(({ body }) => body)]).toEqual([0, ['0', '1', '2']])
    await best.close()
    expect(best.offer(record('late'))).toBe(false)
  })

  it('L7: an entry that the store will never have is counted, and the others go on', async () => {
    const writer = fakeWriter()
    writer.state.fault = ({ body }) => body === 'bad'
    const best = new BestEffort(writer.port, clock, () => undefined)
    for (const body of ['a', 'bad', 'b']) best.offer(record(body))
    await writer.has(3)
    expect(writer.written.map(({ action, body }) => (action === 'a' ? body : action))).toEqual([
      'a',
      'b',
      'entries.lost',
    ])
    await best.close()
  })

  it('L7: a stop writes what waits, and tells what it could not', async () => {
    const writer = fakeWriter()
    const gaps: number[] = []
    const best = new BestEffort(writer.port, clock, (lost) => gaps.push(lost))
    best.offer(record('a'))
    await best.close()
    expect(writer.written.map(({ body }) => body)).toEqual(['a'])
    const late = new BestEffort(writer.port, clock, (lost) => gaps.push(lost))
    writer.state.away = true
    late.offerOrCount(record('b'))
    late.offerOrCount(record('c'))
    await late.close()
    expect(gaps.at(-1)).toBe(2)
  })
})
