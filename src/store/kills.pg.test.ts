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

async function alone(work: string, values: readonly unknown[]): Promise<readonly object[]> {
  await app.query('begin')
  await app.query(`select set_config('portcullis.tenant', $1, true)`, [tenant.id])
  await app.query('select portcullis.enter_writes(k.epoch, true) from portcullis.kill_state k')
  return (await app.query<object>(work, [...values])).rows
}

/** As another replica does it. */
async function engage(id: string, expiresAt: Date | null = null): Promise<void> {
  await engageAs(id, { expiresAt })
}

/** Names and what has an id have a bound of 3 each, and one actor of 2 names. Answers the verdict and the kill that stands for it. */
async function engageAs(
  id: string,
  { scope = 2, subject = tenant.id, actor = 'a', expiresAt = null, platform = false, once = false }: EngageAs,
): Promise<readonly unknown[]> {
  const rows = await alone(
    `select verdict, (kill).id from portcullis.engage_kill($1, $2::smallint, $3, 'why', $4, now(), $5, $6, $7, 3, 2, 3)`,
    [id, scope, subject, actor, expiresAt, platform, once],
  )
  await app.query('commit')
  return Object.values(rows[0] ?? {})
}

interface EngageAs {
  readonly scope?: number
  readonly subject?: string
  readonly actor?: string
  readonly expiresAt?: Date | null
  readonly platform?: boolean
  readonly once?: boolean
}

/** Without an id: what stops the tenant as a whole. */
async function release(id: string | null, platform = false): Promise<readonly unknown[]> {
  const rows = await alone(`select verdict from portcullis.release_kill($1, 'a', '', now(), $2, '{}')`, [id, platform])
  await app.query('commit')
  return rows.map((row) => Object.values(row)[0])
}

