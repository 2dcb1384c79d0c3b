import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatEntry, genesisPrev, recordHash } from './entry.ts'
import { Frontier, rootOf } from './tree.ts'
import { verifyChain } from './verify.ts'
import type { ChainItem, Expected, VerifyResult } from './walk.ts'

interface Log {
  readonly items: readonly Item[]
  readonly head: { readonly size: number; readonly root: string; readonly lastHash: string }
}
interface Item {
  readonly seq: number
  readonly entry: Buffer
  readonly leaf: Buffer
}

/** A log as the database writes it. `change` alters what is written, so that hashes and links are made over it. */
function makeLog(size: number, change: (seq: number) => Partial<Parameters<typeof formatEntry>[0]> = () => ({})): Log {
  let prev = genesisPrev
  const items = Array.from({ length: size }, (_, seq) => {
    const ts = `2026-11-21T18:45:29.${String(123456 + seq).padStart(6, '0')}Z`
    const bodyJson = `{"id":"ent_${seq}","reason":"because of ${seq}"}`
    const entry = Buffer.from(formatEntry({ bodyJson, log: 'main', prev, seq, ts, ...change(seq) }))
    const leaf = recordHash(entry)
    prev = leaf.toString('hex')
    return { seq, entry, leaf }
  })
  const root = rootOf(items.map((item) => item.leaf)).toString('hex')
  return { items, head: { size, root, lastHash: prev } }
}

const verify = (
  items: Iterable<ChainItem> | AsyncIterable<ChainItem>,
  log: Log,
  more: Partial<Expected> = {},
): Promise<VerifyResult> => verifyChain(items, { log: 'main', head: log.head, ...more })
const withoutLeaf = ({ seq, entry }: Item): ChainItem => ({ seq, entry })

const sizeAndPlace = fc
  .integer({ min: 2, max: 24 })
  .chain((size) => fc.record({ size: fc.constant(size), at: fc.nat(size - 1), withLeaf: fc.boolean() }))

