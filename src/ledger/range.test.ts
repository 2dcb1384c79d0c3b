import * as fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { Block } from './block.ts'
import { recordHash } from './entry.ts'
import { makeEntries } from './log.fixture.ts'
import { inTurns, RangePool } from './range-pool.ts'
import { summarizeRange } from './range.ts'
import { Frontier, rootOf } from './tree.ts'
import { verifyBlocks, verifyChain } from './verify.ts'
import type { ChainItem } from './walk.ts'

const entries = makeEntries(70)
const leaves = entries.map((entry) => recordHash(entry))
const items = entries.map((entry, seq): ChainItem => ({ seq, entry, leaf: leaves[seq] }))
const head = { size: 70, root: rootOf(leaves).toString('hex'), lastHash: leaves.at(-1)?.toString('hex') }

function rowsOf(part: readonly ChainItem[]): Block {
  const rows = part.map(({ seq = 0, entry, leaf = Buffer.alloc(32) }) => {
    const fields = Buffer.alloc(12)
    fields.writeBigInt64BE(BigInt(seq))
    fields.writeInt32BE(entry.length, 8)
    return Buffer.concat([fields, leaf, entry])
  })
  return { form: 'rows', bytes: new Uint8Array(Buffer.concat(rows)) }
}

function linesOf(part: readonly ChainItem[]): Block {
  const bytes = Buffer.concat(part.flatMap(({ entry }) => [entry, Buffer.from('\n')]))
  return { form: 'lines', bytes: new Uint8Array(bytes) }
}

async function* blocksOf(
  all: readonly ChainItem[],
  cuts: readonly number[],
  make: typeof rowsOf,
): AsyncGenerator<Block> {
  const places = [0, ...cuts.map((cut) => cut % (all.length + 1)).toSorted((a, b) => a - b), all.length]
  for (const [at, start] of places.slice(0, -1).entries()) {
    const part = all.slice(start, places[at + 1])
    if (part.length > 0) yield await Promise.resolve(make(part))
  }
}

const cuts = fc.array(fc.nat(70), { maxLength: 12 })

describe('verifyBlocks', () => {
  const pool = new RangePool(2)
  afterAll(() => pool[Symbol.asyncDispose]())

  it('L10: finds what verifyChain finds, however a log is cut into blocks, here and on other threads', async () => {
    await fc.assert(
      fc.asyncProperty(cuts, fc.nat(69), fc.nat(), fc.nat(9), fc.boolean(), async (at, place, offset, kind, rows) => {
        const item = items[place] ?? { entry: Buffer.alloc(0) }
        const entry = Buffer.from(item.entry)
        entry.writeUInt8(entry.readUInt8(offset % entry.length) ^ 4, offset % entry.length)
        const changed = [
          items,
          items.toSpliced(place, 1),
          items.toSpliced(place, 0, item),
          items.slice(0, place),
          items.with(place, { ...item, entry, leaf: recordHash(entry) }),
          items.with(place, { ...item, entry }),
          items.with(place, { ...item, leaf: leaves[(place + 1) % 70] }),
        ][kind % 7] // prettier-ignore
        const all = rows ? (changed ?? []) : (changed ?? []).map((one) => ({ entry: one.entry }))
        // A changed byte that is a line end makes other lines: the lines are what is verified then.
        if (!rows && all.some((one) => one.entry.includes(0x0a))) return
        const expected = { log: 'main', head }
        const known = await verifyChain(all, expected)
        for (const summarizer of [inTurns, pool]) {
          expect(await verifyBlocks(blocksOf(all, at, rows ? rowsOf : linesOf), expected, summarizer)).toEqual(known)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('L10: compares roots of checkpoints inside of blocks and at their edges', async () => {
    await fc.assert(
      fc.asyncProperty(cuts, fc.nat(70), fc.boolean(), async (at, size, isRight) => {
        const root = (isRight ? rootOf(leaves.slice(0, size)) : Buffer.alloc(32)).toString('hex')
        const expected = { log: 'main', head, checkpoints: [{ size, root }] }
        const result = await verifyBlocks(blocksOf(items, at, rowsOf), expected, inTurns)
        expect(result).toMatchObject(
          isRight ? { chain_valid: true } : { chain_valid: false, problem: 'checkpoint_mismatch' },
        )
      }),
      { numRuns: 50 },
    )
  })

  it('L10: a range comes to the subtrees that complete the tree before it, wherever it begins', () => {
    fc.assert(
      fc.property(fc.nat(69), fc.integer({ min: 1, max: 70 }), (from, length) => {
        const part = items.slice(from, from + length)
        const summary = summarizeRange(rowsOf(part))
        expect(summary).toMatchObject({ log: 'main', first: from, count: part.length })
        const frontier = new Frontier()
        for (const leaf of leaves.slice(0, from)) frontier.push(leaf)
        frontier.append(summary?.subtrees ?? [])
        expect(frontier.root()).toEqual(rootOf(leaves.slice(0, from + part.length)))
      }),
    )
  })

  it('T1: a thread that dies fails the replay, and does not let it wait for ever', async () => {
    await using dying = new RangePool(1)
    const block = { form: 'rows', bytes: new Uint8Array(10) } as const
    await expect(dying.summarize(block)).rejects.toThrow()
    await expect(dying.summarize({ form: 'lines', bytes: new Uint8Array(1) })).rejects.toThrow()
  })
})
