import { copyFile, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { embeddedHome } from '../src/server/embedded/index.ts'
import { Command } from './harness/command.ts'
import { call, removeInstance, startInstance, type TestInstance } from './harness/instance.ts'
import { Portcullis, type Exit } from './harness/portcullis.ts'

let instance: TestInstance
let folder: string
beforeAll(async () => {
  instance = await startInstance()
  folder = await mkdtemp(join(tmpdir(), 'portcullis-backup-'))
})
afterAll(async () => {
  await instance.stop()
  for (const name of await readdir(folder)) await removeInstance(join(folder, name))
  await rm(folder, { recursive: true, force: true })
})

function cli(...args: readonly string[]): Promise<Exit> {
  return new Command(args).exited
}

it('O12: a backup taken under load restores to an instance whose ledger verifies, with all that was acknowledged before', async () => {
  const before = await instance.call('HubService/StartRun', { workflow: 'before' })
  const over = new AbortController()
  const during: string[] = []
  const load = async (): Promise<void> => {
    while (!over.signal.aborted)
      during.push((await instance.call('HubService/StartRun', { workflow: 'during' })).body.run.id)
  }
  const loads = [load(), load(), load()]
  const backup = join(folder, 'backup')
  const taken = await cli('backup', backup, '--dir', instance.dir, '--json')
  over.abort()
  await Promise.all(loads)
  expect(taken).toMatchObject({ code: 0 })
  const { keys } = JSON.parse(taken.stdout) as { keys: readonly { file: string; fingerprint: string }[] }
  expect(keys.map(({ file }) => file)).toEqual(['master-key', 'signing-key.pem'])

  const dir = join(folder, 'restored')
  const restored = await cli('restore', backup, '--dir', dir, '--json')
  expect(restored).toMatchObject({ code: 0 })
  expect(JSON.parse(restored.stdout)).toMatchObject({ missingKeys: keys })

  // The keys come from where they are kept.
  for (const { file } of keys)
    await copyFile(join(embeddedHome(instance.dir).home, file), join(embeddedHome(dir).home, file))
  const server = Portcullis.up(dir)
  const { http } = await server.ready()
  const ask = (method: string, body: object) => call(`http://${http}`, method, body, { key: instance.adminKey })
  expect((await ask('HubService/GetRun', { runId: before.body.run.id })).body.run.workflow).toBe('before')
  expect((await ask('LedgerService/Verify', {})).body).toMatchObject({ chainValid: true })
  // The restored ledger goes on where the backup ended.
  expect((await ask('HubService/StartRun', { workflow: 'after' })).status).toBe(200)
  expect((await ask('LedgerService/Verify', {})).body).toMatchObject({ chainValid: true })
  expect((await server.end()).code).toBe(0)
  expect(during.length).toBeGreaterThan(0)
}, 120_000)

it('O12: the keys of the instance are not in its backup', async () => {
  const backup = join(folder, 'no-keys')
  expect(await new Portcullis(['backup', backup, '--dir', instance.dir]).exited).toMatchObject({ code: 0 })
  const { home } = embeddedHome(instance.dir)
  const secrets = await Promise.all(['master-key', 'signing-key.pem'].map((name) => readFile(join(home, name), 'utf8')))
  const names = await readdir(backup, { recursive: true })
  expect(names.filter((name) => /key/.test(name.split('/').at(-1) ?? ''))).toEqual([])
  const manifest = await readFile(join(backup, 'manifest.json'), 'utf8')
  for (const secret of secrets) expect(manifest).not.toContain(secret.trim().split('\n')[1] ?? secret.trim())
}, 60_000)

it('O12: a damaged backup restores nothing, and says which file', async () => {
  const backup = join(folder, 'damaged')
  expect(await cli('backup', backup, '--dir', instance.dir)).toMatchObject({ code: 0 })
  const file = join(backup, 'pgdata', 'global', 'pg_control')
  const bytes = await readFile(file)
  bytes[40] = (bytes[40] ?? 0) ^ 1
  await writeFile(file, bytes)
  const dir = join(folder, 'never')
  const { code, stderr } = await cli('restore', backup, '--dir', dir)
  expect(code).not.toBe(0)
  expect(stderr).toContain('pgdata/global/pg_control')
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(await readdir(embeddedHome(dir).home)).toEqual([])
  await rm(join(backup, 'manifest.json'))
  expect((await cli('restore', backup, '--dir', dir)).stderr).toContain('manifest.json')
}, 60_000)

it('O12: neither a backup nor an instance is overwritten, and there must be something to back up', async () => {
  const full = join(folder, 'full')
  expect((await cli('backup', full, '--dir', join(folder, 'nowhere'))).stderr).toContain('no instance')
  expect(await cli('backup', full, '--dir', instance.dir)).toMatchObject({ code: 0 })
  expect((await cli('backup', full, '--dir', instance.dir)).stderr).toContain('not empty')
  expect((await cli('restore', full, '--dir', instance.dir)).stderr).toContain('never overwritten')
}, 60_000)
