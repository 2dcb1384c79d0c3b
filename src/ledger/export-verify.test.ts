import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seal } from './bundle.ts'
import { exportTo, main, other, rootAt, signer, system } from './export.fixture.ts'
import { verifyExport, type ExportVerdict } from './export-verify.ts'

let root = ''
let pristine = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'portcullis-bundle-'))
  pristine = join(root, 'pristine')
  await exportTo(pristine)
})
afterAll(() => rm(root, { recursive: true }))

/** What belongs to the export, by name. */
const kept = new Map<string, Buffer>()

/** The verdict on a copy that was changed; the copy is put right again. */
async function verdictOn(change: (dir: string) => void): Promise<ExportVerdict> {
  const dir = join(root, 'work')
  if (kept.size === 0) {
    cpSync(pristine, dir, { recursive: true })
    for (const name of namesIn(dir)) kept.set(name, readFileSync(join(dir, name)))
  }
  try {
    change(dir)
    return await verifyExport(dir)
  } finally {
    for (const name of namesIn(dir)) if (!kept.has(name)) rmSync(join(dir, name))
    for (const [name, bytes] of kept) {
      mkdirSync(dirname(join(dir, name)), { recursive: true })
      if (!existsSync(join(dir, name)) || !readFileSync(join(dir, name)).equals(bytes))
        writeFileSync(join(dir, name), bytes)
    }
  }
}

function namesIn(dir: string): readonly string[] {
  const found = readdirSync(dir, { recursive: true, withFileTypes: true })
  return found.filter((entry) => entry.isFile()).map((entry) => relative(dir, join(entry.parentPath, entry.name)))
}

const entryFiles = (dir: string, log = 'main'): readonly string[] =>
  readdirSync(join(dir, log))
    .filter((name) => name.endsWith('.ndjson'))
    .toSorted()
    .map((name) => join(dir, log, name))

/** The lines of a log over all its files, changed, and put back into the same files by number of lines. */
function changeLines(dir: string, change: (lines: string[]) => string[]): void {
  const files = entryFiles(dir)
  const counts = files.map((file) => readFileSync(file, 'utf8').split('\n').length - 1)
  const lines = change(files.flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1)))
  files.forEach((file, at) => {
    const start = counts.slice(0, at).reduce((sum, one) => sum + one, 0)
    const end = at === files.length - 1 ? lines.length : start + (counts[at] ?? 0)
    writeFileSync(
      file,
      lines
        .slice(start, end)
        .map((line) => `${line}\n`)
        .join(''),
    )
  })
}

function flip(file: string, at: number, bit: number): void {
  const bytes = readFileSync(file)
  const place = at % bytes.length
  bytes[place] = (bytes[place] ?? 0) ^ (1 << bit)
  writeFileSync(file, bytes)
}

/** The seq of the line that a byte of a file of the log belongs to. */
function seqAt(file: string, at: number): number {
  const bytes = readFileSync(file)
  const before =
    bytes
      .subarray(0, at % bytes.length)
      .toString('latin1')
      .split('\n').length - 1
  return Number(/(\d{16})\.ndjson$/.exec(file)?.[1]) + before
}

