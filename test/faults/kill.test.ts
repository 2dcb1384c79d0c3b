import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { removeInstance } from '../harness/instance.ts'
import { newFolder, noLimits, Portcullis } from '../harness/portcullis.ts'
import { expectNothingLost, Load } from './load.ts'

const rounds = 10
const workers = 24

let dir: string
let server: Portcullis
beforeAll(async () => {
  dir = await newFolder()
})
afterAll(async () => {
  await server.end('SIGKILL')
  await new Portcullis(['down', '--dir', dir]).exited
  await removeInstance(dir)
})

it(`L5: ${rounds} times killed under load, the server loses no acknowledged call and does none twice`, async () => {
  server = Portcullis.up(dir, noLimits)
  let { http, adminKey } = await server.ready()
  const load = new Load('server', adminKey ?? '', () => `http://${http}`, workers)
  for (let round = 0; round < rounds; round += 1) {
    await load.more(200)
    await server.end('SIGKILL')
    server = Portcullis.up(dir, noLimits)
    ;({ http } = await server.ready())
  }
  await load.more(200)
  await load.stop()
  await expectNothingLost(dir, load)
  expect(load.acknowledged.size).toBeGreaterThan(200 * (rounds + 1))
  expect(load.refusals.get('no answer')).toBeGreaterThan(0)
  await server.end()
})

it(`L5: ${rounds} times its PostgreSQL is killed under load; no acknowledged call is lost, none is done twice, and it comes back by itself`, async () => {
  server = Portcullis.up(dir, noLimits)
  const { http } = await server.ready()
  const recovered = await new Portcullis(['admin', 'recover', '--json', '--dir', dir]).exited
  const { adminKey } = JSON.parse(recovered.stdout)
  const load = new Load('postgres', adminKey, () => `http://${http}`, workers)
  for (let round = 1; round <= rounds; round += 1) {
    await load.more(200)
    const pidFile = join(embeddedHome(dir).home, 'pgdata', 'postmaster.pid')
    process.kill(Number((await readFile(pidFile, 'utf8')).split('\n')[0]), 'SIGKILL')
    await vi.waitFor(() => expect(server.stderr.split('PostgreSQL is back').length - 1).toBe(round), {
      timeout: 60_000,
      interval: 20,
    })
  }
  await load.more(200)
  await load.stop()
  // A refusal says what it must: nothing was done, or nobody knows and the key tells.
  const known = [
    'store.unavailable',
    // Away for longer than the state of kills is believed.
    'kill.stale',
    'outcome.unknown',
    'audit.unavailable',
    'idempotency.in_flight',
    'store.busy',
    'bounds.deadline',
  ]
  expect([...load.refusals.keys()].filter((code) => !known.includes(code))).toEqual([])
  expect((await server.end()).code).toBe(0)
  server = Portcullis.up(dir, noLimits)
  await server.ready()
  await expectNothingLost(dir, load)
})
