import type { Command } from 'commander'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeIo, runLine } from './fakes.ts'
import { buildProgram } from './program.ts'
import { withInner } from './settle.ts'

describe('usage', () => {
  it.each([
    ['agnt', 'Did you mean agent?'],
    ['agent lst', 'Did you mean list?'],
    ['agent list --jsn', 'Did you mean --json?'],
    ['agent list --limit 0', 'Write a whole number from 1'],
    ['agent list extra', 'too many arguments'],
    ['key create --agent a', "required option '--scopes"],
    ['key create --agent a --scopes telemetri:read', 'Did you mean telemetry:read?'],
    ['key create --agent a --scopes ledger:read --expires soon', 'Write how long from now'],
    ['key create --agent a --scopes ledger:read --rate 5', '--rate and --burst go together'],
    ['agent list --key a --key-file b', "cannot be used with option '--key-file"],
    ['call StartRn', 'Did you mean HubService/StartRun?'],
    ['call List', 'Write one of KillService/List, TenantService/List'],
    ['call GetHealth {', 'The message is not JSON'],
    ['call GetHealth []', 'not a JSON object'],
    ['call GetHealth @/nonexistent', 'cannot be read (ENOENT)'],
    ['agent list --key-file /nonexistent', 'cannot be read (ENOENT)'],
    ['agent list --url ftp://x', '--url is not the URL of a server'],
    ['agent list --url http://user:hunter2@x', 'holds more than'],
    ['completion tcsh', 'Allowed choices are bash, zsh, fish'],
    ['', ''],
  ])('U1: `portcullis %s` ends with 2 and says %j', async (line, say) => {
    const plain = await runLine(line)
    expect([plain.code, plain.out]).toEqual([2, ''])
    expect(plain.err).toContain(say)
    expect(plain.err).not.toMatch(/^ {4}at |hunter2/m)
    const json = await runLine(`${line} --json`.trimStart())
    expect([json.code, json.err]).toEqual([2, ''])
    const { error }: { error: { code: string; message: string } } = JSON.parse(json.out)
    expect(error.code).toMatch(/^cli\./)
    expect(error.message).not.toMatch(/^error: |hunter2/)
  })

  it('U1: a key with a line break or a blank inside is refused and not repeated', async () => {
    const { code, err } = await runLine('agent list', fakeIo({ env: { PORTCULLIS_KEY: 'pc_hunter2 x' } }))
    expect(code).toBe(2)
    expect(err).toContain('PORTCULLIS_KEY holds no key')
    expect(err).not.toContain('hunter2')
  })

  it('U1: the version and the help end with 0', async () => {
    expect((await runLine('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/)
    const help = await runLine('--help')
    expect(help.code).toBe(0)
    for (const part of ['PORTCULLIS_KEY', 'Exit codes:', '130  interrupted', 'NO_COLOR'])
      expect(help.out).toContain(part)
  })

  it('U1: every command that does something has an example and takes --json', async () => {
    const leaves = [...withInner(buildProgram(fakeIo()))].filter(({ commands }) => commands.length === 0)
    expect(leaves.length).toBeGreaterThan(15)
    for (const leaf of leaves) {
      const line = [...namesAbove(leaf), leaf.name(), '--help'].join(' ')
      const { out } = await runLine(line)
      expect(out, line).toMatch(/Examples?:\n {2}\$ /)
      if (leaf.name() !== 'completion') expect(out, line).toContain('--json')
    }
  })
})

describe('config', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portcullis-cli-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('O1: check says that good settings are fine', async () => {
    expect(await runLine('config check')).toEqual({ code: 0, out: 'The settings are fine.\n', err: '' })
    expect(JSON.parse((await runLine('config check --json')).out)).toEqual({ ok: true, warnings: [] })
  })

  it('O1: check of bad settings ends with 2 and names every problem with what to do', async () => {
    const file = join(folder, 'bad.yaml')
    writeFileSync(file, 'listn: {}\nlimits: {grpc: {recvBytes: -3}}\n')
    const { code, out, err } = await runLine(`config check --config ${file}`)
    expect([code, out]).toEqual([2, ''])
    for (const part of ['listn', 'Did you mean listen?', 'limits.grpc.recvBytes', 'database'])
      expect(err).toContain(part)
    const { error }: { error: object } = JSON.parse((await runLine(`config check --json --config ${file}`)).out)
    expect(error).toMatchObject({
      code: 'config.invalid',
      problems: expect.arrayContaining([expect.objectContaining({ path: 'listn' })]),
    })
  })

  it('S5: print shows defaults and no secret', async () => {
    const env = { DATABASE_URL: 'postgres://app:hunter2@127.0.0.1/db' }
    const file = join(folder, 'good.yaml')
    writeFileSync(file, 'log: {level: debug}\n')
    const yaml = await runLine(`config print --config ${file}`, fakeIo({ env }))
    expect(yaml.out).toContain('level: debug')
    expect(yaml.out).toContain('grpc: 127.0.0.1:50051')
    const json = await runLine(`config print --json --config ${file}`, fakeIo({ env }))
    expect(JSON.parse(json.out)).toMatchObject({
      database: { url: '[redacted]' },
      log: { level: 'debug', format: 'json' },
    })
    expect(yaml.out + yaml.err + json.out + json.err).not.toContain('hunter2')
  })
})

/** The groups that a command is in, without the program. */
function namesAbove({ parent }: Command): readonly string[] {
  return parent === null || parent.parent === null ? [] : [...namesAbove(parent), parent.name()]
}
