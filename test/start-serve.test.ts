import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, freePorts } from './harness/instance.ts'
import { newFolder, Portcullis, type Exit } from './harness/portcullis.ts'
import { TestDatabase } from './harness/postgres.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([newFolder(), TestDatabase.start()])
})
afterAll(async () => {
  await database.stop()
  await rm(folder, { recursive: true, force: true })
})

let files = 0
async function configFile(text: string): Promise<string> {
  files += 1
  const file = join(folder, `portcullis-${files}.yaml`)
  await writeFile(file, text, { mode: 0o600 })
  return file
}

const run = (args: readonly string[]): Promise<Exit> => new Portcullis(args, freePorts).exited

describe('portcullis serve', () => {
  it('M4: names every problem of its settings at once, each with its path and what to do, and starts nothing', async () => {
    const file = await configFile(`
env: production
reflection: true
listen:
  http: not-an-address
limits:
  http:
    bodyBytes: -1
databse:
  url: postgres://a@b/c
authority:
  bypassNetworks:
    - 10.0.0.0/8
`)
    const { code, stdout, stderr } = await new Portcullis(['serve', '--config', file]).exited
    expect(code).toBe(2)
    expect(stdout).toBe('')
    for (const path of [
      'reflection',
      'listen.http',
      'limits.http.bodyBytes',
      'databse',
      'authority.bypassNetworks.0',
      'database',
    ]) {
      expect(stderr).toMatch(new RegExp(`^error +${path}\\n +value .*\\n +why .*\\n +to do `, 'm'))
    }
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  it('M4: needs a settings file that is there', async () => {
    expect((await run(['serve'])).code).toBe(2)
    const { code, stderr } = await run(['serve', '--config', join(folder, 'nowhere.yaml')])
    expect([code, stderr.includes('nowhere.yaml')]).toEqual([2, true])
  })

  it('O2: names a database that cannot be reached, without the password', async () => {
    const file = await configFile(`database:\n  url: postgres://portcullis_app:open-sesame@127.0.0.1:1/nothing\n`)
    const { code, stdout, stderr } = await run(['serve', '--config', file])
    expect(code).toBe(3)
    expect(stderr).toContain('the database cannot be reached')
    expect(stdout + stderr).not.toContain('open-sesame')
  })

  it('O2: refuses a database without a schema and creates none; migrate makes it, once shows the admin key, and then it serves', async () => {
    await database.emptyDatabase('served')
    const app = database.url('portcullis_app', 'served')
    const file = await configFile(
      `database:\n  url: ${app}\n  owner:\n    url: ${database.url('portcullis_owner', 'served')}\n`,
    )
    const early = await run(['serve', '--config', file])
    expect(early.code).toBe(3)
    expect(early.stderr).toContain('run `portcullis migrate --config FILE` as the owner role')

    const plan = await run(['migrate', '--plan', '--json', '--config', file])
    expect(plan.code).toBe(0)
    expect(JSON.parse(plan.stdout).applied[0]).toMatchObject({ version: 1 })
    const admin = await database.connect('postgres', 'served')
    expect((await admin.query(`select to_regnamespace('portcullis') is null as clean`)).rows).toEqual([{ clean: true }])

    const first = await run(['migrate', '--json', '--config', file])
    const { adminKey } = JSON.parse(first.stdout)
    expect(adminKey).toMatch(/^pc_/)
    expect(JSON.parse((await run(['migrate', '--json', '--config', file])).stdout)).toMatchObject({
      applied: [],
      adminKey: null,
    })

    const server = new Portcullis(['serve', '--json', '--config', file], freePorts)
    const ready = await server.ready()
    expect(ready).toMatchObject({ event: 'ready', adminKey: null })
    const started = await call(`http://${ready.http}`, 'HubService/StartRun', { workflow: 'served' }, { key: adminKey })
    expect(started.status).toBe(200)
    expect((await server.end('SIGTERM')).code).toBe(0)
    expect((await admin.query('select workflow from portcullis.runs')).rows).toEqual([{ workflow: 'served' }])
  })

  it.each(['portcullis_owner'] as const)('O2: refuses to serve as %s', async (role) => {
    const file = await configFile(`database:\n  url: ${database.url(role, 'portcullis')}\n`)
    const { code, stderr } = await run(['serve', '--config', file])
    expect(code).toBe(3)
    expect(stderr).toContain(`the role ${role} owns tables of Portcullis`)
  })

  it('M6: two replicas over one database behave as one: keys, revocation and idempotency', async () => {
    await database.emptyDatabase('replicas')
    const file = await configFile(
      `database:\n  url: ${database.url('portcullis_app', 'replicas')}\n  owner:\n    url: ${database.url('portcullis_owner', 'replicas')}\n`,
    )
    const { adminKey } = JSON.parse((await run(['migrate', '--json', '--config', file])).stdout)
    const replicas = [0, 1].map(() => new Portcullis(['serve', '--json', '--config', file], freePorts))
    const [one = '', two = ''] = await Promise.all(
      replicas.map(async (server) => `http://${(await server.ready()).http}`),
    )
    const agent = await call(one, 'IdentityService/CreateAgent', { name: 'worker' }, { key: adminKey })
    const made = await call(
      one,
      'IdentityService/CreateKey',
      { agentId: agent.body.agent.id, scopes: ['telemetry:write'] },
      { key: adminKey },
    )
    const options = { key: made.body.key, headers: { 'idempotency-key': 'same' } }
    const until = async (status: number): Promise<void> => {
      const deadline = Date.now() + 10_000
      while ((await call(two, 'HubService/StartRun', { workflow: 'x' }, { key: made.body.key })).status !== status) {
        if (Date.now() > deadline) expect.fail(`the other replica never answers ${status}`)
      }
    }
    await until(200)
    const answers = await Promise.all(
      [one, two, one, two].map((url) => call(url, 'HubService/StartRun', { workflow: 'same' }, options)),
    )
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.run?.id}`)).size).toBe(1)
    await call(one, 'IdentityService/RevokeKey', { keyId: made.body.apiKey.id }, { key: adminKey })
    expect((await call(one, 'HubService/StartRun', { workflow: 'x' }, { key: made.body.key })).status).toBe(401)
    await until(401)
    expect((await Promise.all(replicas.map((server) => server.end()))).map(({ code }) => code)).toEqual([0, 0])
  })
})
