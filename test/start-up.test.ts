import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embeddedHome } from '../src/server/embedded/index.ts'
import { call, databaseOf, removeInstance } from './harness/instance.ts'
import { newFolder, Portcullis } from './harness/portcullis.ts'

const keyPattern = /^pc_[0-9A-Za-z]{22}_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/
const health = '{}'

let dir: string
let adminKey: string
const running = new Set<Portcullis>()
const up = (env?: Readonly<Record<string, string>>): Portcullis => {
  const server = Portcullis.up(dir, env)
  running.add(server)
  return server
}

beforeAll(async () => {
  dir = await newFolder()
  const first = up()
  const ready = await first.ready()
  adminKey = ready.adminKey ?? ''
  const started = await call(`http://${ready.http}`, 'HubService/StartRun', { workflow: 'first' }, { key: adminKey })
  expect(started.status).toBe(200)
  const exit = await first.end('SIGTERM')
  expect([exit.code, exit.stdout.trim().split('\n').length]).toEqual([0, 1])
})
afterAll(async () => {
  await Promise.all([...running].map((server) => server.end('SIGKILL')))
  await new Portcullis(['down', '--dir', dir]).exited
  await removeInstance(dir)
})

async function runsIn(): Promise<ReadonlySet<string>> {
  const client = new Client(await databaseOf(dir, 'postgres'))
  await client.connect()
  const { rows } = await client.query<{ id: string }>('select id from portcullis.runs')
  await client.end()
  return new Set(rows.map(({ id }) => `run_${id}`))
}

