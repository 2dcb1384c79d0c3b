import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeKey, publicId, sha256, sha256Hex, systemClock, uuidv7 } from '#core'
import { effect, type Operations } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { recordOnly } from './members.fixture.ts'
import { Writer, writerDefaults } from './writer.ts'

type Args = Operations['key.rotate']['args']
type Row = Operations['key.rotate']['row']

let database: TestDatabase
let admin: Client
let writers: readonly Writer[]
let tenant: TestTenant
let agentId: string

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  writers = [0, 1].map(() => new Writer({ connection: database.settings(), ...writerDefaults }, systemClock))
  tenant = await database.makeTenant('rotates')
  agentId = uuidv7()
  await admin.query(
    `insert into portcullis.agents (tenant_id, id, name, owner, labels, allowed_models, allowed_tools) values ($1, $2, 'a', '', '{}', '{}', '{}')`,
    [tenant.id, agentId],
  )
})
afterAll(async () => {
  await Promise.all(writers.map((writer) => writer.close()))
  await database.stop()
})

async function plantKey(expiresAt: Date | null = null, scopes = ['tasks:read']): Promise<string> {
  const id = uuidv7()
  await admin.query(
    `insert into portcullis.keys (tenant_id, id, agent_id, digest, scopes, allowed_models, allowed_tools, allowed_cidrs,
       rate_per_second, rate_burst, require_signature, expires_at)
     values ($1, $2, $3, $4, $5, '{m}', '{t}', '{10.0.0.0/8}', 7, 9, true, $6)`,
    [tenant.id, id, agentId, sha256(id), scopes, expiresAt],
  )
  return id
}

const atMs = Date.now()

/** What the statement said, or undefined where it had no row. */
async function rotate(id: string, more: Partial<Args> = {}, writer = writers[0]): Promise<Row | undefined> {
  const newId = uuidv7()
  const args: Args = {
    id,
    newId,
    digest: sha256Hex(makeKey(newId).secret),
    operatorId: null,
    grantable: ['tasks:read', 'tasks:write'],
    atMs,
    graceMs: 60_000,
    expiresAtMs: null,
    ...more,
  }
  let told: Row | undefined
  const work = effect({
    operation: 'key.rotate',
    key: id,
    args,
    answer: (row) => {
      told = row && { ...row, replacedBy: newId }
      return {}
    },
  })
  await writer?.submit({ ...recordOnly(tenant, `req-${newId}`), effect: work })
  return told
}

const stored = async (id: string): Promise<Record<string, unknown>> => {
  const { rows } = await admin.query('select * from portcullis.keys where id = $1', [id])
  return rows[0]
}

describe('the rotation of a key', () => {
  it('G5: makes a key with the same settings, and the old one ends with its grace', async () => {
    const id = await plantKey()
    const row = await rotate(id)
    expect(row).toMatchObject({ id, agentId, verdict: 'done', missing: [], ratePerSecond: 7, requireSignature: true })
    const [old, made] = [await stored(id), await stored(row?.replacedBy ?? '')]
    expect(old).toMatchObject({ replaced_by: row?.replacedBy, revoked_at: null, expires_at: new Date(atMs + 60_000) })
    const kept = [
      'agent_id',
      'scopes',
      'allowed_models',
      'allowed_tools',
      'allowed_cidrs',
      'rate_per_second',
      'rate_burst',
      'require_signature',
    ]
    for (const name of kept) expect(made[name]).toStrictEqual(old[name])
    expect(made).toMatchObject({ expires_at: null, revoked_at: null, replaced_by: null })
    expect(made['digest']).not.toStrictEqual(old['digest'])
  })

  it('G5: the old key never lives longer for it, the new one takes its expiry or another', async () => {
    const soon = new Date(Date.now() + 30_000)
    const id = await plantKey(soon)
    const row = await rotate(id, { graceMs: 86_400_000 })
    expect((await stored(id))['expires_at']).toStrictEqual(soon)
    expect((await stored(row?.replacedBy ?? ''))['expires_at']).toStrictEqual(soon)
    const other = await plantKey(soon)
    const later = atMs + 86_400_000
    const next = await rotate(other, { expiresAtMs: later })
    expect((await stored(next?.replacedBy ?? ''))['expires_at']).toStrictEqual(new Date(later))
  })

  it('G5: without a grace the old key has ended, whatever the clocks say', async () => {
    const id = await plantKey()
    await rotate(id, { graceMs: 0 })
    expect(await stored(id)).toMatchObject({ revoked_at: new Date(atMs), expires_at: new Date(atMs) })
  })

  it('G5: of many at once on two replicas one is done', async () => {
    const id = await plantKey()
    const rows = await Promise.all(Array.from({ length: 12 }, (_, at) => rotate(id, {}, writers[at % 2])))
    const verdicts = rows.map((row) => row?.verdict)
    expect(verdicts.filter((verdict) => verdict === 'done')).toHaveLength(1)
    expect(verdicts.filter((verdict) => verdict === 'rotated')).toHaveLength(11)
    const { rows: made } = await admin.query('select id from portcullis.keys where id = any ($1)', [
      rows.map((row) => row?.replacedBy),
    ])
    expect(made).toHaveLength(1)
  })

  it('G5: of a key that was rotated, revoked or has expired is refused, and so is one beyond the scopes of the caller', async () => {
    const rotated = await plantKey()
    await rotate(rotated)
    const revoked = await plantKey()
    await admin.query('update portcullis.keys set revoked_at = now() where id = $1', [revoked])
    const verdict = async (id: string, more: Partial<Args> = {}): Promise<string | undefined> =>
      (await rotate(id, more))?.verdict
    expect(await verdict(rotated)).toBe('rotated')
    expect(await verdict(revoked)).toBe('revoked')
    expect(await verdict(await plantKey(new Date(atMs - 1)))).toBe('expired')
    const beyond = await plantKey(null, ['tasks:read', 'policy:write'])
    expect(await rotate(beyond)).toMatchObject({ verdict: 'scopes', missing: ['policy:write'] })
    expect(await stored(beyond)).toMatchObject({ replaced_by: null, expires_at: null })
    expect(await verdict(uuidv7())).toBeUndefined()
  })

  it("G5: an operator's key is there for that operator alone", async () => {
    const grantable = (await stored(tenant.keyId))['scopes'] as readonly string[]
    expect(await rotate(tenant.keyId, { grantable })).toBeUndefined()
    expect(await rotate(tenant.keyId, { grantable, operatorId: uuidv7() })).toBeUndefined()
    expect(await rotate(tenant.keyId, { grantable, operatorId: tenant.operatorId })).toMatchObject({ verdict: 'done' })
  })

  it('G5: of a key whose agent is disabled is refused', async () => {
    const id = await plantKey()
    await admin.query('update portcullis.agents set disabled_at = now() where id = $1', [agentId])
    expect(await rotate(id)).toMatchObject({ verdict: 'disabled' })
    expect(publicId('key', id)).toMatch(/^key_/)
  })
})
