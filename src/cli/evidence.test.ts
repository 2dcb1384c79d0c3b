import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, runLine } from './fakes.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-evidence-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const report = file('report.json', '{"summary":{}}\n')
const sha256 = createHash('sha256').update('{"summary":{}}\n').digest('hex')
const zeros = '0'.repeat(64)

/** An export of one entry, in which somebody recorded the report with that digest. */
function exported(name: string, digest: string, prev = zeros): string {
  const body = {
    args: { reportSha256: digest },
    caller: { id: 'ada\u001B[2J' },
    method: '/portcullis.v1.PostureService/RecordReport',
    outcome: 'allow',
  }
  const entry = { body, log: 'main', prev, seq: 0, ts: '2026-11-21T12:00:00.000000Z', v: 1 }
  return file(name, `${JSON.stringify(entry)}\n`)
}

describe('verify evidence', () => {
  it('V5: says when a report was recorded, by whom and where; --json has the digest and the entries', async () => {
    const ledger = exported('good.ndjson', sha256)
    const { code, out } = await runLine(`verify evidence ${report} --offline ${ledger}`)
    expect([code, out]).toEqual([
      0,
      'Recorded at 2026-11-21T12:00:00.000000Z by ' + String.raw`ada\u{1b}[2J, entry 0 of the log main.` + '\n',
    ])
    const json = await runLine(`verify evidence ${report} --offline ${ledger} --json`)
    expect(JSON.parse(json.out)).toMatchObject({
      recorded: true,
      reportSha256: sha256,
      chain_valid: true,
      entries: [{ log: 'main', seq: 0 }],
    })
  })

  it('V5: an export without the report, or one that is broken, proves nothing', async () => {
    const other = await runLine(`verify evidence ${report} --offline ${exported('other.ndjson', zeros)}`)
    expect([other.code, other.out]).toEqual([1, ''])
    expect(other.err).toContain('No entry of this export says that this report was recorded. [verify.not_recorded]')
    const broken = exported('broken.ndjson', sha256, 'f'.repeat(64))
    const { code, err } = await runLine(`verify evidence ${report} --offline ${broken}`)
    expect(code).toBe(1)
    expect(err).toContain('The export is broken, and proves nothing.')
    expect(err).toContain(`\`portcullis ledger verify --offline ${broken}\` says what is wrong.`)
    const json = await runLine(`verify evidence ${report} --offline ${broken} --json`)
    expect([json.code, json.err]).toEqual([1, ''])
    expect(JSON.parse(json.out)).toMatchObject({ recorded: false, chain_valid: false, entries: [] })
  })

  it('V5: what is no export is a mistake that says what to name', async () => {
    const { code, err } = await runLine(`verify evidence ${report} --offline ${join(folder, 'nowhere')}`)
    expect(code).toBe(2)
    expect(err).toContain('nowhere cannot be verified: ')
    expect(err).toContain('that `portcullis ledger export` wrote')
    const none = await runLine(`verify evidence ${join(folder, 'none.json')} --offline x`)
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('none.json cannot be read (ENOENT)')])
  })
})

describe('verify reports', () => {
  it('V5: lists what was recorded, counting conflicts as failures and errors as unknown', async () => {
    const recorded = {
      id: 'rep_1',
      reportSha256: sha256,
      target: 'repo',
      summary: { fail: '2', conflict: '1', unknown: '3', error: '1', warn: '4', waived: '5', pass: '60' },
      createdAt: '2026-11-21T11:00:00Z',
    }
    await using server = await fakeServer((_, count) => ({ body: count === 2 ? {} : { reports: [recorded] } }))
    const io = () => fakeIo({ env: { PORTCULLIS_URL: server.url, PORTCULLIS_KEY: 'pc_x' } })
    const { code, out } = await runLine('verify reports --target repo', io())
    expect([code, server.seen[0]?.message['target']]).toEqual([0, 'repo'])
    const cells = ['rep_1', '1 hour ago', 'repo', '3', '4', '4', '5', '60', sha256.slice(0, 12)]
    expect(out.split('\n')[1]?.split(/ {2,}/)).toEqual(cells)
    const none = await runLine('verify reports', io())
    expect([none.out, none.err]).toEqual(['', 'No report was recorded yet: `portcullis verify --record` does.\n'])
    const json = await runLine('verify reports --json', io())
    expect(JSON.parse(json.out).reports[0]).toMatchObject({ id: 'rep_1', summary: { fail: 2, pass: 60 } })
  })
})
