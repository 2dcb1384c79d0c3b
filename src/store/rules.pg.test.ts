import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, uuidv7 } from '#core'
import { effect, type CapPut, type OperationName, type Operations } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { KeyCache, keyCacheDefaults } from './keys.ts'
import { recordOnly } from './members.fixture.ts'
import { RulesCache } from './rules.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let writer: Writer
let tenant: TestTenant
const caches: KeyCache[] = []

beforeAll(async () => {
  database = await TestDatabase.start()
  writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
  tenant = await database.makeTenant('ruled')
})
afterAll(async () => {
  await Promise.all(caches.map((cache) => cache.close()))
  await writer.close()
  await database.stop()
})

async function replica(): Promise<{ readonly rules: RulesCache; readonly keys: KeyCache }> {
  const rules = new RulesCache()
  // It looks only when it is told of a change.
  const settings = { connection: database.settings(), ...keyCacheDefaults, pollMs: 3_600_000, tables: rules.tables }
  const keys = new KeyCache(settings, systemClock)
  caches.push(keys)
  await keys.start()
  return { rules, keys }
}

async function submit<Name extends OperationName>(
  operation: Name,
  args: Operations[Name]['args'],
): Promise<Operations[Name]['row'] | undefined> {
  let found: Operations[Name]['row'] | undefined
  const answer = (row: Operations[Name]['row'] | undefined) => {
    found = row
    return {}
  }
  const { record } = recordOnly(tenant, 'rules')
  await writer.submit({ tenantId: tenant.id, record, effect: effect({ operation, key: '', args, answer }) })
  return found
}

const limits = { maxCostPerRunNanoUsd: '0', maxAttemptsPerRun: '0', maxTokensPerRun: '0', maxLatencyPerAttemptMs: '0' }

function cap(more: Partial<CapPut> = {}): CapPut {
  return {
    ...limits,
    id: uuidv7(),
    name: 'c',
    providerType: '',
    provider: '',
    model: '',
    maxCostPerAttemptNanoUsd: '9',
    maxTokensPerAttempt: '0',
    priority: 0,
    dryRun: false,
    active: true,
    updatedAtMs: 1000,
    made: true,
    atMost: 500,
    ...more,
  }
}

describe('rules in memory', () => {
  it('B1: of a tenant without limits there are none', async () => {
    const { rules } = await replica()
    expect(rules.of(tenant.id)).toBeUndefined()
  })

  it('B2: every replica hears of a policy and of caps as they change, and holds nothing once they are gone', async () => {
    const [one, two] = [await replica(), await replica()]
    await submit('policy.set', { ...limits, maxAttemptsPerRun: '3', updatedAtMs: 1 })
    const made = cap()
    await submit('policy_cap.put', made)
    for (const { rules } of [one, two])
      await expect
        .poll(() => rules.of(tenant.id))
        .toMatchObject({ policy: { maxAttemptsPerRun: 3n }, caps: [{ id: made.id, maxCostPerAttemptNanoUsd: 9n }] })
    const late = await replica()
    expect(late.rules.of(tenant.id)).toEqual(one.rules.of(tenant.id))
    await submit('policy_cap.put', { ...made, made: false, active: false })
    for (const { rules } of [one, two]) await expect.poll(() => rules.of(tenant.id)?.caps).toEqual([])
    await submit('policy_cap.put', { ...made, made: false, dryRun: true })
    await expect.poll(() => two.rules.of(tenant.id)?.caps).toMatchObject([{ dryRun: true }])
    await submit('policy_cap.delete', { id: made.id, atMs: 2000 })
    await submit('policy.set', { ...limits, updatedAtMs: 2 })
    for (const { rules } of [one, two, late]) await expect.poll(() => rules.of(tenant.id)).toBeUndefined()
  })
})

it('B2: a tenant with a budget in force has rules, for as long as there is one', async () => {
  const admin = await database.connect('postgres')
  const spender = await database.makeTenant('spender')
  const { rules } = await replica()
  await admin.query(
    `insert into portcullis.budgets (tenant_id, id, name, subject_kind, subject_id, unit, limit_amount, window_kind, duration, duration_ms,
       time_zone, hard, action, active, created_at, updated_at)
     values ($1, gen_random_uuid(), 'b', 1, '', 1, 5, 3, '', 0, 'UTC', true, 1, true, now(), now())`,
    [spender.id],
  )
  await admin.query(`select pg_notify('portcullis_credentials', '')`)
  await expect.poll(() => rules.of(spender.id)).toEqual({ policy: undefined, caps: [], budgets: true })
  await admin.query(
    'update portcullis.budgets set active = false, changed_xid = pg_current_xact_id() where tenant_id = $1',
    [spender.id],
  )
  await admin.query(`select pg_notify('portcullis_credentials', '')`)
  await expect.poll(() => rules.of(spender.id)).toBeUndefined()
})

describe('a change of a policy or a cap', () => {
  it('B8: of changes at the same time each is told what the one before it wrote', async () => {
    const wanted = Array.from({ length: 20 }, (_, at) => String(at + 1))
    const befores = await Promise.all(
      wanted.map(async (value) => {
        const before = await submit('policy.set', { ...limits, maxTokensPerRun: value, updatedAtMs: Number(value) })
        return before?.maxTokensPerRun
      }),
    )
    const admin = await database.connect('postgres')
    const { rows } = await admin.query<{ last: string }>(
      'select max_tokens_per_run as last from portcullis.policies where tenant_id = $1',
      [tenant.id],
    )
    expect(new Set([...befores, rows[0]?.last])).toEqual(new Set(['0', ...wanted]))
  })

  it('B2: a cap that is not there cannot be changed or deleted, nor one of another tenant', async () => {
    expect(await submit('policy_cap.put', cap({ made: false }))).toBeUndefined()
    expect(await submit('policy_cap.delete', { id: uuidv7(), atMs: 1 })).toBeUndefined()
    const theirs = cap()
    await submit('policy_cap.put', theirs)
    const own = tenant
    tenant = await database.makeTenant('stranger')
    expect(await submit('policy_cap.put', { ...theirs, made: false })).toBeUndefined()
    expect(await submit('policy_cap.delete', { id: theirs.id, atMs: 1 })).toBeUndefined()
    tenant = own
    expect(await submit('policy_cap.delete', { id: theirs.id, atMs: 1 })).toMatchObject({ name: 'c' })
  })

  it('B2: a tenant has a bounded number of caps', async () => {
    for (let at = 0; at < 3; at += 1)
      expect(await submit('policy_cap.put', cap({ atMost: 3 }))).toMatchObject({ verdict: 'done' })
    expect(await submit('policy_cap.put', cap({ atMost: 3 }))).toMatchObject({ verdict: 'object.state' })
  })
})
