import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seal } from './bundle.ts'
import { BundleWriter } from './bundle-writer.ts'
import { signCheckpoint } from './checkpoint.ts'
import { genesisPrev, recordHash } from './entry.ts'
import {
  checkpointOf,
  exportTo,
  fileBytes,
  frontierAt,
  keys,
  main,
  other,
  planned,
  rootAt,
  signer,
  system,
} from './export.fixture.ts'
import { ExportFolder } from './export-folder.ts'
import { ExportUnusable, verifyExport } from './export-verify.ts'
import { makeEntries } from './log.fixture.ts'
import { signerOf } from './note.ts'

let root = ''
let pristine = ''
let made = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'portcullis-bundle-'))
  pristine = join(root, 'pristine')
  await exportTo(pristine)
})
afterAll(() => rm(root, { recursive: true }))

describe('a whole log that was written anew', () => {
  async function forged(): Promise<string> {
    made += 1
    const dir = join(root, `forged-${made}`)
    const writer = new BundleWriter(dir, { log: 'main', from: 0, prev: genesisPrev }, fileBytes)
    for (const entry of other) writer.add(entry)
    writer.finish()
    return Promise.resolve(dir)
  }

  it('L10: passes by itself, and is found by a checkpoint that was kept elsewhere', async () => {
    const dir = await forged()
    expect(await verifyExport(dir)).toMatchObject({ chain_valid: true, checkpoint_size: 0 })
    const elsewhere = checkpointOf(main, 40)
    const found = await verifyExport(dir, { checkpoints: [elsewhere], keys: [signer.vkey] })
    expect(found).toMatchObject({ chain_valid: false, problem: 'checkpoint_mismatch' })
    expect(await verifyExport(join(pristine, 'main'), { checkpoints: [elsewhere], keys: [signer.vkey] })).toMatchObject(
      {
        chain_valid: true,
        checkpoint_size: 50,
      },
    )
  })

  it('L10: with a key, an export without a checkpoint does not pass, nor one that another key or another log signed', async () => {
    const dir = await forged()
    const problem = 'bad_checkpoint'
    expect(await verifyExport(dir, { keys: [signer.vkey] })).toMatchObject({ chain_valid: false, problem })
    const stranger = signerOf('ledger.example/main', generateKeyPairSync('ed25519').privateKey)
    expect(await verifyExport(join(pristine, 'main'), { keys: [stranger.vkey] })).toMatchObject({
      chain_valid: false,
      problem,
    })
    const elsewhere = signerOf('ledger.example/system', keys.privateKey)
    expect(await verifyExport(join(pristine, 'main'), { keys: [elsewhere.vkey] })).toMatchObject({
      chain_valid: false,
      problem,
    })
    const ofSystem = signCheckpoint({ origin: 'ledger.example/system', size: 50, root: rootAt(main, 50) }, [signer])
    expect(await verifyExport(join(pristine, 'main'), { checkpoints: [ofSystem] })).toMatchObject({
      chain_valid: false,
      problem,
    })
  })

  it('L10: a checkpoint over more entries than there are names the first that is missing', async () => {
    const found = await verifyExport(join(pristine, 'main'), { checkpoints: [checkpointOf([...main, ...system], 65)] })
    expect(found).toMatchObject({ chain_valid: false, problem: 'checkpoint_mismatch', first_bad_seq: 60 })
  })
})

describe('an export that begins later', () => {
  const from = 23
  const pruneAt = 40
  const pruneBody = (below: number, rootBelow: string, log = 'main'): string =>
    `{"args":{"below":${below},"log":"${log}","root":"${rootBelow}"},"kind":"ledger.prune"}`
  // With a character that other readers take for the end of a line.
  const ordinary = (seq: number): string => `{"id":"ent_${seq} \u2028"}`
  /** A log that says at 40 what it lost before 23. */
  const whole = (body: string): readonly Buffer[] =>
    makeEntries(60, 'main', (seq) => (seq === pruneAt ? body : ordinary(seq)))
  const right = pruneBody(from, rootAt(whole('{}'), from))
  const log = whole(right)

  function written(
    entries: readonly Buffer[],
    prunes: readonly (Buffer | undefined)[],
    frontier: Uint8Array | undefined,
  ): string {
    made += 1
    const dir = join(root, `later-${made}`)
    const prev = recordHash(entries[from - 1] ?? Buffer.alloc(0)).toString('hex')
    const writer = new BundleWriter(dir, { log: 'main', from, prev, frontier }, fileBytes)
    for (const entry of entries.slice(from)) writer.add(entry)
    writer.finish({ prunes: prunes.map(String), checkpoint: checkpointOf(entries, 50) })
    return dir
  }

  it('L12: one that a prune entry of the log explains was cut by policy, and its root is still that of the whole log', async () => {
    const dir = written(log, [log[pruneAt]], frontierAt(log, from).toBytes())
    expect(await verifyExport(dir, { keys: [signer.vkey] })).toMatchObject({
      chain_valid: true,
      from,
      root: rootAt(log, 60),
      pruned_below: from,
      checkpoint_size: 50,
    })
  })

  it('L12: one that nothing explains is a part of a log, and a prune entry that does not fit is found', async () => {
    const frontier = frontierAt(log, from).toBytes()
    const verdict = await verifyExport(written(log, [], frontier))
    expect(verdict).toMatchObject({ chain_valid: true, from })
    expect(verdict).not.toHaveProperty('pruned_below')
    const problem = 'bad_prune'
    const otherRoot = whole(pruneBody(from, rootAt(log, from - 1)))
    expect(await verifyExport(written(otherRoot, [otherRoot[pruneAt]], frontier))).toMatchObject({ problem })
    const otherLog = whole(pruneBody(from, rootAt(log, from), 'system'))
    expect(await verifyExport(written(otherLog, [otherLog[pruneAt]], frontier))).toMatchObject({ problem })
    expect(await verifyExport(written(log, [Buffer.from('{}')], frontier))).toMatchObject({ problem })
    // It fits, and does not stand in the log.
    const without = whole('{}')
    expect(await verifyExport(written(without, [log[pruneAt]], frontier))).toMatchObject({
      chain_valid: false,
      problem,
    })
    expect(await verifyExport(written(log, [], frontierAt(other, from).toBytes()))).toMatchObject({
      problem: 'checkpoint_mismatch',
    })
  })

  it('L10: without what stands before it links are verified and no root, so no checkpoint either', async () => {
    const dir = written(log, [], undefined)
    expect(await verifyExport(dir)).toMatchObject({ chain_valid: true, root: '', checkpoint_size: 0 })
    expect(await verifyExport(dir, { keys: [signer.vkey] })).toMatchObject({ problem: 'bad_checkpoint' })
  })
})

