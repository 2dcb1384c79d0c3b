import { execFileSync, spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { formatEntry, genesisPrev, recordHash, sinkClasses, verifyChain, type SinkEntry } from '#ledger'

// Mounting and file attributes need root.
const isRoot = process.getuid?.() === 0
const parent = mkdtempSync(join(tmpdir(), 'portcullis-sink-disk-'))
afterAll(() => rmSync(parent, { recursive: true }))

const log = { log: 'main', origin: 'ledger.example/main' }

function chain(count: number, bytes: number): readonly SinkEntry[] {
  const entries: SinkEntry[] = []
  for (let seq = 0; seq < count; seq += 1) {
    const prev = Buffer.from(entries.at(-1)?.leaf ?? []).toString('hex') || genesisPrev
    const bodyJson = `{"filler":"${'x'.repeat(bytes)}"}`
    const entry = Buffer.from(formatEntry({ bodyJson, log: 'main', prev, seq, ts: '2026-11-21T18:45:29.000000Z' }))
    entries.push({ seq, entry, leaf: recordHash(entry) })
  }
  return entries
}

function sinkIn(dir: string) {
  const sink = new sinkClasses.file({ name: 'file', dir, notice: () => undefined })
  onTestFinished(() => sink.close())
  return {
    sink,
    forward: async (entries: readonly SinkEntry[]) => {
      for (let next = await sink.next(log); next < entries.length; next = await sink.next(log)) {
        await sink.send({ ...log, entries: entries.slice(next, next + 10) })
      }
    },
  }
}

async function verified(dir: string): Promise<number> {
  const lines = readFileSync(join(dir, 'main.ndjson'), 'utf8').split('\n').slice(0, -1)
  const items = lines.map((line, seq) => ({ seq, entry: Buffer.from(line) }))
  expect(await verifyChain(items, { log: 'main' })).toMatchObject({ chain_valid: true })
  return lines.length
}

function mounted(): string {
  const dir = mkdtempSync(join(parent, 'disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir])
  onTestFinished(() => void spawnSync('umount', ['-l', dir]))
  return dir
}

describe.runIf(isRoot)('the disk of a file sink', () => {
  it('T1: is full: nothing is acknowledged, and it goes on by itself once there is room', async () => {
    const dir = mounted()
    const { forward } = sinkIn(dir)
    const entries = chain(100, 8000)
    await forward(entries.slice(0, 60))
    writeFileSync(join(dir, 'ballast'), Buffer.alloc(400_000))
    await expect(forward(entries)).rejects.toThrow(/full/)
    expect(await verified(dir)).toBeLessThan(100)
    rmSync(join(dir, 'ballast'))
    await forward(entries)
    expect(await verified(dir)).toBe(100)
  })

  it('T1: becomes read-only: that is said, and it goes on by itself afterwards', async () => {
    const dir = mounted()
    mkdirSync(join(dir, 'archive'))
    const first = sinkIn(join(dir, 'archive'))
    const entries = chain(30, 100)
    await first.forward(entries.slice(0, 10))
    await first.sink.close()
    execFileSync('mount', ['-o', 'remount,ro', dir])
    const { forward } = sinkIn(join(dir, 'archive'))
    await expect(forward(entries)).rejects.toThrow('EROFS; the file system is read-only')
    execFileSync('mount', ['-o', 'remount,rw', dir])
    await forward(entries)
    expect(await verified(join(dir, 'archive'))).toBe(30)
  })

  it('L9: files that can only be added to (chattr +a) are gone on with, also behind a torn entry', async () => {
    const dir = join(parent, 'append-only')
    const file = join(dir, 'main.ndjson')
    const entries = chain(30, 100)
    await sinkIn(dir).forward(entries.slice(0, 10))
    appendFileSync(file, Buffer.from(entries[10]?.entry ?? []).subarray(0, 50))
    execFileSync('chattr', ['+a', file])
    onTestFinished(() => void execFileSync('chattr', ['-a', file]))
    await sinkIn(dir).forward(entries)
    expect(await verified(dir)).toBe(30)
  })
})
