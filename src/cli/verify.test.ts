import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { fakeIo, nowMs, runLine, type Ran } from './fakes.ts'

const base = mkdtempSync(join(tmpdir(), 'portcullis-verify-'))
const path = '.github/workflows/ci.yml'
const bare = 'on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4 # why\n'
const mended = `${bare}        with:\n          persist-credentials: false\n`
let root = ''
let count = 0
afterAll(() => rmSync(base, { recursive: true, force: true }))
beforeEach(() => {
  root = join(base, String((count += 1)))
  mkdirSync(root)
})

function put(name: string, text: string): string {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), text)
  return join(root, name)
}
const verify = (more: string): Promise<Ran> => runLine(`verify --repo ${root} --only R01 ${more}`.trim())
const waiver = (print: string, expires: string): string =>
  `version: 1\nwaivers:\n  - { check: R01, fingerprint: ${print}, reason: by hand, approver: alice, expires: ${expires} }\n`
async function fingerprint(): Promise<string> {
  const { out } = await verify('--json')
  return JSON.parse(out).results[0].evidence[0].fingerprint
}

describe('portcullis verify', () => {
  it('V6: says what does not hold, where, and what to do, and ends with 1', async () => {
    put(path, bare)
    const { code, out } = await verify('')
    expect(code).toBe(1)
    expect(out).toMatch(/^FAIL high {2}R01 Checkout does not persist/)
    expect(out).toContain(`${path}:6:15  The checkout leaves its token`)
    expect(out).toContain('to do: Set `persist-credentials: false`')
    expect(out).toContain('portcullis verify explain R01')
    expect(out).not.toContain('\u001B')
  })

  it.each(['text', 'json', 'sarif', 'junit', 'markdown', 'html'])(
    'V1: the exit code is the same in every format: %s',
    async (format) => {
      put(path, bare)
      expect((await verify(`--format ${format}`)).code).toBe(1)
      expect((await verify(`--format ${format} --fail-on critical`)).code).toBe(0)
      put(path, mended)
      expect((await verify(`--format ${format}`)).code).toBe(0)
      put(path, 'on: [')
      expect((await verify(`--format ${format}`)).code).toBe(4)
      rmSync(join(root, path))
      expect((await verify(`--format ${format}`)).code).toBe(3)
      put('portcullis.waivers.yaml', waiver('a'.repeat(32), '2020-01-01'))
      expect((await verify(`--format ${format}`)).code).toBe(5)
    },
  )

  it('V6: --json prints one document with the version and the time of the run, and nothing else', async () => {
    put(path, bare)
    const { out, err } = await verify('--json')
    expect(JSON.parse(out)).toMatchObject({
      version: 1,
      tool: {
        name: 'portcullis',
        version: /^\d+\.\d+\.\d+/.exec(readFileSync('package.json', 'utf8').split('"version": "')[1] ?? '')?.[0],
      },
      target: { repo: root },
      startedAt: new Date(nowMs).toISOString(),
      results: [{ id: 'R01', outcome: 'FAIL' }],
    })
    expect(err).toBe('')
  })

  it('V6: a single file is looked at, and the report can go to a file', async () => {
    const file = put('elsewhere.yml', bare)
    const output = join(root, 'report.json')
    const { code, out, err } = await runLine(
      `verify --repo ${file} --only supply.no-checkout-credentials --json --output ${output}`,
    )
    expect([code, out, err]).toEqual([1, '', `The report is in ${output}.\n`])
    expect(JSON.parse(readFileSync(output, 'utf8')).results[0].evidence[0]).toMatchObject({
      path: 'elsewhere.yml',
      line: 6,
    })
  })

  it('V1: one unreadable file is said once, with all the checks that needed it', async () => {
    put(path, 'on: [')
    const { code, out } = await runLine(`verify --repo ${root} --only R01,R26,R30`)
    expect(code).toBe(4)
    expect(out.match(/ci\.yml:1:\d+/g)).toHaveLength(1)
    expect(out).toContain('(needed by R01 R26 R30)')
  })

  it('V2: --fix repairs, judges again and says what it did on stderr', async () => {
    put(path, bare)
    const { code, out, err } = await verify('--fix --json')
    expect([code, JSON.parse(out).results[0].outcome]).toEqual([0, 'PASS'])
    expect(err).toBe(`Changed 1 finding in 1 file: ${path}.\n  R01 ${path}:6  Set persist-credentials to false.\n`)
    expect(readFileSync(join(root, path), 'utf8')).toBe(mended)
    expect((await verify('--fix')).err).toBe('There is nothing that --fix could repair.\n')
  })

  it('V2: fixes at the same place are all made in one run, one after the other', async () => {
    put('compose.yaml', 'services:\n  a:\n    image: a\n')
    const { err } = await runLine(`verify --repo ${root} --only R12,R13,R14 --fix=unsafe`)
    expect(err).toMatch(/^Changed 3 findings in 1 file: compose\.yaml\.\n/)
    expect(err).not.toContain('Left alone')
    expect((await runLine(`verify --repo ${root} --only R12,R13,R14`)).code).toBe(0)
  })

  it('V2: --fix writes through no symbolic link', async () => {
    const file = put('real.yml', bare)
    symlinkSync(file, join(root, 'link.yml'))
    const { code, err } = await runLine(`verify --repo ${join(root, 'link.yml')} --fix`)
    expect([code, err]).toEqual([2, expect.stringContaining('is a symbolic link')])
  })

  it('V4: waivers beside the repository are not read through a symbolic link', async () => {
    put(path, bare)
    symlinkSync(put('elsewhere.yaml', 'secret: 1\n'), join(root, 'portcullis.waivers.yaml'))
    const { code, out, err } = await runLine(`verify --repo ${root}`)
    expect([code, out, err]).toEqual([2, '', expect.stringContaining('is a symbolic link')])
  })

  it('V4: waivers beside the repository act and are said; an expired one ends with 5', async () => {
    put(path, bare)
    const print = await fingerprint()
    put('portcullis.waivers.yaml', waiver(print, '2027-01-31'))
    const waived = await verify('')
    expect([waived.code, waived.err]).toEqual([0, 'Waivers are read from portcullis.waivers.yaml.\n'])
    expect(waived.out).toMatch(/WAIVED 1 finding\n {2}R01 .*by hand \(alice, until 2027-01-31\)/)
    const expired = await verify(`--waivers ${put('old.yaml', waiver(print, '2026-11-20'))}`)
    expect(expired.code).toBe(5)
    expect(expired.out).toContain('EXPIRED WAIVER')
    const unused = await verify(`--waivers ${put('none.yaml', waiver('b'.repeat(32), '2027-01-31'))}`)
    expect(unused.code).toBe(1)
    expect(unused.out).toContain('UNUSED WAIVER')
  })

  it('V5: with a baseline only what is new counts', async () => {
    put(path, bare)
    const baseline = put('before.json', (await verify('--json')).out)
    const same = await verify(`--baseline ${baseline}`)
    expect([same.code, same.out]).toEqual([
      0,
      expect.stringContaining('Since the baseline: 0 new, 0 regressed, 1 open, 0 fixed.'),
    ])
    put(path, mended)
    expect((await verify(`--baseline ${baseline}`)).out).toContain('FIXED 1 finding of the baseline')
    expect(await verify(`--baseline ${put('x.json', '{}')}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('is no report'),
    })
  })

  it.each([
    ['--repo nowhere', 'nowhere cannot be read: ENOENT'],
    ['--repo /dev/null', 'neither a folder nor a file'],
    ['--only R1', 'There is no check or control "R1"'],
    ['--only suply.checkout-credentials', 'Did you mean supply.no-checkout-credentials?'],
    ['--repo . --format xml', "argument 'xml' is invalid"],
    ['--repo . --fail-on awful', "argument 'awful' is invalid"],
    ['--repo . --profile mine', 'There is one profile'],
    ['--repo . --fix=all', "argument 'all' is invalid"],
    ['--config a.env --fix', 'no folder was named'],
    ['--repo . --allow everything', "argument 'everything' is invalid"],
    ['--repo . --param R01', 'is no parameter of a check'],
    ['--repo . --param R01.x=1', 'R01 has no parameter "x"'],
    ['--repo . --param R05.days=abc', 'R05.days is one whole number from 1 to 365, not "abc"'],
    ['--repo . --param R06.days=', 'R06.days is one whole number'],
    ['--repo . --param R06.days=0', 'R06.days is one whole number'],
    ['--repo . --baseline nowhere', 'cannot be read'],
    ['--repo . --waivers nowhere', 'cannot be read'],
    ['--grpc 127.0.0.1:1', 'says nothing without --target'],
    ['--target ftp://x', 'not the URL of a server'],
    ['--config src', 'name the settings file in it'],
    ['.', 'verify takes no "."'],
    ['explain', "missing required argument 'id'"],
    ['explain R1000', 'There is no check or control'],
    ['list --what', "unknown option '--what'"],
  ])('V1: wrong use ends with 2 and says what to do: verify %s', async (line, wanted) => {
    const { code, out, err } = await runLine(`verify ${line}`)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(wanted)
  })

  it('V6: --json and another format contradict each other, which is said in JSON', async () => {
    const { code, out } = await runLine('verify --repo . --json --format sarif')
    expect([code, JSON.parse(out).error.code]).toEqual([2, 'cli.usage'])
  })

  it('V6: list names every check, and explain what one is about, by the id of a check or a control', async () => {
    const list = await runLine('verify list --json')
    expect(JSON.parse(list.out).checks).toContainEqual(
      expect.objectContaining({ id: 'R01', control: 'supply.no-checkout-credentials', severity: 'high' }),
    )
    const ids = (await runLine('verify list')).out.split('\n').map((line) => line.split(' ')[0])
    expect(ids).toContain('R01')
    const byCheck = await runLine('verify explain r01')
    expect(byCheck.out).toBe((await runLine('verify explain supply.no-checkout-credentials')).out)
    expect(byCheck.out).toMatch(/why: .*\nto do: /)
    expect(JSON.parse((await runLine('verify explain R01 --json')).out).controls[0].id).toBe(
      'supply.no-checkout-credentials',
    )
  })

  it('V6: colours are for terminals', async () => {
    put(path, bare)
    const io = fakeIo()
    const coloured = fakeIo({ out: { ...io.out, colours: true } })
    await runLine(`verify --repo ${root} --only R01`, coloured)
    expect(io.written.out).toContain('\u001B[31mFAIL')
  })
})