describe('an export', () => {
  it('L10: verifies as it is, with the checkpoint that it holds', async () => {
    expect(entryFiles(pristine).length).toBeGreaterThan(3)
    const verdict = await verifyExport(pristine, { keys: [] })
    expect(verdict).toMatchObject({
      chain_valid: true,
      log: 'main',
      from: 0,
      to: 59,
      entries: 60,
      root: rootAt(main, 60),
      checkpoint_size: 50,
      signed_by: [],
    })
    expect(verdict.logs.map(({ log, entries }) => [log, entries])).toEqual([['main', 60], ['system', 9]]) // prettier-ignore
    const signed = await verifyExport(join(pristine, 'main'), { keys: [signer.vkey] })
    expect(signed).toMatchObject({ chain_valid: true, checkpoint_size: 50, signed_by: ['ledger.example/main'] })
  })

  it('L10: any flipped bit of an entry is found, and the entry named with its file and line', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(7), async (which, at, bit) => {
        const files = entryFiles(pristine)
        const file = files[which % files.length] ?? ''
        const seq = seqAt(file, at)
        const verdict = await verdictOn((dir) => flip(file.replace(pristine, dir), at, bit))
        expect(verdict).toMatchObject({ chain_valid: false, log: 'main', first_bad_seq: seq, to: seq - 1 })
        expect(verdict.file).toBe(`main/${file.slice(-23)}`)
        expect(verdict.line).toBe(seq - Number(file.slice(-23, -7)) + 1)
      }),
      { numRuns: 80 },
    )
  })

  it('L10: any flipped bit of a manifest, of its checkpoint, or of the index of logs is found, and the file named', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('main/manifest.json', 'system/manifest.json', 'export.json'),
        fc.nat(),
        fc.nat(7),
        async (name, at, bit) => {
          const verdict = await verdictOn((dir) => flip(join(dir, name), at, bit))
          expect(verdict).toMatchObject({ chain_valid: false, problem: 'bad_manifest', file: name })
        },
      ),
      { numRuns: 40 },
    )
  })

  it('L10: a deleted, repeated or moved entry is found and its place named, wherever files begin and end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(59), fc.nat(59), async (a, b) => {
        const deleted = await verdictOn((dir) => changeLines(dir, (lines) => lines.toSpliced(a, 1)))
        expect(deleted).toMatchObject({
          chain_valid: false,
          first_bad_seq: a,
          problem: a === 59 ? 'head_mismatch' : 'gap',
        })
        const repeated = await verdictOn((dir) => changeLines(dir, (lines) => lines.toSpliced(a, 0, lines[a] ?? '')))
        expect(repeated).toMatchObject({ chain_valid: false, first_bad_seq: a + 1 })
        if (a === b) return
        const swapped = await verdictOn((dir) =>
          changeLines(dir, (lines) => lines.with(a, lines[b] ?? '').with(b, lines[a] ?? '')),
        )
        expect(swapped).toMatchObject({ chain_valid: false, first_bad_seq: Math.min(a, b) })
      }),
      { numRuns: 20 },
    )
  })

  it('L10: an entry of another log, and an entry with another history, are found and named', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(59), async (at) => {
        const foreign = system[at % system.length]?.toString() ?? ''
        const mixed = await verdictOn((dir) => changeLines(dir, (lines) => lines.with(at, foreign)))
        expect(mixed).toMatchObject({ chain_valid: false, first_bad_seq: at })
        const replaced = await verdictOn((dir) =>
          changeLines(dir, (lines) => lines.with(at, other[at]?.toString() ?? '')),
        )
        expect(replaced).toMatchObject({ chain_valid: false, first_bad_seq: at })
      }),
      { numRuns: 25 },
    )
    const log = await verdictOn((dir) => {
      rmSync(join(dir, 'system'), { recursive: true })
      cpSync(join(dir, 'main'), join(dir, 'system'), { recursive: true })
    })
    expect(log).toMatchObject({
      chain_valid: false,
      log: 'system',
      problem: 'bad_manifest',
      file: 'system/manifest.json',
    })
  })

  it('L10: a file that is cut at any byte is found, and the first entry that is not whole named', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), async (which, at) => {
        const files = entryFiles(pristine)
        const file = files[which % files.length] ?? ''
        const size = statSync(file).size
        const seq = seqAt(file, at)
        const verdict = await verdictOn((dir) => {
          writeFileSync(file.replace(pristine, dir), readFileSync(file).subarray(0, at % size))
        })
        // Cut before its line end, an entry is whole, and what is missing comes after it.
        const isWhole = readFileSync(file)[at % size] === 0x0a && seqAt(file, size - 1) > seq
        expect(verdict).toMatchObject({ chain_valid: false, first_bad_seq: isWhole ? seq + 1 : seq })
      }),
      { numRuns: 40 },
    )
    const [first = ''] = entryFiles(pristine)
    const verdict = await verdictOn((dir) => {
      writeFileSync(first.replace(pristine, dir), readFileSync(first).subarray(0, -1))
    })
    expect(verdict.problem).toMatch(/torn_file|bad_bytes/)
  })

  it('L10: a missing file, a foreign file and a missing log are named', async () => {
    const [, second = ''] = entryFiles(pristine)
    const name = second.slice(-23)
    expect(await verdictOn((dir) => rmSync(second.replace(pristine, dir)))).toMatchObject({
      problem: 'missing_file',
      first_bad_seq: Number(name.slice(0, 16)),
      file: `main/${name}`,
    })
    expect(await verdictOn((dir) => writeFileSync(join(dir, 'main', 'x'), ''))).toMatchObject({
      problem: 'unknown_file',
      file: 'main/x',
    })
    expect(await verdictOn((dir) => writeFileSync(join(dir, 'x'), ''))).toMatchObject({
      problem: 'unknown_file',
      file: 'x',
    })
    expect(await verdictOn((dir) => rmSync(join(dir, 'system'), { recursive: true }))).toMatchObject({
      problem: 'missing_file',
      log: 'system',
      file: 'system',
    })
    expect(await verdictOn((dir) => rmSync(join(dir, 'main/manifest.json')))).toMatchObject({
      problem: 'missing_file',
      file: 'main/manifest.json',
    })
  })

  it('L10: bytes put in anywhere are found', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.constantFrom('\n', ' ', 'x', '{}\n', '\r'), async (which, at, text) => {
        const files = entryFiles(pristine)
        const file = files[which % files.length] ?? ''
        const verdict = await verdictOn((dir) => {
          const bytes = readFileSync(file)
          const place = at % bytes.length
          writeFileSync(
            file.replace(pristine, dir),
            Buffer.concat([bytes.subarray(0, place), Buffer.from(text), bytes.subarray(place)]),
          )
        })
        // A line end put in before a line end leaves the entry whole: the line without an entry comes after it.
        const pristineBytes = readFileSync(file)
        const isWhole = text === '\n' && pristineBytes[at % pristineBytes.length] === 0x0a
        expect(verdict).toMatchObject({ chain_valid: false, first_bad_seq: seqAt(file, at) + (isWhole ? 1 : 0) })
      }),
      { numRuns: 40, examples: [[0, readFileSync(entryFiles(pristine)[0] ?? '').indexOf(0x0a), '\n']] },
    )
  })
})