describe('portcullis up', () => {
  it('M1: prints one line when ready, with the admin key on the first start only', async () => {
    expect(adminKey).toMatch(keyPattern)
    const second = up()
    const ready = await second.ready()
    expect(ready).toMatchObject({ event: 'ready', adminKey: null, consoleUrl: null })
    expect((await call(`http://${ready.http}`, 'HubService/ListRuns', {}, { key: adminKey })).body.runs).toHaveLength(1)
    expect((await second.end('SIGINT')).code).toBe(0)
  })

  it('M1: keeps its secrets in files that nobody else may read, and prints none of them', async () => {
    const { home } = embeddedHome(dir)
    const secrets = ['signing-key.pem', 'master-key', 'postgres-password', 'database-passwords.json']
    expect(await readdir(home)).toEqual(expect.arrayContaining(secrets))
    for (const file of secrets) expect([file, (await stat(join(home, file))).mode & 0o777]).toEqual([file, 0o600])
    const password = (await readFile(join(home, 'postgres-password'), 'utf8')).trim()
    const server = up({ PORTCULLIS__LOG__LEVEL: 'debug' })
    await server.ready()
    const { stdout, stderr } = await server.end()
    expect(stdout + stderr).not.toContain(password)
    expect(stdout + stderr).not.toContain(adminKey)
  })

  it('M1: after a SIGKILL it starts again over the PostgreSQL that was left, with everything there', async () => {
    const first = up()
    const { http } = await first.ready()
    const run = await call(`http://${http}`, 'HubService/StartRun', { workflow: 'killed' }, { key: adminKey })
    expect((await first.end('SIGKILL')).signal).toBe('SIGKILL')
    const second = up()
    const again = await second.ready()
    const found = await call(`http://${again.http}`, 'HubService/GetRun', { runId: run.body.run.id }, { key: adminKey })
    expect(found.body.run).toEqual(run.body.run)
    expect((await second.end()).code).toBe(0)
  })

  it('M1: portcullis down stops the PostgreSQL of a server that was killed', async () => {
    const server = up()
    await server.ready()
    await server.end('SIGKILL')
    expect((await new Portcullis(['down', '--dir', dir]).exited).code).toBe(0)
    await expect(new Client(await databaseOf(dir, 'postgres')).connect()).rejects.toThrow(/ECONNREFUSED/)
  })

  it('M1: SIGTERM under load answers what is in flight; no acknowledged call is lost and every other one is refused', async () => {
    const server = up()
    const { http } = await server.ready()
    const acknowledged: string[] = []
    const others: string[] = []
    let over = false
    const worker = async (): Promise<void> => {
      while (!over) {
        try {
          const { status, body } = await call(
            `http://${http}`,
            'HubService/StartRun',
            { workflow: 'load' },
            { key: adminKey },
          )
          if (status === 200) acknowledged.push(body.run.id)
          else others.push(`${status} ${body.code}`)
        } catch (error) {
          // The listener is closed: the call has not been taken.
          others.push(
            error instanceof Error && error.cause instanceof Error && 'code' in error.cause
              ? String(error.cause.code)
              : String(error),
          )
          over = true
        }
      }
    }
    const load = Promise.all(Array.from({ length: 16 }, worker))
    while (acknowledged.length < 200) await new Promise(setImmediate)
    const exit = await server.end('SIGTERM')
    over = true
    await load
    expect(exit.code).toBe(0)
    expect(
      others.filter(
        (one) => !/^(ECONNREFUSED|UND_ERR_SOCKET|ECONNRESET|503 server\.draining|429 rate\.limited)$/.test(one),
      ),
    ).toEqual([])
    const again = up()
    await again.ready()
    const there = await runsIn()
    expect(acknowledged.filter((id) => !there.has(id))).toEqual([])
    await again.end()
  })

  it.each(['grpc', 'http', 'management'])(
    'M1: a port that is in use for %s is a clear error that names the setting',
    async (name) => {
      const holder = createServer()
      holder.listen(0, '127.0.0.1')
      await once(holder, 'listening')
      const address = holder.address()
      const port = typeof address === 'object' ? address?.port : undefined
      const variable = `PORTCULLIS__LISTEN__${name.toUpperCase()}`
      const server = up({ [variable]: `127.0.0.1:${port}` })
      const { code, stdout, stderr } = await server.exited
      holder.close()
      expect(code).toBe(3)
      expect(stdout + stderr).toContain(variable)
      expect(stdout + stderr).toContain('in use')
      expect(stdout + stderr).not.toMatch(/^\s+at /m)
      // It has taken its PostgreSQL with it.
      await expect(new Client(await databaseOf(dir, 'postgres')).connect()).rejects.toThrow(/ECONNREFUSED/)
    },
  )

  it('M1: a first start that fails on a port in use has not used up the admin key: the next one that is ready shows it', async () => {
    const fresh = await newFolder()
    const holder = createServer()
    holder.listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const address = holder.address()
    const taken = { PORTCULLIS__LISTEN__HTTP: `127.0.0.1:${typeof address === 'object' ? address?.port : ''}` }
    const failed = await Portcullis.up(fresh, taken).exited
    holder.close()
    expect([failed.code, failed.stdout + failed.stderr]).toEqual([3, expect.not.stringMatching(/pc_/)])
    const second = Portcullis.up(fresh)
    const { http, adminKey: key, consoleUrl } = await second.ready()
    expect([key, consoleUrl]).toEqual([expect.stringMatching(keyPattern), expect.stringContaining(http)])
    expect((await call(`http://${http}`, 'HubService/ListRuns', {}, { key: key ?? '' })).status).toBe(200)
    await second.end()
    const third = Portcullis.up(fresh)
    expect((await third.ready()).adminKey).toBeNull()
    await third.end()
    await removeInstance(fresh)
  })

  it('M1: two over one folder share the PostgreSQL; the one that stays goes on after the other has stopped it', async () => {
    const [one, two] = [up(), up()]
    const [first, second] = [await one.ready(), await two.ready()]
    const run = await call(`http://${first.http}`, 'HubService/StartRun', { workflow: 'shared' }, { key: adminKey })
    const found = await call(
      `http://${second.http}`,
      'HubService/GetRun',
      { runId: run.body.run.id },
      { key: adminKey },
    )
    expect(found.body.run).toEqual(run.body.run)
    expect((await one.end()).code).toBe(0)
    const deadline = Date.now() + 30_000
    const codes = new Set<string>()
    for (;;) {
      const { status, body } = await call(
        `http://${second.http}`,
        'HubService/GetRun',
        { runId: run.body.run.id },
        { key: adminKey },
      )
      if (status === 200 && two.stderr.includes('PostgreSQL is back')) break
      if (status !== 200) codes.add(body.code)
      if (Date.now() > deadline) expect.fail(`still ${status}: ${two.stderr}`)
    }
    for (const code of codes) expect(['store.unavailable', 'audit.unavailable']).toContain(code)
    expect((await two.end()).code).toBe(0)
  })

  it('M1: PostgreSQL that is killed under it comes back, and meanwhile calls are refused', async () => {
    const server = up()
    const { http, management } = await server.ready()
    const { home } = embeddedHome(dir)
    const pid = Number((await readFile(join(home, 'pgdata', 'postmaster.pid'), 'utf8')).split('\n')[0])
    process.kill(pid, 'SIGKILL')
    const seen = new Set<string>()
    const deadline = Date.now() + 30_000
    for (;;) {
      const { status, body } = await call(
        `http://${http}`,
        'HubService/StartRun',
        { workflow: 'again' },
        { key: adminKey },
      )
      seen.add(status === 200 ? 'done' : body.code)
      if (status === 200 && server.stderr.includes('PostgreSQL is back')) break
      if (Date.now() > deadline) expect.fail(`still ${status} ${body.code}: ${server.stderr}`)
    }
    for (const code of seen)
      expect(['done', 'store.unavailable', 'outcome.unknown', 'audit.unavailable', 'bounds.deadline']).toContain(code)
    // The connection that readiness asks over may be one that PostgreSQL has not been tried on yet.
    await expect
      .poll(async () => (await fetch(`http://${management}/readyz`, { headers: { accept: health } })).status, {
        timeout: 10_000,
      })
      .toBe(200)
    expect((await server.end()).code).toBe(0)
  })
})
