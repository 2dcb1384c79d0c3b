import { spawnSync } from 'node:child_process'
import { readFile, mkdir, mkdtemp, utimes, writeFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { postgresProcesses } from './harness/postgres-processes.ts'
import { Portcullis, type Exit } from './harness/portcullis.ts'

let instance: TestInstance
let folder: string
const example = new URL('../examples/ops/remove-old-exports.sh', import.meta.url).pathname

beforeAll(async () => {
  instance = await startInstance()
  folder = await mkdtemp(join(tmpdir(), 'portcullis-ops-'))
})
afterAll(async () => {
  await instance.stop()
  await rm(folder, { recursive: true, force: true })
})

function ops(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Exit> {
  const reach = { PORTCULLIS_URL: instance.url, PORTCULLIS_KEY: instance.adminKey }
  return new Portcullis(['ops', 'run', ...args], { ...reach, OPS_OPERATOR: 'ada', ...env }).exited
}

interface Shown {
  readonly body: { readonly method: string; readonly args: { readonly script: { readonly name: string } } }
}

/** What the ledger has of a script, oldest first. */
async function recorded(name: string): Promise<readonly Shown['body'][]> {
  const { body } = await instance.call('LedgerService/Query', { pageSize: 100 })
  const entries: readonly { readonly entryJson: string }[] = body.entries
  return entries
    .map(({ entryJson }) => (JSON.parse(entryJson) as Shown).body)
    .filter(({ args, method }) => method.includes('OpsService') && args.script.name === name)
    .toReversed()
}

/** Two exports, an old one and a new one, and a folder that is none. */
async function exportsFolder(): Promise<string> {
  const dir = await mkdtemp(join(folder, 'exports-'))
  for (const [name, days] of [
    ['old', 40],
    ['new', 1],
  ] as const) {
    await mkdir(join(dir, name))
    await writeFile(join(dir, name, 'manifest.json'), '{}')
    const at = new Date(Date.now() - days * 86_400_000)
    await utimes(join(dir, name, 'manifest.json'), at, at)
  }
  await mkdir(join(dir, 'none'))
  return dir
}

it('O5: the example is refused without a confirmation, runs with it, and the ledger has its intent and outcome', async () => {
  const dir = await exportsFolder()
  const refused = await ops(['--', example, dir, '30'])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('ops.confirmation_required')
  expect(refused.stderr).toContain('--confirm')
  expect((await readdir(dir)).toSorted()).toEqual(['new', 'none', 'old'])
  expect(await recorded('remove-old-exports.sh')).toEqual([])
  // Nor does it run past the guard.
  expect(spawnSync(example, [dir, '30'], { encoding: 'utf8', env: { PATH: process.env['PATH'] } })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('portcullis ops run --confirm'),
  })
  expect((await readdir(dir)).toSorted()).toEqual(['new', 'none', 'old'])

  const done = await ops(['--confirm', '--', example, dir, '30'])
  expect(done).toMatchObject({ code: 0, stderr: '' })
  expect(done.stdout).toContain(`removing ${join(dir, 'old')}`)
  expect((await readdir(dir)).toSorted()).toEqual(['new', 'none'])
  const [intent, outcome] = await recorded('remove-old-exports.sh')
  expect(intent).toMatchObject({
    method: '/portcullis.v1.OpsService/RecordIntent',
    outcome: 'allow',
    args: { script: { operator: 'ada', args: [dir, '30'], destructive: true, confirmed: true } },
  })
  expect(outcome).toMatchObject({ method: '/portcullis.v1.OpsService/RecordOutcome', args: { exitCode: 0 } })
})

it('O5: OPS_CONFIRM=1 confirms, --not-destructive needs no confirmation, and the exit code is that of the command', async () => {
  expect((await ops(['--name', 'by-variable', '--', 'true'], { OPS_CONFIRM: '1' })).code).toBe(0)
  expect((await ops(['--not-destructive', '--name', 'failing', '--', 'sh', '-c', 'exit 7'])).code).toBe(7)
  expect(await recorded('failing')).toMatchObject([
    { args: { script: { destructive: false, confirmed: false } } },
    { args: { exitCode: 7 } },
  ])
  expect((await ops(['--confirm', '--', 'sh', '-c', 'kill -9 $$'])).code).toBe(137)
})

it('O5: no secret among the arguments reaches the ledger', async () => {
  const secret = 'hunter2-very-secret'
  await ops(['--confirm', '--name', 'secretive', '--', 'true', '--token', secret, `PASSWORD=${secret}`])
  const entries = await recorded('secretive')
  expect(entries).toHaveLength(2)
  expect(JSON.stringify(entries)).not.toContain('hunter2')
})

it('O5: a command that cannot be started is said so, and recorded as failed', async () => {
  const { code, stderr } = await ops(['--confirm', '--name', 'missing', '--', join(folder, 'no-such-program')])
  expect(code).toBe(3)
  expect(stderr).toContain('cannot be started')
  expect(await recorded('missing')).toMatchObject([{}, { args: { exitCode: 1 } }])
})

it('O5: an outcome needs its intent, and there is one of each', async () => {
  const script = { name: 'direct', operator: 'ada', destructive: true, confirmed: true }
  const { body } = await instance.call('OpsService/RecordIntent', { script })
  const { scriptRunId } = body
  expect((await instance.call('OpsService/RecordOutcome', { scriptRunId, script, durationMs: '5' })).status).toBe(200)
  const again = await instance.call('OpsService/RecordOutcome', { scriptRunId, script, durationMs: '6' })
  expect(again.body.code).toBe('object.state')
  const unknown = 'scr_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10'
  expect((await instance.call('OpsService/RecordOutcome', { scriptRunId: unknown, script })).body.code).toBe(
    'object.not_found',
  )
  const owner = await instance.connect('postgres')
  for (const change of [`update audits.script_records set name = 'x'`, 'delete from audits.script_records'])
    await expect(owner.query(change)).rejects.toThrow('append-only')
})

it('O5: while the database is away a confirmed run goes on with one line on stderr; with --audit required it does not', async () => {
  const all = await postgresProcesses(instance.dir)
  const marker = join(folder, 'ran')
  for (const pid of all) process.kill(pid, 'SIGSTOP')
  try {
    const required = await ops(['--confirm', '--audit', 'required', '--', 'touch', marker])
    expect(required.code).toBe(1)
    expect(required.stderr).toContain('audit.unavailable')
    await expect(readFile(marker)).rejects.toThrow('ENOENT')
    const done = await ops(['--confirm', '--', 'touch', marker])
    expect(done.code).toBe(0)
    expect(done.stderr.trim().split('\n')).toEqual([expect.stringContaining('not recorded in the ledger')])
    await readFile(marker)
  } finally {
    for (const pid of all) process.kill(pid, 'SIGCONT')
  }
}, 120_000)

it('O5: with --audit required_offbox nothing is run where no sink is configured', async () => {
  const marker = join(folder, 'offbox')
  const { code, stderr } = await ops(['--confirm', '--audit', 'required_offbox', '--', 'touch', marker])
  expect(code).toBe(1)
  expect(stderr).toContain('audit')
  await expect(readFile(marker)).rejects.toThrow('ENOENT')
})

it('O5: without a key the run goes on and says so', async () => {
  const { code, stderr } = await ops(['--confirm', '--', 'true'], { PORTCULLIS_KEY: '' })
  expect(code).toBe(0)
  expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('PORTCULLIS_KEY')])
})