describe('what was never an export', () => {
  it('T4: any bytes in the place of any file have a verdict or are said to be no export', async () => {
    const lines = main.map((entry) => entry.toString())
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((json) => Buffer.from(json)),
      fc.array(fc.constantFrom(...lines, '', '{', '"'), { maxLength: 6 }).map((some) => Buffer.from(some.join('\n'))),
      fc
        .dictionary(
          fc.constantFrom('format', 'logs', 'log', 'files', 'start', 'from'),
          fc.oneof(fc.string({ unit: 'grapheme-ascii' }), fc.nat(), fc.array(fc.nat())),
        )
        .map((value) => Buffer.from(seal({ format: 'portcullis-ledger-bundle/1', ...value }))),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('export.json', 'main/manifest.json', 'main/0000000000000000.ndjson'),
        text,
        async (name, bytes) => {
          const verdict = await verdictOn((dir) => writeFileSync(join(dir, name), bytes))
          expect(verdict.chain_valid).toBe(false)
        },
      ),
      { numRuns: 100 },
    )
    await fc.assert(
      fc.asyncProperty(text, async (bytes) => {
        const file = join(root, 'any')
        writeFileSync(file, bytes)
        expect(typeof (await verifyExport(file)).chain_valid).toBe('boolean')
      }),
      { numRuns: 100 },
    )
  })
})
