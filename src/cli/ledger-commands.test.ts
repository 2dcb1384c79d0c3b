import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { loadServerRoom } from './server-room.ts'
import { fakeIo, fakeServer, fakeServerRoom, runLine, type FakeIo, type FakeServer, type Seen } from './fakes.ts'

const folders: string[] = []
afterEach(() => Promise.all(folders.splice(0).map((made) => rm(made, { recursive: true }))))

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'portcullis-cli-'))
  folders.push(made)
  return made
}

function ioFor({ url }: FakeServer): FakeIo {
  return fakeIo({ env: { PORTCULLIS_URL: url, PORTCULLIS_KEY: 'pc_x' } })
}

const good = { chainValid: true, log: 'main', from: '0', to: '41', root: 'ab' }

describe('ledger verify', () => {
  it('L10: says what is valid, or with --json gives the result with its published names', async () => {
    await using server = await fakeServer(() => ({ body: good }))
    const said = await runLine('ledger verify', ioFor(server))
    expect([said.code, said.out]).toEqual([
      0,
      'The chain of the log main is valid: entries 0 to 41, every link and hash holds.\nroot: ab\n',
    ])
    const json = await runLine('ledger verify --log main --json', ioFor(server))
    expect(server.seen.map(({ message }) => message)).toEqual([{ log: '' }, { log: 'main' }])
    expect(JSON.parse(json.out)).toEqual({
      chain_valid: true,
      log: 'main',
      from: 0,
      to: 41,
      root: 'ab',
      checkpoint_size: 0,
      anchored_size: 0,
    })
  })

  it('L10: a broken chain ends with 1 and names the first bad entry', async () => {
    const body = { ...good, chainValid: false, to: '6', firstBadSeq: '7', problem: 'gap: entry 7 is missing' }
    await using server = await fakeServer(() => ({ body }))
    const said = await runLine('ledger verify', ioFor(server))
    expect([said.code, said.out]).toEqual([1, ''])
    expect(said.err).toContain('The chain of the log main is broken. The first bad entry is 7. [ledger.broken]')
    expect(said.err).toContain('gap: entry 7 is missing')
    const json = await runLine('ledger verify --json', ioFor(server))
    expect([json.code, json.err]).toEqual([1, ''])
    expect(JSON.parse(json.out)).toMatchObject({ chain_valid: false, first_bad_seq: 7, problem: body.problem })
  })

  it('L10: --offline asks no server, and says where there is no manifest', async () => {
    const one = {
      chain_valid: true,
      log: 'main',
      from: 0,
      to: 3,
      entries: 4,
      root: 'ab',
      detail: '',
      manifest: false,
      checkpoint_size: 0,
      signed_by: [],
    }
    const verdict = { ...one, logs: [one] }
    const io = fakeIo({
      env: { PORTCULLIS_URL: 'http://127.0.0.1:1' },
      server: () => Promise.resolve(fakeServerRoom({ verifyExport: () => Promise.resolve(verdict) })),
    })
    const { code, out } = await runLine('ledger verify --offline x.ndjson', io)
    expect(code).toBe(0)
    expect(out).toContain('There is no manifest beside the file')
  })
})

