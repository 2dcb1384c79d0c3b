import { execFileSync } from 'node:child_process'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { removeInstance } from '../harness/instance.ts'
import { newFolder, noLimits, Portcullis } from '../harness/portcullis.ts'
import { expectNothingLost, Load } from './load.ts'

const rounds = 5

let dir: string
let server: Portcullis
beforeAll(async () => {
  dir = await newFolder()
  server = new Portcullis(['up', '--json', '--dir', dir, '--workers', '2'], {
    PORTCULLIS__LISTEN__GRPC: '127.0.0.1:0',
    PORTCULLIS__LISTEN__HTTP: '127.0.0.1:0',
    PORTCULLIS__LISTEN__MANAGEMENT: '127.0.0.1:0',
    ...noLimits,
  })
})
afterAll(async () => {
  await server.end()
  await new Portcullis(['down', '--dir', dir]).exited
  await removeInstance(dir)
})

function workerPids(): readonly number[] {
  const lines = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(server.child.pid)], { encoding: 'utf8' })
  return lines
    .split('\n')
    .filter((line) => line.includes('worker.ts'))
    .map((line) => Number.parseInt(line, 10))
}

it('M6: two workers serve behind one address; one that is killed under load is replaced and loses no acknowledged call', async () => {
  const { http, adminKey } = await server.ready()
  expect(workerPids()).toHaveLength(2)
  const load = new Load('workers', adminKey ?? '', () => `http://${http}`, 24)
  for (let round = 0; round < rounds; round += 1) {
    await load.more(200)
    const [victim, other] = workerPids()
    process.kill(victim ?? 0, 'SIGKILL')
    await vi.waitFor(
      () => {
        const now = workerPids()
        expect(now).toHaveLength(2)
        expect(now).toContain(other)
        expect(now).not.toContain(victim)
      },
      { timeout: 20_000, interval: 100 },
    )
  }
  await load.more(200)
  await load.stop()
  await expectNothingLost(dir, load)
})

it('O4: a scrape says which worker it reached, by a number that its replacement keeps', async () => {
  const { management } = await server.ready()
  // A connection of its own each time: whichever worker takes it answers.
  const scrape = () =>
    new Promise<string>((resolve, reject) => {
      const asked = get(`http://${management}/metrics`, { agent: false }, (reply) => text(reply).then(resolve, reject))
      asked.on('error', reject)
    })
  const seen = new Set<string>()
  await vi.waitFor(
    async () => {
      const labels = [...(await scrape()).matchAll(/worker="([^"]*)"/g)].map(([, worker = '']) => worker)
      // Never two of them on one page.
      expect(new Set(labels).size).toBe(1)
      for (const worker of labels) seen.add(worker)
      expect(seen).toEqual(new Set(['0', '1']))
    },
    { timeout: 20_000, interval: 50 },
  )
})
