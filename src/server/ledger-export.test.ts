import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { formatEntry, genesisPrev, recordHash } from '#ledger'
import { exportTally, verifyExport } from './ledger-export.ts'
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

async function exported(lines: readonly string[], manifestOf: readonly string[] | undefined = lines): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-export-'))
  folders.push(folder)
  const file = join(folder, 'main.ndjson')
  await writeFile(file, lines.map((line) => `${line}\n`).join(''))
  if (manifestOf === undefined) return file
  const tally = exportTally()
  for (const line of manifestOf) tally.add(line)
  await writeFile(`${file}.manifest.json`, JSON.stringify(tally.finish()))
  return file
}

const whole = chain(300)

describe('an export', () => {
  it('L13: its manifest names the range, the root and the digest of the file', async () => {
    const file = await exported(whole)
    const manifest = JSON.parse(await readFile(`${file}.manifest.json`, 'utf8'))
    expect(manifest).toMatchObject({ log: 'main', from: 0, to: 299, entries: 300, root: expect.any(String) })
    const later = exportTally()
    for (const line of whole.slice(7)) later.add(line)
    expect(later.finish()).toMatchObject({ from: 7, to: 299, entries: 293, root: null })
  })

  it('L10: verifies offline, with its manifest and, told apart, without', async () => {
    const manifest = JSON.parse(await readFile(`${await exported(whole)}.manifest.json`, 'utf8'))
    expect(await verifyExport(await exported(whole))).toMatchObject({
      chain_valid: true,
      log: 'main',
      from: 0,
      to: 299,
      root: manifest.root,
      manifest: true,
    })
    const { file } = { file: await exported(whole) }
    await rm(`${file}.manifest.json`)
    expect(await verifyExport(file)).toMatchObject({ chain_valid: true, manifest: false })
    expect(await verifyExport(await exported([]))).toMatchObject({ chain_valid: true, to: -1 })
  })

  it('L10: names the first bad entry of a file that was changed, cut or added to', async () => {
    const altered = whole.with(40, (whole[40] ?? '').replace('"n":40', '"n":41'))
    expect(await verifyExport(await exported(altered, whole))).toMatchObject({
      chain_valid: false,
      first_bad_seq: 40,
      problem: 'bad_link',
    })
    expect(await verifyExport(await exported(whole.toSpliced(40, 1), whole))).toMatchObject({
      first_bad_seq: 40,
      problem: 'gap',
    })
    expect(await verifyExport(await exported(whole.slice(0, 200), whole))).toMatchObject({
      first_bad_seq: 200,
      problem: 'head_mismatch',
    })
    expect(await verifyExport(await exported(whole, whole.slice(0, 200)))).toMatchObject({
      chain_valid: false,
      problem: 'head_mismatch',
    })
    expect(await verifyExport(await exported(whole.with(9, 'x'.repeat(70_000)), whole))).toMatchObject({
      first_bad_seq: 9,
      problem: 'bad_bytes',
    })
  })

  it('L10: where there is nothing to verify it says so, and what to do', async () => {
    await expect(verifyExport('/nowhere/x.ndjson')).rejects.toThrow(StartError)
    await expect(verifyExport(await exported(whole.slice(5)))).rejects.toThrow('does not begin at the first entry')
    const file = await exported(whole)
    await writeFile(`${file}.manifest.json`, '{}')
    await expect(verifyExport(file)).rejects.toThrow('the manifest is not one of an export')
  })
})
