import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { call, removeInstance } from '../harness/instance.ts'
import { newFolder, noLimits, Portcullis } from '../harness/portcullis.ts'
import { expectNothingLost, Load } from './load.ts'

// Mounting needs root.
const isRoot = process.getuid?.() === 0

let dir: string
let server: Portcullis
beforeEach(async () => {
  dir = await newFolder()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400m,mode=755', 'tmpfs', dir])
})
afterEach(async () => {
  rmSync(join(dir, 'ballast'), { force: true })
  await server.end('SIGKILL')
  await new Portcullis(['down', '--dir', dir]).exited
  spawnSync('umount', ['-l', dir])
  await removeInstance(dir)
})

/** Leaves that many bytes. */
function fill(leave: number): void {
  const file = openSync(join(dir, 'ballast'), 'a')
  const block = Buffer.alloc(1 << 16)
  for (;;) {
    const { bavail, bsize } = statfsSync(dir)
    const more = Math.min(block.length, bavail * bsize - leave)
    if (more <= 0) break
    writeSync(file, block, 0, more)
  }
  closeSync(file)
}

async function started(env: Readonly<Record<string, string>>): Promise<{ http: string; adminKey: string }> {
  server = Portcullis.up(dir, { ...noLimits, ...env })
  const { http, adminKey } = await server.ready()
  expect(embeddedHome(dir)).toEqual({ home: dir })
  return { http, adminKey: adminKey ?? '' }
}

describe.runIf(isRoot)('the disk of the store', () => {
  it('T1, O14: short of space, writes are refused before PostgreSQL runs full, reads and kills are not, and it goes on by itself', async () => {
    const { http, adminKey } = await started({ PORTCULLIS__LIMITS__FREE_BYTES_MIN: String(64 << 20) })
    const load = new Load('short', adminKey, () => `http://${http}`, 8)
    await load.more(100)
    fill(48 << 20)
    await vi.waitFor(() => expect(load.refusals.get('store.full')).toBeGreaterThan(0), { timeout: 10_000 })
    const read = await call(`http://${http}`, 'HubService/ListRuns', {}, { key: adminKey })
    expect(read.status).toBe(200)
    const kill = { scope: { kind: 'KILL_SCOPE_KIND_JOB_KIND', id: 'retention' }, reason: 'no room' }
    expect((await call(`http://${http}`, 'KillService/Engage', kill, { key: adminKey })).status).toBe(200)
    rmSync(join(dir, 'ballast'))
    await load.more(100)
    await load.stop()
    expect([...load.refusals.keys()]).toEqual(['store.full'])
    await expectNothingLost(dir, load)
  })

  it('T1: full under PostgreSQL itself, nothing acknowledged is lost, and it goes on by itself once there is room', async () => {
    const { http, adminKey } = await started({ PORTCULLIS__LIMITS__FREE_BYTES_MIN: '0' })
    const load = new Load('full', adminKey, () => `http://${http}`, 24)
    await load.more(200)
    fill(0)
    // Until what it had allotted is used up: then nothing is acknowledged any more.
    for (let before = -1; before !== load.acknowledged.size;) {
      before = load.acknowledged.size
      await delay(1500)
    }
    const refused = [...load.refusals.values()].reduce((sum, count) => sum + count, 0)
    expect(refused).toBeGreaterThan(0)
    rmSync(join(dir, 'ballast'))
    await load.more(200)
    await load.stop()
    await expectNothingLost(dir, load)
  })
})