describe('verifyChain', () => {
  it('L10: finds an untouched log valid, with its range and root', async () => {
    const log = makeLog(20)
    expect(await verify(log.items, log)).toMatchObject({
      chain_valid: true,
      from: 0,
      to: 19,
      count: 20,
      root: log.head.root,
    })
  })

  it('L10: finds an empty log valid', async () => {
    const log = makeLog(0)
    expect(await verify([], log)).toMatchObject({ chain_valid: true, from: 0, to: -1, count: 0, root: log.head.root })
  })

  it('L10: goes on from a trusted place in the middle, with the same root at the end', async () => {
    const log = makeLog(20)
    const frontier = new Frontier()
    for (const { leaf } of log.items.slice(0, 7)) frontier.push(leaf)
    const from = { seq: 7, prev: log.items[6]?.leaf.toString('hex') ?? '', frontier: frontier.toBytes() }
    expect(await verify(log.items.slice(7), log, { from })).toMatchObject({
      chain_valid: true,
      from: 7,
      to: 19,
      count: 13,
    })
    const other = { ...from, prev: genesisPrev }
    expect(await verify(log.items.slice(7), log, { from: other })).toMatchObject({
      problem: 'bad_link',
      first_bad_seq: 7,
    })
    const root = { ...log.head, root: genesisPrev }
    expect(await verify(log.items.slice(7), log, { from, head: root })).toMatchObject({ problem: 'head_mismatch' })
  })

  it('L10: reads a stream and stops at the first bad entry', async () => {
    const log = makeLog(10)
    let read = 0
    async function* stream(): AsyncGenerator<ChainItem> {
      for (const item of log.items) {
        read += 1
        yield Promise.resolve(item.seq === 3 ? { ...item, leaf: Buffer.alloc(32) } : { ...item, seq: BigInt(item.seq) })
      }
    }
    expect(await verify(stream(), log)).toMatchObject({ problem: 'bad_leaf', first_bad_seq: 3, to: 2 })
    expect(read).toBe(4)
  })

  it('L10: names the entry where any single bit was flipped', async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndPlace, fc.nat(), fc.nat(7), async ({ size, at, withLeaf }, offset, bit) => {
        const log = makeLog(size)
        const items = log.items.map((item) => {
          if (item.seq !== at) return withLeaf ? item : withoutLeaf(item)
          const entry = Buffer.from(item.entry)
          const place = offset % entry.length
          entry.writeUInt8(entry.readUInt8(place) ^ (1 << bit), place)
          return withLeaf ? { ...item, entry } : { seq: item.seq, entry }
        })
        expect(await verify(items, log)).toMatchObject({ chain_valid: false, first_bad_seq: at })
      }),
      { numRuns: 300 },
    )
  })

  it('L10: names an entry that was rewritten together with its leaf', async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndPlace, async ({ size, at }) => {
        const log = makeLog(size)
        const items = log.items.map((item) => {
          if (item.seq !== at) return item
          const entry = Buffer.from(item.entry.toString().replace('because', 'despite'))
          return { seq: at, entry, leaf: recordHash(entry) }
        })
        expect(await verify(items, log)).toMatchObject({ chain_valid: false, first_bad_seq: at })
      }),
    )
  })

  it('L10: names the place where an entry was deleted, repeated or swapped', async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndPlace, async ({ size, at }) => {
        const log = makeLog(size)
        const problems = at === size - 1 ? 'head_mismatch' : 'gap'
        const deleted = log.items.toSpliced(at, 1)
        expect(await verify(deleted, log)).toMatchObject({ problem: problems, first_bad_seq: at })
        const item = log.items[at]
        if (item === undefined) throw new Error('the place is outside of the log')
        const repeated = await verify(log.items.toSpliced(at, 0, item), log)
        expect(repeated).toMatchObject({ chain_valid: false, first_bad_seq: at + 1 })
        if (at === size - 1) return
        const swapped = log.items.toSpliced(at, 1).toSpliced(at + 1, 0, item)
        expect(await verify(swapped, log)).toMatchObject({ problem: 'gap', first_bad_seq: at })
        const relabelled = swapped.map((moved, seq) => ({ ...moved, seq }))
        expect(await verify(relabelled, log)).toMatchObject({ problem: 'bad_seq', first_bad_seq: at })
      }),
    )
  })

  it('L10: names the first missing entry where the tail or the beginning was cut', async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndPlace, async ({ size, at }) => {
        const log = makeLog(size)
        expect(await verify(log.items.slice(0, at), log)).toMatchObject({ problem: 'head_mismatch', first_bad_seq: at })
        if (at > 0) expect(await verify(log.items.slice(at), log)).toMatchObject({ problem: 'gap', first_bad_seq: 0 })
      }),
    )
  })

  it('L10: finds entries behind the head', async () => {
    const log = makeLog(9)
    const head = makeLog(6).head
    expect(await verify(log.items, log, { head })).toMatchObject({ problem: 'head_mismatch', first_bad_seq: 6, to: 5 })
  })

  it('L10: finds a log rewritten from one entry on by its last hash, and by its root alone', async () => {
    const log = makeLog(9)
    const forged = makeLog(9, (seq) => (seq === 4 ? { bodyJson: '{}' } : {}))
    expect(await verify(forged.items, log)).toMatchObject({ problem: 'head_mismatch', first_bad_seq: 8 })
    const { size, root } = log.head
    const byRoot = await verify(forged.items, log, { head: { size, root } })
    expect(byRoot).toMatchObject({ chain_valid: false, problem: 'head_mismatch' })
    expect(byRoot).not.toHaveProperty('first_bad_seq')
  })

  it('L10: finds a foreign entry, and time that goes back, though every hash holds', async () => {
    const foreign = makeLog(6, (seq) => (seq === 3 ? { log: 'other' } : {}))
    expect(await verify(foreign.items, foreign)).toMatchObject({ problem: 'wrong_log', first_bad_seq: 3 })
    const back = makeLog(6, (seq) => (seq === 3 ? { ts: '2026-11-21T18:45:28.999999Z' } : {}))
    expect(await verify(back.items, back)).toMatchObject({ problem: 'ts_back', first_bad_seq: 3 })
  })
})
