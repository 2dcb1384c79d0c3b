import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Secret } from '#core'
import { Gcra, type Charge } from '#gate'
import { serve } from '#server'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { RedisBuckets } from '../../src/server/shared-rates/redis-buckets.ts'
import { call, databaseOf, freePorts, startInstance, type Answer, type TestInstance } from '../harness/instance.ts'
import { TestRedis } from '../harness/redis.ts'

let redis: TestRedis
let instance: TestInstance
beforeAll(async () => {
  ;[redis, instance] = await Promise.all([TestRedis.start(), startInstance()])
})
afterAll(async () => {
  await instance.stop()
  redis.thaw()
  await redis.kill()
})

let subjects = 0
const fresh = (): string => `subject-${(subjects += 1)}`

function openBuckets(timeoutMs = 2000): RedisBuckets {
  const buckets = new RedisBuckets({ url: new Secret(redis.url), timeoutMs })
  onTestFinished(() => buckets.close())
  return buckets
}

async function connected(timeoutMs?: number): Promise<RedisBuckets> {
  const buckets = openBuckets(timeoutMs)
  await expect
    .poll(() =>
      buckets.ping().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
  return buckets
}

describe('buckets in Redis', () => {
  it('G7: decide the same as those in memory, for the same sequence', async () => {
    const buckets = await connected()
    const rates = fc.record({ perSecond: fc.integer({ min: 1, max: 5000 }), burst: fc.integer({ min: 1, max: 50 }) })
    const steps = fc.array(
      fc.record({
        // The time is wall time in one and a count since the start in the other; the difference is what counts.
        afterMs: fc.double({ min: 0, max: 300, noNaN: true }),
        cost: fc.integer({ min: 1, max: 5 }),
        take: fc.boolean(),
        whose: fc.constantFrom('a', 'b'),
      }),
      { maxLength: 40 },
    )
    await fc.assert(
      fc.asyncProperty(rates, steps, async (rate, list) => {
        const memory = new Gcra(rate)
        const run = fresh()
        let nowMs = 1_800_000_000_000
        for (const { afterMs, cost, take, whose } of list) {
          nowMs += afterMs
          const subject = `${run}-${whose}`
          const waitMs = take ? memory.take(subject, nowMs, cost) : memory.wait(subject, nowMs, cost)
          const charge: Charge = { bucket: 'calls', subject, cost, rate, take }
          const shared = await buckets.take([charge], nowMs)
          const expected =
            waitMs > 0 ? { limited: charge, waitMs } : { limited: undefined, left: [memory.left(subject, nowMs)] }
          expect(shared).toEqual(expected)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('G7: take nothing of what follows an empty one, and forget a bucket that is full again', async () => {
    const buckets = await connected()
    const rate = { perSecond: 100, burst: 1 }
    const of = (subject: string): Charge => ({ bucket: 'calls', subject, cost: 1, rate, take: true })
    const [first, second] = [fresh(), fresh()]
    await buckets.take([of(first)], 1000)
    expect(await buckets.take([of(first), of(second)], 1000)).toMatchObject({ limited: { subject: first } })
    expect(await buckets.take([of(second)], 1000)).toMatchObject({ limited: undefined, left: [0] })
    expect(await buckets.take([of(first)], 1010)).toMatchObject({ limited: undefined })
  })

  it('G7: work on after a restart that forgot the script, and say so in time where nobody answers', async () => {
    const buckets = await connected(200)
    const charge: Charge = { bucket: 'calls', subject: fresh(), cost: 1, rate: { perSecond: 1, burst: 1 }, take: true }
    await buckets.take([charge])
    expect(await buckets.take([charge])).toMatchObject({ limited: { subject: charge.subject } })
    await redis.kill()
    await expect(buckets.take([charge])).rejects.toThrow()
    await redis.start()
    await expect
      .poll(() =>
        buckets.ping().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
    expect(await buckets.take([charge])).toMatchObject({ limited: undefined })
    redis.freeze()
    await expect(buckets.take([charge])).rejects.toThrow('no answer within 200 ms')
    redis.thaw()
  })

  it('G7: are away for as long as Redis cannot write, which a mere PING does not tell', async () => {
    const buckets = await connected()
    const charge: Charge = { bucket: 'calls', subject: fresh(), cost: 1, rate: { perSecond: 1, burst: 1 }, take: true }
    const admin = await redisClient()
    await admin.configSet('maxmemory', '1')
    await expect(buckets.take([charge])).rejects.toThrow('OOM')
    await expect(buckets.ping()).rejects.toThrow('OOM')
    await admin.configSet('maxmemory', '0')
    await buckets.ping()
    expect(await buckets.take([charge])).toMatchObject({ limited: undefined })
  })

  it('G7: ask a Redis that stands still once whether it is back, however long it does', async () => {
    const buckets = await connected(50)
    const admin = await redisClient()
    await admin.configResetStat()
    redis.freeze()
    for (let turn = 0; turn < 5; turn += 1) await expect(buckets.ping()).rejects.toThrow('no answer within 50 ms')
    redis.thaw()
    await expect.poll(async () => /cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1]).toBe('1')
  })

  it('G7: give up a connection whose other end vanished, and go on with a new one', async () => {
    const { url, vanish } = await vanishing()
    const buckets = new RedisBuckets({ url: new Secret(url), timeoutMs: 100, silenceMs: 500 })
    onTestFinished(() => buckets.close())
    await buckets.reached()
    await buckets.ping()
    vanish()
    await expect(buckets.ping()).rejects.toThrow('no answer within 100 ms')
    const back = (): Promise<boolean> =>
      buckets.ping().then(
        () => true,
        () => false,
      )
    await expect.poll(back, { timeout: 10_000 }).toBe(true)
  })
})

/** Passes connections on to Redis, until those that are there hang in the air, as where a machine vanishes. */
async function vanishing() {
  const there = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(redis.port, '127.0.0.1')
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      there.add(socket)
      socket.on('error', () => undefined)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of there) socket.destroy()
    server.close()
  })
  const vanish = (): void => {
    for (const socket of there) socket.unpipe().pause()
  }
  const { port } = server.address() as AddressInfo
  return { url: `redis://127.0.0.1:${port}`, vanish }
}

async function redisClient() {
  const { createClient } = await import('redis')
  const client = createClient({ url: redis.url })
  client.on('error', () => undefined)
  onTestFinished(() => client.destroy())
  return client.connect()
}

/** Another server over the database of the instance, with its rates in Redis. */
async function replica(
  whenAway: 'memory' | 'refuse',
  more = '',
): Promise<(method: string, key: string) => Promise<Answer>> {
  const { user, password, host, port, database } = await databaseOf(instance.dir, 'portcullis_app')
  const file = join(instance.dir, `${fresh()}.yaml`)
  const text = `
database: { url: 'postgres://${user}:${password}@${host}:${port}/${database}' }
listen: { grpc: '${freePorts.PORTCULLIS__LISTEN__GRPC}', http: '127.0.0.1:0', management: '127.0.0.1:0' }
log: { level: fatal }
replicas: { redis: { url: '${redis.url}', timeoutMs: 500, whenAway: ${whenAway} } }
limits: { rate: { store: redis, ${more} } }
secrets: { keyFile: '${join(embeddedHome(instance.dir).home, 'master-key')}' }
`
  await writeFile(file, text, { mode: 0o600 })
  const running = await serve({ configFile: file, env: {} })
  onTestFinished(() => running.stop())
  return (method, key) => call(`http://${running.ready.http}`, method, { workflow: 'w' }, { key })
}

const slow = 'key: { perSecond: 1, burst: 6 }'
const rate = (answer: Answer): string => `${answer.status} ${answer.headers.get('ratelimit')?.split(';')[1]}`

describe('instances that share their rates', () => {
  it('G7: charge one bucket for a key, whichever instance it calls', async () => {
    const { key } = await instance.agent(fresh(), ['telemetry:write'])
    const [one, other] = [await replica('memory', slow), await replica('memory', slow)]
    const answers: Answer[] = []
    for (let turn = 0; turn < 4; turn += 1) {
      answers.push(await one('HubService/StartRun', key), await other('HubService/StartRun', key))
    }
    const allowed = answers.filter(({ status }) => status === 200)
    // Six at once, and one more for each second that this took.
    expect(allowed.length).toBeGreaterThanOrEqual(6)
    expect(answers.slice(0, 6).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    expect(rate(answers[0] as Answer)).toBe('200 r=5')
    const left = answers.slice(0, 6).map((each) => Number(/r=(\d+)/.exec(rate(each))?.[1]))
    expect(left.at(-1)).toBeLessThan(left[0] ?? 0)
  })

  it('G7: refuse a wrong credential as before, and charge its address in one bucket', async () => {
    const failures = 'failures: { perSecond: 1, burst: 4 }'
    const [one, other] = [await replica('memory', failures), await replica('memory', failures)]
    const codes: string[] = []
    for (let turn = 0; turn < 4; turn += 1) {
      for (const each of [one, other]) codes.push((await each('HubService/StartRun', 'nonsense')).body.code)
    }
    expect(codes[0]).toBe('auth.credential_invalid')
    expect(codes).toContain('rate.limited')
  })

  it('G7: count alone while Redis is away, and together again when it is back', async () => {
    const { key } = await instance.agent(fresh(), ['telemetry:write'])
    const one = await replica('memory', slow)
    expect(rate(await one('HubService/StartRun', key))).toBe('200 r=5')
    await redis.kill()
    // A bucket of its own, which is full.
    expect(rate(await one('HubService/StartRun', key))).toBe('200 r=5')
    await redis.start()
    await expect.poll(async () => (await connectedKeys()).length, { timeout: 10_000 }).toBe(0)
    await expect
      .poll(
        async () => {
          await one('HubService/StartRun', key)
          return (await connectedKeys()).length
        },
        { timeout: 10_000, interval: 300 },
      )
      .toBeGreaterThan(0)
  })

  it('G7: or refuse what has a credential while Redis is away, as set; public reads are answered', async () => {
    const { key } = await instance.agent(fresh(), ['telemetry:write'])
    const one = await replica('refuse')
    expect((await one('HubService/StartRun', key)).status).toBe(200)
    await redis.kill()
    const refused = await one('HubService/StartRun', key)
    expect([refused.status, refused.body.code]).toEqual([503, 'store.unavailable'])
    expect((await one('HubService/StartRun', 'nonsense')).body.code).toBe('auth.credential_invalid')
    await redis.start()
    await expect
      .poll(async () => (await one('HubService/StartRun', key)).status, { timeout: 10_000, interval: 100 })
      .toBe(200)
  })
})

/** The buckets that Redis holds. */
async function connectedKeys(): Promise<readonly string[]> {
  const client = await redisClient()
  return client.keys('portcullis:rate:calls:key_*')
}
