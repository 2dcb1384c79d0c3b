import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { verifyChain, type SinkEntry, type SinkNotice } from '../index.ts'
import { FileSink } from './file.ts'
import { batchOf, chain, checkpoint, origin } from './sink.fixture.ts'

const parent = mkdtempSync(join(tmpdir(), 'portcullis-file-sink-'))
afterAll(() => rmSync(parent, { recursive: true }))

const entries = chain(60)
const main = { log: 'main', origin }

let folders = 0

interface Kept {
  readonly dir: string
  readonly file: string
  readonly notices: SinkNotice[]
  readonly open: () => FileSink
  /** As the forwarder does: goes on where the sink says, to the end. */
  readonly forward: (sink: FileSink, to: number, from?: readonly SinkEntry[]) => Promise<void>
}

function kept(): Kept {
  const dir = join(parent, String((folders += 1)), 'archive')
  const notices: SinkNotice[] = []
  return {
    dir,
    file: join(dir, 'main.ndjson'),
    notices,
    open: () => {
      const sink = new FileSink({ name: 'archive', dir, notice: (notice) => notices.push(notice) })
      onTestFinished(() => sink.close())
      return sink
    },
    forward: async (sink, to, from = entries) => {
      for (let next = await sink.next(main); next < to; next = await sink.next(main)) {
        await sink.send(batchOf(from.slice(next, Math.min(next + 7, to))))
      }
    },
  }
}

async function verifies(file: string): Promise<number | string> {
  const lines = readFileSync(file).toString().split('\n')
  expect(lines.pop()).toBe('')
  const result = await verifyChain(
    lines.map((line, seq) => ({ seq, entry: Buffer.from(line) })),
    { log: 'main' },
  )
  return result.chain_valid ? result.count : result.detail
}

