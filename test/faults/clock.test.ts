import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { databaseOf, removeInstance } from '../harness/instance.ts'
import { newFolder, noLimits, Portcullis } from '../harness/portcullis.ts'
import { expectNothingLost, Load } from './load.ts'

const steps = mkdtempSync(join(tmpdir(), 'portcullis-clock-'))
const offset = join(steps, 'offset')

let dir: string
let server: Portcullis
beforeAll(async () => {
  dir = await newFolder()
  step(0)
  server = Portcullis.up(dir, {
    // The wall clock of the server alone; that of its PostgreSQL, and every monotonic one, stay as they are.
    LD_PRELOAD: libfaketime(),
    FAKETIME_TIMESTAMP_FILE: offset,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    ...noLimits,
  })
})
afterAll(async () => {
  await server.end('SIGKILL')
  await new Portcullis(['down', '--dir', dir]).exited
  await removeInstance(dir)
  rmSync(steps, { recursive: true })
})

function libfaketime(): string {
  const [found] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
  if (found === undefined) throw new Error('no libfaketime: tools/install-test-peers.sh installs it')
  return found
}

function step(seconds: number): void {
  writeFileSync(offset, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s\n`)
}

it('T1, O15: a clock that steps by a minute, forth and back, under load: it is not ready while it is wrong, and nothing is lost', async () => {
  const { http, management, adminKey } = await server.ready()
  const status = async (): Promise<number> => (await fetch(`http://${management}/readyz`)).status
  expect(await status()).toBe(200)
  const load = new Load('clock', adminKey ?? '', () => `http://${http}`, 8)
  await load.more(100)
  for (const seconds of [60, 0, -60, 0]) {
    step(seconds)
    const wanted = seconds === 0 ? 200 : 503
    await vi.waitFor(async () => expect(await status()).toBe(wanted), { timeout: 30_000, interval: 100 })
    await load.more(50)
    await delay(200)
  }
  await load.stop()
  await expectNothingLost(dir, load)
  const admin = new Client(await databaseOf(dir, 'postgres'))
  await admin.connect()
  try {
    // Times in a log are those of the database, which stood still for nobody.
    const backwards = `select seq from (select seq, ts, lag(ts) over (partition by log order by seq) as before from audits.entries) e
      where ts < before`
    expect((await admin.query(backwards)).rows).toEqual([])
  } finally {
    await admin.end()
  }
})
