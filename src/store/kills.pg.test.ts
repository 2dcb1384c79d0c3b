import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refuse, systemClock, uuidv7 } from '#core'
import type { KillChange, WriterMember } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { KeyCache, keyCacheDefaults } from './keys.ts'
import { KillCache } from './kills.ts'
import { startRun } from './members.fixture.ts'
import { Replicas } from './replicas.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let app: Client
let tenant: TestTenant
let keys: KeyCache
let cache: KillCache
let writer: Writer
const changes: KillChange[] = []
const epochs: string[] = []

beforeAll(async () => {
  database = await TestDatabase.start()
  app = await database.connect('portcullis_app')
  tenant = await database.makeTenant('stopped')
  cache = new KillCache(systemClock, () => keys.refresh(), {
    changed: (more) => changes.push(...more),
    seen: (epoch) => epochs.push(epoch),
  })
  const connection = database.settings()
  // It looks where it is told to, and else hardly ever: what it does not know yet is what is tested here.
  keys = new KeyCache({ connection, ...keyCacheDefaults, pollMs: 3_600_000, tables: [cache] }, systemClock)
  await keys.refresh()
  writer = new Writer({ connection, ...writerDefaults, kills: cache }, systemClock)
})
afterAll(async () => {
  await writer.close()
  await keys.close()
  await database.stop()
})

async function alone(work: string, values: readonly unknown[]): Promise<void> {
  await app.query('begin')
  await app.query(`select set_config('portcullis.tenant', $1, true)`, [tenant.id])
  await app.query('select portcullis.enter_writes(k.epoch, true) from portcullis.kill_state k')
  await app.query(work, [...values])
}

/** As another replica does it. */
async function engage(id: string, expiresAt: Date | null = null): Promise<void> {
  await alone(`select portcullis.engage_kill($1, 2::smallint, $2::text, 'r', 'a', now(), $3, false, false, 3)`, [
    id,
    tenant.id,
    expiresAt,
  ])
  await app.query('commit')
}

async function release(id: string): Promise<void> {
  await alone(`select portcullis.release_kill($1, 'a', '', now(), false, '{}')`, [id])
  await app.query('commit')
}

const stopped = (): NonNullable<WriterMember['killed']> => () =>
  cache.all().length > 0 ? refuse('kill.engaged', 'a test') : undefined

async function there(runId: string): Promise<boolean> {
  const { rowCount } = await (
    await database.connect('postgres')
  ).query('select from portcullis.runs where id = $1', [runId])
  return rowCount === 1
}

describe('writes under the kill switch', () => {
  it('K2: one that was let in before another replica engaged is refused, and nothing of it is written', async () => {
    const [first, second, third] = [uuidv7(), uuidv7(), uuidv7()]
    const write = (runId: string) => writer.submit({ ...startRun(tenant, runId), killed: stopped() })
    expect(await write(first)).toMatchObject({ refused: false })
    const kill = uuidv7()
    await engage(kill)
    expect(await write(second)).toMatchObject({ refused: true, code: 'kill.engaged' })
    expect([await there(first), await there(second)]).toEqual([true, false])
    // What goes on while killed is done under the new epoch.
    expect(await writer.submit(startRun(tenant, uuidv7()))).toMatchObject({ refused: false })
    await release(kill)
    await keys.refresh()
    expect(await write(third)).toMatchObject({ refused: false })
    expect(changes.map(({ engaged }) => engaged)).toEqual([true, false])
    expect(epochs).toEqual(['1', '2'])
  })

  it('K2: one that waits while another replica engages is decided again when that has committed', async () => {
    const [kill, run] = [uuidv7(), uuidv7()]
    await alone(`select portcullis.engage_kill($1, 2::smallint, $2::text, 'r', 'a', now(), null, false, false, 3)`, [
      kill,
      tenant.id,
    ])
    const waiting = writer.submit({ ...startRun(tenant, run), killed: stopped() })
    const admin = await database.connect('postgres')
    const waits = `select from pg_stat_activity where wait_event = 'advisory' and query like '%enter_writes%'`
    while ((await admin.query(waits)).rowCount !== 1) continue
    await app.query('commit')
    expect(await waiting).toMatchObject({ refused: true, code: 'kill.engaged' })
    expect(await there(run)).toBe(false)
    await release(kill)
  })

  it('K1: kills that are over are not in memory, and a tenant has only so many', async () => {
    const [over, one, two] = [uuidv7(), uuidv7(), uuidv7()]
    await engage(over, new Date(Date.now() + 1500))
    await keys.refresh()
    expect(cache.all()).toMatchObject([{ id: over, cancelled: false }])
    while (cache.all().length > 0) await keys.refresh()
    for (const id of [one, two, uuidv7(), uuidv7()]) await engage(id)
    await keys.refresh()
    expect(cache.all()).toHaveLength(3)
    for (const { id } of cache.all()) await release(id)
    await keys.refresh()
    expect(cache.all()).toEqual([])
  })

  it('K2: whoever engages learns which processes have seen it', async () => {
    const [mine, other] = [new Replicas(database.settings()), new Replicas(database.settings())]
    await mine.see('1')
    await other.see('3')
    await other.see('2')
    expect(await mine.acks('3')).toEqual({ replicas: 2, acknowledged: 1 })
    await mine.see('3')
    expect(await mine.acks('3')).toEqual({ replicas: 2, acknowledged: 2 })
    await other.close()
    expect(await mine.acks('3')).toEqual({ replicas: 1, acknowledged: 1 })
    await mine.close()
  })
})
