import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { expectNothingLost, Load } from '../faults/load.ts'
import { removeInstance } from '../harness/instance.ts'
import { newFolder, noLimits, Portcullis } from '../harness/portcullis.ts'

const serverKills = cycles('SOAK_SERVER_KILLS', 50)
const postgresKills = cycles('SOAK_POSTGRES_KILLS', 20)
const callers = 24
// A kill comes somewhere in the work, not always at the same place.
const callsBetween = [20, 400] as const
const deadlineMs = 300_000

let dir: string
let server: Portcullis
beforeEach(async () => {
  dir = await newFolder()
  server = Portcullis.up(dir, noLimits)
})
afterEach(async () => {
  await server.end('SIGKILL')
  await new Portcullis(['down', '--dir', dir]).exited
  await removeInstance(dir)
})

function cycles(variable: string, byDefault: number): number {
  const given = process.env[variable]
  if (given === undefined || /^[1-9]\d{0,4}$/.test(given)) return Number(given ?? byDefault)
  throw new Error(`${variable} is not a number of cycles: set it to 1 or more, or leave it out for ${byDefault}`)
}

function say(line: string): void {
  process.stderr.write(`soak: ${line}\n`)
}

async function expectAll(load: Load): Promise<void> {
  await expectNothingLost(dir, load)
  say(`${load.acknowledged.size} acknowledged calls are there once, with their entries; ${load.replays} were replayed`)
}

it(`L5: killed ${serverKills} times under load, the server loses no acknowledged entry, and chain and root hold`, async () => {
  let { http, adminKey } = await server.ready()
  const load = new Load('server', adminKey ?? '', () => `http://${http}`, callers)
  for (let cycle = 1; cycle <= serverKills; cycle += 1) {
    await load.more(randomInt(...callsBetween), deadlineMs)
    await server.end('SIGKILL')
    server = Portcullis.up(dir, noLimits)
    ;({ http } = await server.ready())
    say(`server killed ${cycle} of ${serverKills}, ${load.acknowledged.size} calls acknowledged`)
  }
  await load.more(200, deadlineMs)
  await load.stop()
  await expectAll(load)
  expect(load.refusals.get('no answer')).toBeGreaterThan(0)
})

it(`L5: its PostgreSQL killed ${postgresKills} times under load, no acknowledged entry is lost, and chain and root hold`, async () => {
  const { http, adminKey } = await server.ready()
  const load = new Load('postgres', adminKey ?? '', () => `http://${http}`, callers)
  for (let cycle = 1; cycle <= postgresKills; cycle += 1) {
    await load.more(randomInt(...callsBetween), deadlineMs)
    const pidFile = join(embeddedHome(dir).home, 'pgdata', 'postmaster.pid')
    process.kill(Number((await readFile(pidFile, 'utf8')).split('\n')[0]), 'SIGKILL')
    await vi.waitFor(() => expect(server.stderr.split('PostgreSQL is back').length - 1).toBe(cycle), {
      timeout: deadlineMs,
      interval: 50,
    })
    say(`PostgreSQL killed ${cycle} of ${postgresKills}, ${load.acknowledged.size} calls acknowledged`)
  }
  await load.more(200, deadlineMs)
  await load.stop()
  await expectAll(load)
})