describe('the file sink', () => {
  it('L9: keeps a log as lines that verify, in a file of its own that only its owner reads', async () => {
    const { dir, file, open, forward } = kept()
    const sink = open()
    await forward(sink, 60)
    expect(await verifies(file)).toBe(60)
    expect(readFileSync(file, 'utf8')).toBe(entries.map(({ entry }) => `${Buffer.from(entry).toString()}\n`).join(''))
    expect([statSync(dir).mode & 0o777, statSync(file).mode & 0o777]).toEqual([0o700, 0o600])
  })

  it('L9: a log whose name holds slashes and dots stays in the folder', async () => {
    const { dir, open } = kept()
    await open().next({ log: 'a/../../b', origin })
    expect(readdirSync(dir)).toEqual(['a%2F..%2F..%2Fb.ndjson'])
  })

  it('L9: goes on behind the last whole line, whatever a crash left, and adds what is missing of a torn one', async () => {
    const whole = entries
      .slice(0, 12)
      .map(({ entry }) => `${Buffer.from(entry).toString()}\n`)
      .join('')
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: Buffer.byteLength(whole) }), async (length) => {
        const { dir, file, open, forward, notices } = kept()
        mkdirSync(dir, { recursive: true })
        writeFileSync(file, Buffer.from(whole).subarray(0, length))
        await forward(open(), 20)
        expect(await verifies(file)).toBe(20)
        expect(notices).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('L9: a batch that is sent twice is there once', async () => {
    const { file, open } = kept()
    const sink = open()
    await sink.send(batchOf(entries.slice(0, 5)))
    await sink.send(batchOf(entries.slice(0, 5)))
    await sink.send(batchOf(entries.slice(2, 9)))
    expect(await verifies(file)).toBe(9)
  })

  it('L9: a file that was moved away is gone on with in a new one, and said', async () => {
    const { file, open, forward, notices } = kept()
    const sink = open()
    await forward(sink, 10)
    renameSync(file, `${file}.1`)
    await forward(sink, 20)
    expect(notices).toMatchObject([
      { what: 'moved', log: 'main', detail: expect.stringContaining('it goes on with entry 10') },
    ])
    writeFileSync(`${file}.all`, Buffer.concat([readFileSync(`${file}.1`), readFileSync(file)]))
    expect(await verifies(`${file}.all`)).toBe(20)
  })

  it.each([
    ['deleted', (file: string) => rmSync(file)],
    ['truncated', (file: string) => truncateSync(file, 0)],
    ['truncated', (file: string) => truncateSync(file, 1700)],
    ['deleted', (file: string) => (rmSync(file), writeFileSync(file, ''))],
  ] as const)('L9: a file that was %s is made whole again from the ledger, and said', async (what, harm) => {
    const { file, open, forward, notices } = kept()
    const sink = open()
    await forward(sink, 10)
    harm(file)
    await forward(sink, 20)
    expect(notices.map((notice) => notice.what)).toEqual([what])
    expect(await verifies(file)).toBe(20)
  })

  it('L9: knows the files of more logs than it keeps open, and what was done to them', async () => {
    const { dir, open, notices } = kept()
    const sink = open()
    const many = Array.from({ length: 300 }, (_, at) => ({ log: `log-${at}`, origin: `ledger.example/log-${at}` }))
    const of = (log: string): readonly SinkEntry[] => chain(2, 'fine', log)
    for (const log of many) {
      await sink.next(log)
      await sink.send({ ...log, entries: of(log.log).slice(0, 1) })
    }
    const descriptors = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
    expect(descriptors).toBeLessThan(300)
    truncateSync(join(dir, 'log-3.ndjson'), 0)
    for (const log of many) {
      const next = await sink.next(log)
      await sink.send({ ...log, entries: of(log.log).slice(next, 2) })
    }
    expect(notices).toMatchObject([{ what: 'truncated', log: 'log-3' }])
    for (const { log } of many) expect(readFileSync(join(dir, `${log}.ndjson`), 'utf8').split('\n')).toHaveLength(3)
  })

  it('L9: a file into which somebody else wrote is not gone on with', async () => {
    const { file, open, forward, notices } = kept()
    const sink = open()
    await forward(sink, 10)
    appendFileSync(file, 'hello\n')
    await expect(forward(sink, 20)).rejects.toThrow('is not an entry of the log main')
    await expect(forward(open(), 20)).rejects.toThrow('move the file away')
    expect(notices).toEqual([])
    truncateSync(file, readFileSync(file).length - 6)
    await forward(sink, 20)
    expect(await verifies(file)).toBe(20)
  })

  it('L9: entries of another past than the file are refused, and the file stays as it is', async () => {
    const { file, open, forward } = kept()
    await forward(open(), 10)
    const other = chain(20, 'another past')
    await expect(forward(open(), 20, other)).rejects.toThrow('entry 10 does not hold the hash of entry 9')
    appendFileSync(file, '{"body":{"to')
    await expect(forward(open(), 20, other)).rejects.toThrow('entry 10 does not hold the hash of entry 9')
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(11)
  })

  it('L9: text at its end that begins no entry is told, not overwritten', async () => {
    const { file, open, forward } = kept()
    await forward(open(), 3)
    appendFileSync(file, 'half a')
    await expect(forward(open(), 20)).rejects.toThrow('ends with text that is no beginning of entry 3')
  })

  it('L9: errors of the file system say what to do and go by themselves once it is done', async () => {
    const { dir, file, open, forward } = kept()
    const sink = open()
    mkdirSync(dir, { recursive: true })
    symlinkSync('/dev/null', file)
    await expect(sink.next(main)).rejects.toThrow('symbolic link')
    rmSync(file)
    await forward(sink, 5)
    rmSync(dir, { recursive: true })
    await expect(sink.next(main)).rejects.toThrow('ENOENT; the folder is gone: make it again')
    mkdirSync(dir)
    await forward(sink, 5)
    expect(await verifies(file)).toBe(5)
  })

  it('L8: checkpoints are kept in their own file, and the newest is read back', async () => {
    const { dir, open } = kept()
    const sink = open()
    expect(await sink.newest(main)).toBeUndefined()
    for (const size of [3, 7, 7]) await sink.publish(checkpoint(size))
    expect(await sink.newest(main)).toBe(checkpoint(7).note)
    expect(await open().newest(main)).toBe(checkpoint(7).note)
    expect(await sink.newest({ log: 'main', origin: 'elsewhere/main' })).toBeUndefined()
    expect(readFileSync(join(dir, 'main.checkpoints'), 'utf8')).toBe(`${checkpoint(3).note}\n${checkpoint(7).note}\n`)
  })

  it('L8: what a crash left of a checkpoint hides none of the others', async () => {
    const { dir, open, notices } = kept()
    const sink = open()
    await sink.publish(checkpoint(3))
    const file = join(dir, 'main.checkpoints')
    appendFileSync(file, checkpoint(7).note.slice(0, 40))
    expect(await sink.newest(main)).toBe(checkpoint(3).note)
    await sink.publish(checkpoint(9))
    expect(await sink.newest(main)).toBe(checkpoint(9).note)
    expect(notices).toMatchObject([{ what: 'extended', log: 'main' }])
    rmSync(file)
    await sink.publish(checkpoint(11))
    expect(notices).toMatchObject([{ what: 'extended' }, { what: 'deleted' }])
    expect(readFileSync(file, 'utf8')).toBe(`${checkpoint(11).note}\n`)
  })
})
