import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { formatEntry, genesisPrev, recordHash } from '#ledger'
import { fileTally, openExport, verifyExport } from './ledger-export.ts'
import { StartError } from './start-error.ts'

const folders: string[] = []
afterEach(() => Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true }))))

function chain(count: number): readonly string[] {
  const lines: string[] = []
  let prev = genesisPrev
  for (let seq = 0; seq < count; seq += 1) {
    const ts = `2026-11-21T12:00:00.${String(seq).padStart(6, '0')}Z`
    const line = formatEntry({ bodyJson: `{"n":${seq},"ü":"\u2028"}`, log: 'main', prev, seq, ts })
    prev = recordHash(Buffer.from(line)).toString('hex')
    lines.push(line)
  }
  return lines
}

async function exported(lines: readonly string[], manifestOf: readonly string[] = lines): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-export-'))
  folders.push(folder)
  const file = join(folder, 'main.ndjson')
  await writeFile(file, lines.map((line) => `${line}\n`).join(''))
  const tally = fileTally('main')
  for (const line of manifestOf) tally.add(line)
  await writeFile(`${file}.manifest.json`, tally.finish('main.ndjson'))
  return file
}

const whole = chain(300)

describe('an export into one file', () => {
  it('L13: verifies with the manifest beside it, which says where it ends, its root and its digest', async () => {
    const verdict = await verifyExport(await exported(whole))
    expect(verdict).toMatchObject({ chain_valid: true, log: 'main', from: 0, to: 299, entries: 300, manifest: true })
    expect(verdict.root).toMatch(/^[0-9a-f]{64}$/)
    expect(await verifyExport(await exported([]))).toMatchObject({ chain_valid: true, to: -1 })
  })

  it('L10: names the first bad entry of a file that was changed, cut or added to', async () => {
    const altered = whole.with(40, (whole[40] ?? '').replace('"n":40', '"n":41'))
    const bad = { chain_valid: false, file: 'main.ndjson' }
    expect(await verifyExport(await exported(altered, whole))).toMatchObject({
      ...bad,
      first_bad_seq: 40,
      problem: 'bad_link',
      line: 41,
    })
    expect(await verifyExport(await exported(whole.toSpliced(40, 1), whole))).toMatchObject({
      ...bad,
      first_bad_seq: 40,
      problem: 'gap',
    })
    expect(await verifyExport(await exported(whole.slice(0, 200), whole))).toMatchObject({
      ...bad,
      first_bad_seq: 200,
      problem: 'head_mismatch',
    })
    expect(await verifyExport(await exported(whole, whole.slice(0, 200)))).toMatchObject({
      ...bad,
      first_bad_seq: 200,
      problem: 'head_mismatch',
    })
    expect(await verifyExport(await exported(whole.with(9, 'x'.repeat(70_000)), whole))).toMatchObject({
      ...bad,
      first_bad_seq: 9,
      problem: 'bad_bytes',
    })
  })

  it('L10: where there is nothing to verify it says so, and what to do', async () => {
    await expect(verifyExport('/nowhere/x.ndjson')).rejects.toThrow(StartError)
    const file = await exported(whole)
    await expect(openExport(join(file, '..'), 'all', () => Promise.resolve([]))).rejects.toThrow(StartError)
    await writeFile(`${file}.manifest.json`, '{}')
    expect(await verifyExport(file)).toMatchObject({
      chain_valid: false,
      problem: 'bad_manifest',
      file: 'main.ndjson.manifest.json',
    })
  })
})
