import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { embeddedBinaries, usableBinaries } from './binaries.ts'
import { embeddedFiles, embeddedHome, stateRoot } from './home.ts'
import { startEmbedded, stopEmbedded, type EmbeddedPostgres } from './index.ts'
import { ensureDedicatedUser, findDedicatedUser, isRoot } from './owner.ts'
import { identify, readPidFile } from './postmaster.ts'
import { canReach } from './reach.ts'

const started = z.object({ port: z.number(), firstStart: z.boolean() })
const lines: string[] = []
const start = (dir: string): Promise<EmbeddedPostgres> =>
  startEmbedded({ dir, log: ({ message }) => lines.push(message) })

let parent: string
let dir: string

// One cluster serves the tests that only need one; making it is the slow part.
let sharedParent: string
let shared: string

beforeAll(async () => {
  sharedParent = await makeParent()
  shared = join(sharedParent, '.portcullis')
})

afterAll(() => removeAll(sharedParent, shared))

beforeEach(async () => {
  lines.length = 0
  parent = await makeParent()
  dir = join(parent, '.portcullis')
})

afterEach(() => removeAll(parent, dir))

async function makeParent(): Promise<string> {
  const made = await realpath(await mkdtemp(join(tmpdir(), 'portcullis-embedded-')))
  // Open to the dedicated user, so that root keeps the files here, too.
  await chmod(made, 0o755)
  return made
}

async function removeAll(folder: string, portcullis: string): Promise<void> {
  await stopEmbedded(portcullis)
  const { movedTo } = embeddedHome(portcullis)
  if (movedTo) await rm(movedTo, { recursive: true, force: true })
  await rm(folder, { recursive: true, force: true })
}