describe('a torn export', () => {
  it('L13: goes on where it stopped, whatever was cut off, and ends as if it had never stopped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(59), fc.nat(600), async (count, cut) => {
        made += 1
        const dir = join(root, `torn-${made}`)
        const plan = { log: 'main', from: 0, prev: genesisPrev }
        const first = new BundleWriter(dir, plan, fileBytes)
        for (const entry of main.slice(0, count)) first.add(entry)
        first.abandon()
        const last = existsSync(dir) ? readdirSync(dir).toSorted().at(-1) : undefined
        if (last !== undefined) {
          const bytes = readFileSync(join(dir, last))
          writeFileSync(join(dir, last), bytes.subarray(0, Math.max(0, bytes.length - cut)))
        }
        const second = new BundleWriter(dir, plan, fileBytes)
        expect(second.next).toBeLessThanOrEqual(count)
        for (const entry of main.slice(second.next)) second.add(entry)
        second.finish({ checkpoint: checkpointOf(main, 50) })
        for (const name of readdirSync(dir)) {
          expect(readFileSync(join(dir, name), 'utf8')).toBe(readFileSync(join(pristine, 'main', name), 'utf8'))
        }
        expect(readdirSync(dir)).toEqual(readdirSync(join(pristine, 'main')))
      }),
      { numRuns: 20 },
    )
  })

  it('L13: is not verified, not overwritten by another, and says what to do', async () => {
    const dir = join(root, 'half')
    await ExportFolder.open(dir, '--log main', () => Promise.resolve([planned('main', 60)]))
    await expect(verifyExport(dir)).rejects.toThrow('the export is not complete')
    await expect(ExportFolder.open(dir, '--log other', () => Promise.resolve([]))).rejects.toThrow('another export')
    const again = await ExportFolder.open(dir, '--log main', () => Promise.reject(new Error('asked again')))
    expect(again.logs).toEqual([planned('main', 60)])
    await expect(ExportFolder.open(pristine, 'all', () => Promise.resolve([]))).rejects.toThrow('whole export already')
    await expect(ExportFolder.open(join(pristine, 'main'), 'all', () => Promise.resolve([]))).rejects.toThrow(
      'not empty',
    )
    expect(() => new BundleWriter(join(pristine, 'main'), { log: 'main', from: 0, prev: genesisPrev })).toThrow(
      'whole bundle',
    )
  })
})

describe('a file of entries', () => {
  const file = (): string => join(root, 'plain.ndjson')
  const write = (entries: readonly (Buffer | string)[]): void =>
    writeFileSync(file(), entries.map((entry) => `${entry.toString()}\n`).join(''))

  it('L10: verifies without a manifest, from its first entry on, and names a bad one', async () => {
    write(main)
    expect(await verifyExport(file())).toMatchObject({
      chain_valid: true,
      manifest: false,
      to: 59,
      root: rootAt(main, 60),
    })
    expect(await verifyExport(file(), { keys: [signer.vkey], checkpoints: [checkpointOf(main, 50)] })).toMatchObject({
      chain_valid: true,
      checkpoint_size: 50,
    })
    write(main.slice(7))
    expect(await verifyExport(file())).toMatchObject({ chain_valid: true, from: 7, to: 59, root: '' })
    write(main.toSpliced(30, 1))
    expect(await verifyExport(file())).toMatchObject({
      chain_valid: false,
      first_bad_seq: 30,
      problem: 'gap',
      line: 31,
    })
    write(main.with(30, Buffer.from('x'.repeat(3_000_000))))
    expect(await verifyExport(file())).toMatchObject({ chain_valid: false, first_bad_seq: 30, problem: 'bad_bytes' })
    write([])
    expect(await verifyExport(file())).toMatchObject({ chain_valid: true, entries: 0 })
  })

  it('L10: what is no export is said to be none', async () => {
    await expect(verifyExport(join(root, 'nowhere'))).rejects.toThrow(ExportUnusable)
    await expect(verifyExport(root)).rejects.toThrow('this is no export')
    const empty = join(root, 'empty.json')
    writeFileSync(empty, seal({ format: 'x' }))
    expect(await verifyExport(empty)).toMatchObject({ chain_valid: false, problem: 'bad_bytes' })
  })
})