describe('ledger export', () => {
  const size = 5
  const texts = ((): readonly string[] => {
    let prev = '0'.repeat(64)
    return Array.from({ length: size }, (_, seq) => {
      const body = `{"method":"m","outcome":"allow","reason":"=${seq}"}`
      const text = `{"body":${body},"log":"main","prev":"${prev}","seq":${seq},"ts":"2026-11-21T12:00:00.00000${seq}Z","v":1}`
      prev = createHash('sha256').update(`\0${text}`).digest('hex')
      return text
    })
  })()
  const row = (seq: number) => ({
    log: 'main',
    seq: String(seq),
    ts: '2026-11-21T12:00:00Z',
    previousHash: 'a',
    recordHash: 'b',
    entryJson: texts[seq],
  })
  const answers = ({ path, message }: Seen) => {
    if (path.endsWith('/GetLogs')) return { body: { logs: [{ log: 'main', size: String(size), pruneSeq: '-1' }] } }
    if (path.endsWith('/GetCheckpoint')) return { body: {} }
    if (path.endsWith('/Query')) {
      if (message['pageSize'] === 1) return { body: { entries: [row(4)] } }
      return message['pageToken'] === ''
        ? { body: { entries: [row(4), row(3)], nextPageToken: 'next' } }
        : { body: { entries: [row(1)] } }
    }
    const from = Number(message['fromSeq'])
    const count = Math.min(2, Number(message['limit']))
    const ndjson = texts
      .slice(from, from + count)
      .map((text) => `${text}\n`)
      .join('')
    return { body: { ndjson, nextSeq: String(from + count) } }
  }
  const withRoom = async (server: FakeServer): Promise<FakeIo> => {
    const real = await loadServerRoom()
    const room = fakeServerRoom({
      StartError: real.StartError,
      fileTally: (log) => real.fileTally(log),
      openExport: (...asked) => real.openExport(...asked),
      verifyExport: (...asked) => real.verifyExport(...asked),
    })
    return fakeIo({ env: { PORTCULLIS_URL: server.url, PORTCULLIS_KEY: 'pc_x' }, server: () => Promise.resolve(room) })
  }

  it('L13: into a folder, page by page, what was there at its beginning; it verifies offline', async () => {
    await using server = await fakeServer(answers)
    const dir = join(await folder(), 'export')
    const { code, out, err } = await runLine(`ledger export ${dir}`, await withRoom(server))
    expect([code, out]).toEqual([0, expect.stringContaining(`5 entries are in ${dir}: main (0 to 4).`)])
    expect(err).toContain('100 %, main: 5 of 5 entries')
    expect(await readdir(dir)).toEqual(['export.json', 'main'])
    expect((await stat(join(dir, 'main', 'manifest.json'))).mode & 0o777).toBe(0o600)
    const offline = await runLine(`ledger verify --offline ${dir} --json`, await withRoom(server))
    expect(JSON.parse(offline.out)).toMatchObject({
      chain_valid: true,
      log: 'main',
      from: 0,
      to: 4,
      logs: [{ entries: 5 }],
    })
    const again = await runLine(`ledger export ${dir}`, await withRoom(server))
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('nothing is overwritten')])
  })

  it('L13: an export that was torn goes on where it stopped', async () => {
    let isDown = true
    await using server = await fakeServer((seen) => {
      if (isDown && seen.message['fromSeq'] === '2')
        return { status: 403, body: { code: 'auth.scope_missing', detail: 'x' } }
      return answers(seen)
    })
    const dir = join(await folder(), 'export')
    const torn = await runLine(`ledger export ${dir}`, await withRoom(server))
    expect(torn.code).toBe(1)
    const verified = await runLine(`ledger verify --offline ${dir}`, await withRoom(server))
    expect(verified.err).toContain('it goes on where it stopped')
    isDown = false
    server.seen.length = 0
    const other = await runLine(`ledger export ${dir} --all-logs`, await withRoom(server))
    expect(other.err).toContain('the beginning of another export')
    expect(await runLine(`ledger export ${dir}`, await withRoom(server))).toMatchObject({ code: 0 })
    expect(server.seen.map(({ message }) => message['fromSeq'])).toEqual(['2', '4'])
    expect(await runLine(`ledger verify --offline ${dir}`, await withRoom(server))).toMatchObject({ code: 0 })
  })

  it('L13: a part begins with the hash of what stands before it, and verifies', async () => {
    await using server = await fakeServer((seen) =>
      seen.path.endsWith('/GetConsistencyProof')
        ? { status: 404, body: { code: 'object.not_found', title: 'No checkpoint.' } }
        : answers(seen),
    )
    const dir = join(await folder(), 'part')
    const { code, out } = await runLine(`ledger export ${dir} --from 2 --to 3 --json`, await withRoom(server))
    expect([code, JSON.parse(out)]).toEqual([0, { folder: dir, entries: 2, logs: [{ log: 'main', from: 2, to: 3 }] }])
    const offline = await runLine(`ledger verify --offline ${dir} --json`, await withRoom(server))
    expect(JSON.parse(offline.out)).toMatchObject({ chain_valid: true, from: 2, to: 3 })
  })

  it('L13: a part whose predecessor is gone is not exported, and says what to do', async () => {
    await using server = await fakeServer((seen) => {
      if (seen.path.endsWith('/GetConsistencyProof')) return { status: 404, body: { code: 'object.not_found' } }
      return seen.path.endsWith('/Export') ? { body: { ndjson: '', nextSeq: '-1' } } : answers(seen)
    })
    const { code, err } = await runLine(
      `ledger export ${join(await folder(), 'part')} --from 2`,
      await withRoom(server),
    )
    expect([code, err]).toEqual([2, expect.stringContaining('Entry 1 of the log main is missing.')])
    expect(err).toContain('portcullis ledger verify')
  })

  it.each([
    ['--log other', 'There is no log other for this key.', 'use a key of its tenant'],
    ['--from 9', 'The log main ends at 4.', 'Ask for an earlier --from.'],
    ['--from 1', 'The log main begins at 2: what was before was archived by policy.', 'Ask for --from 2'],
  ])('L13: %s is not to be had: it says where the log is', async (options, said, todo) => {
    await using server = await fakeServer((seen) =>
      seen.path.endsWith('/GetLogs')
        ? { body: { logs: [{ log: 'main', size: '5', firstSeq: '2', pruneSeq: '-1' }] } }
        : answers(seen),
    )
    const line = `ledger export ${join(await folder(), 'none')} ${options}`
    const { code, out, err } = await runLine(line, await withRoom(server))
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(said)
    expect(err).toContain(todo)
  })

  it('L13: into one file, with a manifest beside it, for its owner alone; overwrites nothing', async () => {
    await using server = await fakeServer(answers)
    const file = join(await folder(), 'main.ndjson')
    const { code, out } = await runLine(`ledger export --out ${file} --json`, await withRoom(server))
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ file, entries: 5, manifest: `${file}.manifest.json` })
    expect(await readFile(file, 'utf8')).toBe(texts.map((text) => `${text}\n`).join(''))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const offline = await runLine(`ledger verify --offline ${file}`, await withRoom(server))
    expect([offline.code, offline.out]).toEqual([0, expect.stringContaining('entries 0 to 4')])
    const again = await runLine(`ledger export --out ${file}`, await withRoom(server))
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('exists already')])
  })

  it('L13: CSV and JSON say that they are a view, and CSV runs nothing', async () => {
    await using server = await fakeServer(answers)
    const csv = await runLine('ledger export --format csv', ioFor(server))
    const lines = csv.out.trim().split('\r\n')
    expect(lines[0]).toContain('A view of the ledger and no evidence')
    expect(lines).toHaveLength(7)
    expect(lines[3]).toMatch(/^"1","[^"]*","allow","","m","","","'=1","[0-9a-f]{64}","[0-9a-f]{64}"$/)
    const json = JSON.parse((await runLine('ledger export --format json', ioFor(server))).out)
    expect(json.note).toContain('does not verify')
    expect(json.entries.map(({ seq }: { seq: string }) => seq)).toEqual(['0', '1', '2', '3', '4'])
  })

  it('L13: what a query finds is exported over all its pages, and is a view in any format', async () => {
    await using server = await fakeServer(answers)
    const file = join(await folder(), 'denied.ndjson')
    const asked = `ledger export --outcome deny --after 2026-11-21T00:00:00Z --out ${file}`
    expect(await runLine(asked, ioFor(server))).toMatchObject({ code: 0 })
    expect(await readFile(file, 'utf8')).toBe([4, 3, 1].map((seq) => `${texts[seq]}\n`).join(''))
    expect(JSON.parse(await readFile(`${file}.manifest.json`, 'utf8'))).toMatchObject({
      format: 'portcullis-ledger-view/1',
      filters: { outcome: 'deny', after: '2026-11-21T00:00:00.000Z' },
      entries: 3,
    })
    expect(server.seen.at(-1)?.message).toMatchObject({ outcome: 'deny', log: 'main', pageToken: 'next' })
    const offline = await runLine(`ledger verify --offline ${file}`, await withRoom(server))
    expect([offline.code, offline.err]).toEqual([1, expect.stringContaining('bad_manifest')])
  })

  it.each([
    ['ledger export x --all-logs --log main', 'exclude each other'],
    ['ledger export x --format csv', 'A folder holds whole logs'],
    ['ledger export x --outcome deny', 'A folder holds whole logs'],
    ['ledger export --from 3', 'need a folder'],
    ['ledger export --all-logs', 'need a folder'],
    ['ledger export --after yesterday', 'Write a time with its zone'],
    ['ledger export --json', 'needs a file'],
    ['ledger verify --vkey x', 'are for an export'],
    ['ledger verify --offline x --log main', '--log is for a server'],
    ['ledger verify --offline x --checkpoint /nowhere', 'cannot be read'],
  ])('U1: `portcullis %s` ends with 2 and says %j', async (line, say) => {
    const { code, err, out } = await runLine(line)
    expect([code, err + out]).toEqual([2, expect.stringContaining(say)])
  })

  it('L10: a key that is none is said to be none', async () => {
    await using server = await fakeServer(answers)
    const file = join(await folder(), 'main.ndjson')
    await runLine(`ledger export --out ${file}`, await withRoom(server))
    const { code, err } = await runLine(`ledger verify --offline ${file} --vkey nonsense`, await withRoom(server))
    expect([code, err]).toEqual([2, expect.stringContaining('a verifier key has the form')])
  })
})