describe('the first start', () => {
  test('M1: makes a UTF8 cluster with builtin C.UTF-8, SCRAM for everybody and a 0600 password file', async () => {
    const server = await start(shared)
    const files = embeddedFiles(shared)
    expect(server).toMatchObject({ host: '127.0.0.1', firstStart: true, movedTo: undefined, dataDir: files.dataDir })
    expect(server.version).toMatch(/^18\./)
    expect(await readFile(files.portFile, 'utf8')).toBe(`${server.port}\n`)
    expect((await stat(files.passwordFile)).mode & 0o777).toBe(0o600)
    expect((await stat(files.dataDir)).mode & 0o777).toBe(0o700)
    expect((await stat(shared)).mode & 0o777).toBe(isRoot() ? 0o710 : 0o700)
    const [database] = await ask(
      server,
      `select pg_encoding_to_char(encoding) as encoding, datlocprovider as provider, datlocale as locale
         from pg_database where datname = 'template1'`,
    )
    expect(database).toEqual({ encoding: 'UTF8', provider: 'b', locale: 'C.UTF-8' })
    const methods = await ask(server, 'select distinct auth_method as method from pg_hba_file_rules')
    expect(methods).toEqual([{ method: 'scram-sha-256' }])
    const wanted = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'on', full_page_writes: 'on' }
    for (const [name, value] of Object.entries(wanted)) {
      expect(await ask(server, `select current_setting('${name}') as value`)).toEqual([{ value }])
    }
  })

  test('M1: gives the server a process group of its own and no secret in arguments or environment', async () => {
    const server = await start(shared)
    const pid = String(await pidOf(server))
    expect(execFileSync('ps', ['-o', 'pgid=', '-p', pid], { encoding: 'utf8' }).trim()).toBe(pid)
    // `e` adds the environment where we may see it.
    const shown = execFileSync('ps', ['eww', '-o', 'command=', '-p', pid], { encoding: 'utf8' })
    expect(shown).toContain(server.dataDir)
    expect(shown).not.toContain(server.superuserPassword.reveal())
    expect(JSON.stringify(server)).not.toContain(server.superuserPassword.reveal())
  })

  test('M1: recovers from a launcher that was killed in the middle of initdb', async () => {
    const child = execFile(process.execPath, ['--input-type=module', '-e', scriptFor(dir)])
    await vi.waitFor(async () => expect(await unfinished()).toHaveLength(1), { timeout: 10_000, interval: 5 })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const server = await start(dir)
    expect(server.firstStart).toBe(true)
    expect(await ask(server, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(await unfinished()).toEqual([])
  })

  test('M1: two at the same time, and one in another process, end with one usable server', async () => {
    const elsewhere = new Promise<string>((resolve, reject) => {
      execFile(process.execPath, ['--input-type=module', '-e', scriptFor(dir)], (error, stdout) => {
        if (error) reject(error)
        else resolve(stdout)
      })
    })
    const [one, two, other] = await Promise.all([start(dir), start(dir), elsewhere])
    const { port, firstStart } = started.parse(JSON.parse(other))
    expect([two.port, port]).toEqual([one.port, one.port])
    expect([one.firstStart, two.firstStart, firstStart].filter(Boolean)).toHaveLength(1)
    await ask(one, 'create table seen (id int)')
    expect(await ask(two, 'select count(*)::int as n from seen')).toEqual([{ n: 0 }])
  })
})

describe('a later start', () => {
  test('M1: keeps data and port over a clean stop, a killed server and a recycled pid', async () => {
    const first = await start(shared)
    await ask(first, 'create table kept (id int); insert into kept values (42)')
    await first.stop()
    expect(await readPidFile(first.dataDir)).toBeUndefined()

    const second = await start(shared)
    expect(second).toMatchObject({ firstStart: false, port: first.port })
    expect(await ask(second, 'select id from kept')).toEqual([{ id: 42 }])

    process.kill(await pidOf(second), 'SIGKILL')
    const third = await start(shared)
    expect(third.port).toBe(first.port)
    expect(await ask(third, 'select id from kept')).toEqual([{ id: 42 }])

    const pidFile = join(third.dataDir, 'postmaster.pid')
    const ofThird = await readFile(pidFile, 'utf8')
    await third.stop()
    await writeFile(pidFile, ofThird.replace(/^\d+/, String(process.pid)))
    const fourth = await start(shared)
    expect(fourth.port).toBe(first.port)
    expect(await ask(fourth, 'select id from kept')).toEqual([{ id: 42 }])

    await fourth.stop('immediate')
    await fourth.stop()
    await writeFile(pidFile, '')
    expect(await ask(await start(shared), 'select id from kept')).toEqual([{ id: 42 }])
  })

  test('M1: takes over a live server of that folder and tells it from one of another folder', async () => {
    const first = await start(shared)
    const pid = await pidOf(first)
    const again = await start(shared)
    expect(again).toMatchObject({ firstStart: false, port: first.port, version: first.version })
    expect(await pidOf(again)).toBe(pid)
    expect(lines.at(-1)).toContain('Took over')
    expect(await identify(pid, first.dataDir)).toBe('ours')
    expect(await identify(pid, join(parent, 'elsewhere', 'pgdata'))).toBe('other')
    expect(await identify(process.pid, first.dataDir)).toBe('other')
    const [checkpointer] = await ask(first, `select pid from pg_stat_activity where backend_type = 'checkpointer'`)
    expect(await identify(Number(checkpointer?.['pid']), first.dataDir)).toBe('other')
  })

  test('M1: waits for a server that is about to end, then starts anew', async () => {
    const first = await start(shared)
    const pid = await pidOf(first)
    const client = await connect(first)
    // A smart shutdown lasts until the last client leaves.
    process.kill(pid, 'SIGTERM')
    await vi.waitFor(async () => expect(await readPidFile(first.dataDir)).toMatchObject({ status: 'stopping' }))
    const pending = start(shared)
    await client.end()
    const second = await pending
    expect(await pidOf(second)).not.toBe(pid)
    expect(second.port).toBe(first.port)
  })

  test('M1: moves to a new port and keeps it where another process took the old one', async () => {
    const first = await start(shared)
    await first.stop()
    const stranger = createServer((socket) => socket.destroy())
    stranger.listen(first.port, '127.0.0.1')
    await once(stranger, 'listening')
    try {
      const second = await start(shared)
      expect(second.port).not.toBe(first.port)
      expect(await readFile(embeddedFiles(shared).portFile, 'utf8')).toBe(`${second.port}\n`)
      expect(await ask(second, 'select 1 as one')).toEqual([{ one: 1 }])
    } finally {
      stranger.close()
    }
  })

  test('M1: says what to do where the password file is lost or the server cannot start', async () => {
    const server = await start(shared)
    await server.stop()
    const { passwordFile, dataDir } = embeddedFiles(shared)
    await rename(passwordFile, `${passwordFile}.away`)
    await expect(start(shared)).rejects.toThrow(/postgres-password is missing or damaged.*Restore/s)
    await rename(`${passwordFile}.away`, passwordFile)
    const settings = join(dataDir, 'postgresql.auto.conf')
    await writeFile(settings, 'no_such_setting = 1\n')
    await expect(start(shared)).rejects.toThrow(/ended while it started.*unrecognized configuration parameter/s)
    await writeFile(settings, '')
  })
})

test('M1: down stops a server whose launcher is gone, and says so where none runs', async () => {
  expect(await stopEmbedded(dir)).toBe('not_running')
  await stopEmbedded(shared)
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', scriptFor(shared)], { encoding: 'utf8' })
  expect(started.parse(JSON.parse(printed))).toMatchObject({ firstStart: false })
  expect(await stopEmbedded(shared)).toBe('stopped')
  expect(await stopEmbedded(shared)).toBe('not_running')
})

describe('out of reach', () => {
  test('M1: a folder that only root can enter is out of reach of another user', async () => {
    await chmod(parent, 0o700)
    const stranger = { uid: 54_321, gid: 54_321 }
    expect(canReach(dir, stranger)).toBe(false)
    expect(canReach(dir, undefined)).toBe(false)
    await chmod(parent, 0o711)
    expect(canReach(dir, stranger)).toBe(true)
  })

  test.runIf(isRoot())('M1: root moves the files under /var/lib/portcullis, says so and finds them again', async () => {
    await chmod(parent, 0o700)
    const first = await start(dir)
    expect(first.movedTo).toMatch(/^\/var\/lib\/portcullis\/[0-9a-f]{16}$/)
    expect(dirname(first.dataDir)).toBe(first.movedTo)
    expect(lines[0]).toContain(first.movedTo)
    expect(existsSync(dir)).toBe(false)
    expect((await stat(first.dataDir)).uid).toBe(findDedicatedUser()?.uid)
    await first.stop()
    // What was moved stays there, even where the folder could be reached by now.
    await chmod(parent, 0o755)
    expect(await start(dir)).toMatchObject({ firstStart: false, dataDir: first.dataDir })
  })

  test.runIf(isRoot())('M1: binaries out of reach run from a copy', async () => {
    const found = embeddedBinaries()
    if (!found) throw new Error('There is no embedded PostgreSQL for this platform.')
    const user = await ensureDedicatedUser()
    expect(await usableBinaries(found, user, join(parent, 'state'))).toBe(found)
    const hidden = join(parent, 'hidden')
    await mkdir(hidden, { mode: 0o700 })
    const native = dirname(found.binDir)
    execFileSync('cp', ['-R', native, hidden])
    const unreachable = { ...found, binDir: join(hidden, 'native', 'bin'), libDir: join(hidden, 'native', 'lib') }
    const copy = await usableBinaries(unreachable, user, join(parent, 'state'))
    expect(copy.binDir).toBe(join(parent, 'state', `postgresql-${found.packageVersion}`, 'bin'))
    const options = { ...user, cwd: '/', encoding: 'utf8' } as const
    expect(execFileSync(join(copy.binDir, 'postgres'), ['--version'], options)).toContain('PostgreSQL) 18.')
    expect(await readdir(join(parent, 'state'))).toHaveLength(1)
  })

  test.runIf(isRoot())('M1: root leaves a folder alone that is not plainly its own', async () => {
    await mkdir(join(parent, 'data'), { mode: 0o700 })
    await writeFile(join(parent, 'data', 'other.txt'), '')
    const { movedTo } = embeddedHome(join(parent, 'data'))
    expect(dirname(movedTo ?? '')).toBe(stateRoot)
  })
})

async function connect(server: EmbeddedPostgres): Promise<Client> {
  const password = server.superuserPassword.reveal()
  const client = new Client({ host: server.host, port: server.port, user: 'postgres', database: 'postgres', password })
  await client.connect()
  return client
}

async function ask(server: EmbeddedPostgres, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = await connect(server)
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql)
    return rows
  } finally {
    await client.end()
  }
}

async function pidOf(server: EmbeddedPostgres): Promise<number> {
  const said = await readPidFile(server.dataDir)
  if (said === undefined || said === 'unreadable') throw new Error(`No server runs in ${server.dataDir}.`)
  return said.pid
}

async function unfinished(): Promise<readonly string[]> {
  if (!existsSync(dir)) return []
  return (await readdir(dir)).filter((name) => name.startsWith('pgdata.new-'))
}

/** A program that starts the server of the folder and ends without stopping it. */
function scriptFor(folder: string): string {
  return `
    const { startEmbedded } = await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)})
    const { port, firstStart } = await startEmbedded({ dir: ${JSON.stringify(folder)}, log: () => undefined })
    process.stdout.write(JSON.stringify({ port, firstStart }))
  `
}
