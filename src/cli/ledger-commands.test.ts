import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
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
    const verdict = { chain_valid: true, log: 'main', from: 0, to: 3, root: 'ab', detail: '', manifest: false }
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
  const line = (seq: number): string =>
    JSON.stringify({ body: { method: 'm', outcome: 'allow' }, log: 'main', prev: '0', seq, ts: 't', v: 1 })
  const pages = ({ path, message }: Seen) => {
    if (path.endsWith('/Query')) return { body: { entries: [{ log: 'main', seq: '4' }] } }
    const from = Number(message['fromSeq'])
    const count = Math.min(2, Number(message['limit']))
    const ndjson = Array.from({ length: count }, (_, at) => `${line(from + at)}\n`).join('')
    return { body: { ndjson, nextSeq: String(from + count) } }
  }

  it('L13: writes what was there at its beginning, page by page, with a manifest, for its owner alone', async () => {
    await using server = await fakeServer(pages)
    const file = join(await folder(), 'main.ndjson')
    const { code, out } = await runLine(`ledger export --out ${file} --json`, ioFor(server))
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ file, entries: 5 })
    expect(await readFile(file, 'utf8')).toBe([0, 1, 2, 3, 4].map((seq) => `${line(seq)}\n`).join(''))
    expect(JSON.parse(await readFile(`${file}.manifest.json`, 'utf8'))).toMatchObject({ from: 0, to: 4, entries: 5 })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(server.seen.slice(1).map(({ message }) => [message['fromSeq'], message['limit']])).toEqual([
      ['0', 5],
      ['2', 3],
      ['4', 1],
    ])
  })

  it('L13: overwrites nothing, and --json needs a file', async () => {
    await using server = await fakeServer(pages)
    const file = join(await folder(), 'main.ndjson')
    await runLine(`ledger export --out ${file}`, ioFor(server))
    const again = await runLine(`ledger export --out ${file}`, ioFor(server))
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('exists already')])
    const json = await runLine('ledger export --json', ioFor(server))
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: 'cli.usage' } })
  })

  it('L13: CSV says that it is a view, and goes to the standard output', async () => {
    await using server = await fakeServer(pages)
    const { out } = await runLine('ledger export --format csv', ioFor(server))
    const lines = out.trim().split('\r\n')
    expect(lines[0]).toContain('A view of the ledger and no evidence')
    expect(lines).toHaveLength(7)
    expect(lines[2]).toMatch(/^"0","t","allow","","m","","","","0","[0-9a-f]{64}"$/)
  })
})
