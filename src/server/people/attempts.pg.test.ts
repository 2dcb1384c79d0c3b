import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256Hex } from '#core'
import { Gcra } from '#gate'
import { Sessions } from '#store'
import { TestDatabase } from '../../../test/harness/postgres.ts'
import { Attempts } from './attempts.ts'

let database: TestDatabase
let admin: Client
// Two replicas have a connection each.
let stores: readonly [Sessions, Sessions]

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  stores = [new Sessions(database.settings()), new Sessions(database.settings())]
})
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await database.stop()
})
beforeEach(async () => void (await admin.query('truncate portcullis.sign_in_attempts')))

const replica = (store: Sessions, perAddress = 1000): Attempts =>
  new Attempts({ now: () => 0, monotonic: () => 0 }, new Gcra({ perSecond: 1, burst: perAddress }), store)

async function attempt(at: Attempts, person: string, remote: string, failed = true): Promise<number> {
  const one = await at.begin(person, remote)
  if (typeof one === 'number') return one
  await one.end(failed)
  return 0
}

/** As where so much time had gone by. */
async function pass(seconds: number): Promise<void> {
  await admin.query(`update portcullis.sign_in_attempts set forgiven_at = forgiven_at - $1 * interval '1 s'`, [seconds])
}

async function rows(): Promise<number> {
  return (await admin.query('select from portcullis.sign_in_attempts')).rowCount ?? 0
}

describe('failed sign-ins', () => {
  it('A9: after five from one address, at whichever replica, a person waits, and then has one at a time', async () => {
    const [one, two] = stores.map((store) => replica(store)) as [Attempts, Attempts]
    for (const at of [one, two, one, two, one]) expect(await attempt(at, 'main/ada', '192.0.2.1')).toBe(0)
    for (const at of [two, one]) {
      const wait = await attempt(at, 'main/ada', '192.0.2.1')
      expect([wait > 25_000, wait <= 30_000]).toEqual([true, true])
    }
    await pass(30)
    expect(await attempt(two, 'main/ada', '192.0.2.1')).toBe(0)
    expect(await attempt(one, 'main/ada', '192.0.2.1')).toBeGreaterThan(0)
  })

  it('A9: a process that starts anew finds what was counted before', async () => {
    for (let count = 0; count < 5; count += 1) await attempt(replica(stores[0]), 'main/ada', '192.0.2.1')
    expect(await attempt(replica(stores[0]), 'main/ada', '192.0.2.1')).toBeGreaterThan(0)
  })

  it('A9: somebody else, and the same person from elsewhere, are not kept waiting', async () => {
    const at = replica(stores[0])
    for (let count = 0; count < 6; count += 1) await attempt(at, 'main/ada', '192.0.2.1')
    expect(await attempt(at, 'main/bob', '192.0.2.1')).toBe(0)
    expect(await attempt(at, 'main/ada', '192.0.2.2')).toBe(0)
  })

  it('A9: who guesses from many addresses is slowed down by the person', async () => {
    const at = replica(stores[0])
    const waits: number[] = []
    for (let guess = 0; guess < 101; guess += 1) waits.push(await attempt(at, 'main/ada', `198.51.100.${guess}`))
    expect(waits.filter((wait) => wait > 0)).toHaveLength(1)
  })

  it('A9: who guesses many names from one address is slowed down by the address, and asks nobody', async () => {
    const at = replica(stores[0], 10)
    for (let name = 0; name < 11; name += 1) {
      const wait = await attempt(at, `main/name-${name}`, '192.0.2.1')
      expect(wait > 0).toBe(name === 10)
    }
    expect(await rows()).toBe(20)
  })

  it('A9: attempts at the same time, at two replicas, are no more than one after the other', async () => {
    const [one, two] = stores.map((store) => replica(store)) as [Attempts, Attempts]
    const begun = await Promise.all(
      Array.from({ length: 16 }, (_, at) => (at % 2 === 0 ? one : two).begin('main/ada', '192.0.2.1')),
    )
    expect(begun.filter((begin) => typeof begin === 'object')).toHaveLength(5)
  })

  it('A9: what succeeded is not counted', async () => {
    const at = replica(stores[0])
    for (let count = 0; count < 20; count += 1) expect(await attempt(at, 'main/ada', '192.0.2.1', false)).toBe(0)
  })

  it('A9: what is forgiven is taken away by whoever comes by, and names that are made up by thousands do not pile up', async () => {
    const at = replica(stores[0])
    await attempt(at, 'main/ada', '192.0.2.1')
    await pass(31)
    await attempt(at, 'main/bob', '192.0.2.1')
    expect(await rows()).toBe(2)
    await admin.query(
      `insert into portcullis.sign_in_attempts
         select sha256(n::text::bytea), now() + interval '10 s' from generate_series(1, 10050) n`,
    )
    for (let count = 0; count < 5; count += 1) await attempt(at, 'main/bob', '192.0.2.1')
    expect(await rows()).toBeLessThanOrEqual(10_000)
    // Who waits goes on waiting: those go first who would be forgiven first.
    expect(await attempt(at, 'main/bob', '192.0.2.1')).toBeGreaterThan(0)
  })

  it('A9: a clock that was far ahead keeps nobody waiting for longer than a burst', async () => {
    const at = replica(stores[0])
    await attempt(at, 'main/ada', '192.0.2.1')
    await pass(-86_400)
    const wait = await attempt(at, 'main/ada', '192.0.2.1')
    expect([wait > 0, wait <= 30_001]).toEqual([true, true])
  })

  it('A9: the role that serves reaches the counts through the functions alone, and no name is in them', async () => {
    await attempt(replica(stores[0]), 'main/ada', '192.0.2.1')
    const app = await database.connect('portcullis_app')
    for (const text of ['select * from', 'delete from', 'truncate'])
      await expect(app.query(`${text} portcullis.sign_in_attempts`)).rejects.toThrow('permission denied')
    const { rows: kept } = await admin.query<{ key: string }>(
      `select encode(key, 'hex') as key from portcullis.sign_in_attempts`,
    )
    expect(kept.map(({ key }) => key)).toContain(sha256Hex('person\0main/ada'))
  })
})