async function inForce(): Promise<readonly string[]> {
  await keys.refresh()
  return cache.all().map(({ id }) => id)
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
    await alone(
      `select portcullis.engage_kill($1, 2::smallint, $2::text, 'r', 'a', now(), null, false, false, 3, 3, 3)`,
      [kill, tenant.id],
    )
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

  it('K4: what the platform engaged the platform alone releases', async () => {
    const [theirs, own] = [uuidv7(), uuidv7()]
    await engageAs(theirs, { platform: true })
    await engage(own)
    expect(await release(theirs)).toEqual(['auth.scope_missing'])
    // As the policy of the tenant turns it off.
    expect([await release(null), await inForce()]).toEqual([['done'], [theirs]])
    expect([await release(theirs, true), await inForce()]).toEqual([['done'], []])
  })

  it('K1: who uses up names, or engages the same again and again, keeps nobody else from stopping anything', async () => {
    const name = (subject: string, actor: string, more: EngageAs = {}) =>
      engageAs(uuidv7(), { scope: 5, subject, actor, ...more })
    const verdicts = [await name('m1', 'x'), await name('m2', 'x'), await name('m3', 'x'), await name('m3', 'y')]
    expect(verdicts.map(([verdict]) => verdict)).toEqual(['done', 'done', 'object.state', 'done'])
    expect((await name('m4', 'y'))[0]).toBe('object.state')
    expect((await name('m4', 'y', { platform: true }))[0]).toBe('done')
    for (let time = 0; time < 4; time += 1)
      expect((await engageAs(uuidv7(), { actor: 'x' }))[0]).toBe(time < 3 ? 'done' : 'object.state')
    expect((await engageAs(uuidv7(), { actor: 'y' }))[0]).toBe('done')
    expect((await engageAs(uuidv7(), { actor: 'x', platform: true }))[0]).toBe('done')
    for (const id of await inForce()) expect(await release(id, true)).toEqual(['done'])
  })

  it('K1, K6: once is answered by a kill that lasts as long, and by no other', async () => {
    const [soon, later] = [new Date(Date.now() + 60_000), new Date(Date.now() + 120_000)]
    const [brief, platform, rule, lasting] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()]
    await engageAs(brief, { expiresAt: soon })
    await engageAs(platform, { platform: true })
    const once = (id: string, expiresAt: Date | null, actor = 'b') => engageAs(id, { expiresAt, actor, once: true })
    expect(await once(uuidv7(), soon)).toEqual(['done', brief])
    expect(await once(rule, later, 'auto:r')).toEqual(['done', rule])
    // A rule that still stops it waits until that is over.
    const again = new Date(later.getTime() + 1000)
    expect(await once(uuidv7(), again, 'auto:r')).toEqual(['done', rule])
    expect(await once(lasting, null)).toEqual(['done', lasting])
    expect(await once(uuidv7(), again, 'auto:s')).toEqual(['done', lasting])
    for (const id of await inForce()) expect(await release(id, true)).toEqual(['done'])
  })

  it('K3: what is over ends nothing any more, and a run is not told why everything stops', async () => {
    const run = uuidv7()
    await writer.submit(startRun(tenant, run))
    const work = async () => (await app.query('select from portcullis.kill_work(10)')).rowCount
    const cancel = (id: string) =>
      alone('select portcullis.cancel_killed($1, $2::uuid[], now(), 0) as ended', [
        id,
        Array.from({ length: 20 }, () => uuidv7()),
      ])
    const [over, all] = [uuidv7(), uuidv7()]
    await engage(over, new Date(Date.now() + 300))
    while ((await inForce()).length > 0) continue
    expect([await work(), await cancel(over)]).toEqual([0, [{ ended: 0 }]])
    await app.query('commit')
    await engageAs(all, { scope: 1, subject: '', platform: true })
    expect([await work(), await cancel(all)]).toMatchObject([1, [{ ended: expect.any(Number) }]])
    await app.query('commit')
    const admin = await database.connect('postgres')
    const { rows } = await admin.query('select last_error from portcullis.runs where id = $1', [run])
    expect(rows).toEqual([{ last_error: 'killed: everything is stopped' }])
    await release(all, true)
  })

  it('K3: a kill of a key ends the runs that were begun with it, and is through once', async () => {
    const [key, mine, other] = [uuidv7(), uuidv7(), uuidv7()]
    const admin = await database.connect('postgres')
    await admin.query(
      `insert into portcullis.keys (tenant_id, id, operator_id, digest, scopes) values ($1, $2::uuid, $3, sha256(($2::uuid)::text::bytea), '{}')`,
      [tenant.id, key, tenant.operatorId],
    )
    await writer.submit(startRun(tenant, mine, { keyId: key }))
    await writer.submit(startRun(tenant, other, { keyId: uuidv7() }))
    const replicas = new Replicas(database.settings())
    const kill = uuidv7()
    expect(await engageAs(kill, { scope: 4, subject: key })).toEqual(['done', kill])
    expect(await replicas.killWork(10)).toMatchObject([{ killId: kill, runs: true, reservations: [] }])
    expect((await replicas.killsThrough()).map(({ killId }) => killId)).not.toContain(kill)
    expect(
      await alone('select portcullis.cancel_killed($1, $2, now(), 0) as ended', [kill, [uuidv7(), uuidv7()]]),
    ).toEqual([{ ended: 1 }])
    await app.query('commit')
    const { rows } = await admin.query('select id, status from portcullis.runs where id = any ($1) order by status', [
      [mine, other],
    ])
    expect(rows).toEqual([
      { id: other, status: 2 },
      { id: mine, status: 5 },
    ])
    expect(await replicas.killWork(10)).toEqual([])
    const through = await replicas.killsThrough()
    expect(through).toContainEqual({ killId: kill, tenantId: tenant.id, tenantName: tenant.name })
    const finish = async () => {
      const found = await alone('select runs::int, reservations::int from portcullis.finish_kill($1)', [kill])
      await app.query('commit')
      return found
    }
    expect([await finish(), await finish()]).toEqual([[{ runs: 1, reservations: 0 }], []])
    expect((await replicas.killsThrough()).map(({ killId }) => killId)).not.toContain(kill)
    await replicas.close()
    await release(kill)
  })

  it('K3: what is held for another spelling of a model is ended with it', async () => {
    const [held, kill] = [uuidv7(), uuidv7()]
    const admin = await database.connect('postgres')
    await admin.query(
      `insert into portcullis.reservations (tenant_id, id, provider, model, models, tool, state, legs, held_nano_usd, held_tokens,
         price_version, created_at, expires_at)
       select $1, id, '', '', models, '', 1, '[]', 0, 0, '', now(), now()
         from (values ($2::uuid, '{gpt-4o,gpt-4o-2024-08-06}'::text[]), (gen_random_uuid(), '{gpt-4o-mini}')) v(id, models)`,
      [tenant.id, held],
    )
    await alone(
      `select portcullis.engage_kill($1, 5::smallint, 'gpt-4o', 'r', 'a', now(), null, false, false, 9, 9, 9)`,
      [kill],
    )
    await app.query('commit')
    const replicas = new Replicas(database.settings())
    expect(await replicas.killWork(10)).toMatchObject([{ killId: kill, reservations: [held], runs: false }])
    await replicas.close()
    await admin.query('delete from portcullis.reservations where tenant_id = $1', [tenant.id])
    await release(kill)
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
