import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { run } from '../harness/run.ts'
import { startProcess } from '../harness/process.ts'

const python = '/usr/bin/python3'
const verifier = new URL('verify_export.py', import.meta.url).pathname
const binary = new URL('../../bin/portcullis.js', import.meta.url).pathname

describe('an export of a real instance, which is gone when it is verified', () => {
  let folder = ''
  let pristine = ''
  let part = ''
  let vkey = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portcullis-e2e-export-'))
    pristine = join(folder, 'export')
    const server = await startProcess()
    try {
      for (let at = 0; at < 40; at += 1) {
        await server.call('HubService/CreateTask', { title: `Größe ${at} "☃" \\ \u{1f602}`, tags: ['a', 'b'] })
        await server.call('HubService/StartRun', { workflow: `w${at}` }, at % 5 === 0 ? { key: 'pc_wrong' } : {})
      }
      const signed = async (): Promise<number> => Number((await server.call('LedgerService/GetCheckpoint')).body.size)
      await vi.waitUntil(async () => (await signed()) > 30, { timeout: 60_000, interval: 250 })
      const keys = JSON.parse((await server.cli(['ledger', 'key', 'show', '--dir', server.dir, '--json'])).stdout)
      vkey = keys.logs[0].vkeys[0]
      part = join(folder, 'part')
      expect(await server.cli(['ledger', 'export', part, '--from', '13'])).toMatchObject({ code: 0 })
      const exported = await server.cli(['ledger', 'export', pristine, '--all-logs', '--json'])
      expect(exported).toMatchObject({ code: 0 })
      expect(JSON.parse(exported.stdout).logs.map(({ log }: { log: string }) => log)).toEqual(['main', 'system'])
    } finally {
      await server.stop()
    }
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  // oxlint-disable-next-line typescript/no-explicit-any -- a verdict of either verifier
  const ours = (dir: string, code = 0, more: readonly string[] = []): any => {
    const command = [process.execPath, binary, 'ledger', 'verify', '--offline', dir, '--json', ...more]
    // Without any network where this user may ask for that; in any case with no server to ask.
    const isolated = spawnSync('unshare', ['-n', 'true']).status === 0 ? ['unshare', '-n', ...command] : command
    const [program = '', ...args] = isolated
    const env = { PATH: process.env['PATH'], PORTCULLIS_URL: 'http://127.0.0.1:1' }
    const { status, stdout, stderr } = spawnSync(program, args, { env, encoding: 'utf8' })
    expect([status, stderr]).toEqual([code, ''])
    return JSON.parse(stdout)
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- a verdict of either verifier
  const independent = async (dir: string, code = 0): Promise<any> =>
    JSON.parse(await run(python, [verifier, dir], { code, env: { PYTHONIOENCODING: 'utf8' } }))

  it('L10: verifies without server, database or network, and a verifier made from the documentation agrees', async () => {
    const found = ours(pristine)
    expect(found).toMatchObject({ chain_valid: true, log: 'main', from: 0 })
    expect(found.entries).toBeGreaterThan(70)
    const others = await independent(pristine)
    expect(others.chain_valid).toBe(true)
    expect(others.logs).toEqual(
      found.logs.map(({ log, from, to, root }: Record<string, unknown>) => ({ log, from, to, root })),
    )
  })

  it('L10: a part of a log comes to the same root, under the signature of its checkpoint', async () => {
    const found = ours(part, 0, ['--vkey', vkey])
    expect(found).toMatchObject({
      chain_valid: true,
      log: 'main',
      from: 13,
      root: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(found.signed_by).toEqual([vkey.slice(0, vkey.indexOf('+'))])
    expect(found.checkpoint_size).toBeGreaterThan(30)
    expect(await independent(part)).toMatchObject({ chain_valid: true, logs: [{ from: 13, root: found.root }] })
    const stranger = 'localhost/main+00000000+AQ3oOPV3LwXqIVUvlPwyYbZxJg7/hbfUeKMlOqtQ+mGs'
    expect(ours(part, 2, ['--vkey', stranger]).error.message).toContain('no verifier key')
  })

  it('L10: both find what was changed, and name the place', async () => {
    const [name = ''] = (await readdir(join(pristine, 'main'))).toSorted()
    const changes: readonly (readonly [what: string, seqs: readonly number[], change: (lines: string[]) => string[]])[] = [
      ['a changed value', [7, 8], (lines) => lines.with(7, (lines[7] ?? '').replace('"outcome":"', '"outcome":"x'))],
      ['a changed place', [7], (lines) => lines.with(7, (lines[7] ?? '').replace('"seq":7', '"seq":9'))],
      ['a blank', [7], (lines) => lines.with(7, (lines[7] ?? '').replace('":', '": '))],
      ['a missing entry', [7], (lines) => lines.toSpliced(7, 1)],
      ['an entry twice', [8], (lines) => lines.toSpliced(7, 0, lines[7] ?? '')],
      ['two in the wrong order', [7], (lines) => lines.with(7, lines[8] ?? '').with(8, lines[7] ?? '')],
    ] // prettier-ignore
    for (const [at, [what, seqs, change]] of changes.entries()) {
      const dir = join(folder, `changed-${at}`)
      await cp(pristine, dir, { recursive: true })
      const file = join(dir, 'main', name)
      const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1)
      await writeFile(file, change(lines).map((line) => `${line}\n`).join('')) // prettier-ignore
      expect([what, ours(dir, 1)]).toMatchObject([
        what,
        { chain_valid: false, first_bad_seq: seqs[0], file: `main/${name}` },
      ])
      const other = await independent(dir, 1)
      expect([what, other.chain_valid, seqs.includes(other.first_bad_seq)]).toEqual([what, false, true])
    }
  })

  it('L10: both find a cut tail, a changed manifest, and a log that is gone', async () => {
    const changed = async (name: string, change: (dir: string) => Promise<void>): Promise<string> => {
      const dir = join(folder, name)
      await cp(pristine, dir, { recursive: true })
      await change(dir)
      return dir
    }
    const dirs = [
      await changed('cut', async (dir) => {
        const name = (await readdir(join(dir, 'main'))).toSorted().findLast((one) => one.endsWith('.ndjson')) ?? ''
        const text = await readFile(join(dir, 'main', name), 'utf8')
        await writeFile(join(dir, 'main', name), text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1))
      }),
      await changed('manifest', async (dir) => {
        const file = join(dir, 'main', 'manifest.json')
        await writeFile(file, (await readFile(file, 'utf8')).replace('"from":0', '"from":1'))
      }),
      await changed('gone', (dir) => rm(join(dir, 'system'), { recursive: true })),
    ]
    const problems = dirs.map((dir) => ours(dir, 1).problem)
    expect(problems).toEqual(['head_mismatch', 'bad_manifest', 'missing_file'])
    for (const [at, dir] of dirs.entries()) {
      const { problem } = await independent(dir, 1)
      expect(problem).toMatch(at === 0 ? /bad_digest|head_mismatch/ : (problems[at] ?? ''))
    }
  })
})
