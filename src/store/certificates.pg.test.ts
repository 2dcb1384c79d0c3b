import { createHash } from 'node:crypto'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock, uuidv7 } from '#core'
import { effect, type CertificateRow } from '#hub'
import type { CertificateRecord } from '#gate'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { CertificateCache } from './certificates.ts'
import { KeyCache, keyCacheDefaults } from './keys.ts'
import { recordOnly } from './members.fixture.ts'
import { Writer, writerDefaults } from './writer.ts'

let database: TestDatabase
let admin: Client
let writer: Writer
let tenant: TestTenant
const open: KeyCache[] = []
const never = 3_600_000
const hour = 3_600_000

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
})
afterAll(async () => {
  await writer.close()
  await database.stop()
})
let tenants = 0
beforeEach(async () => {
  tenants += 1
  tenant = await database.makeTenant(`certificates-${tenants}`)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()))
})

/** What a replica knows that hears of changes by notification alone. */
async function replica(): Promise<CertificateCache> {
  const certificates = new CertificateCache()
  const settings = { connection: database.settings(), ...keyCacheDefaults, pollMs: never, leaseMs: never }
  const cache = new KeyCache({ ...settings, tables: [certificates] }, systemClock)
  open.push(cache)
  await cache.start()
  return certificates
}

async function makeAgent(of = tenant): Promise<string> {
  const id = uuidv7()
  await admin.query(
    `insert into portcullis.agents (tenant_id, id, name, owner, labels, allowed_models, allowed_tools) values ($1, $2, $3, '', '{}', '{}', '{}')`,
    [of.id, id, `agent-${id}`],
  )
  return id
}

const digest = (name: string): Buffer => createHash('sha256').update(`${tenant.id} ${name}`).digest()
const thumbprint = (name: string): string => digest(name).toString('base64url')

/** What a replica knows of it in the tenant of the test. */
const boundHere = (cache: CertificateCache, name: string): CertificateRecord | undefined =>
  cache.find(thumbprint(name)).find(({ tenant: { name: tenantName } }) => tenantName === tenant.name)

interface Bound {
  readonly id: string
  readonly verdict: string | undefined
}

async function bind(agentId: string, name: string, of = tenant): Promise<Bound> {
  const id = uuidv7()
  let verdict: string | undefined
  const args = {
    id,
    agentId,
    thumbprint: digest(name).toString('hex'),
    subjectDn: `CN=${name}`,
    scopes: ['telemetry:write'],
    createdAtMs: Date.now(),
    expiresAtMs: Date.now() + hour,
  }
  const work = effect({
    operation: 'certificate.bind',
    key: args.thumbprint,
    args,
    answer: (row) => {
      verdict = row?.verdict
      return {}
    },
  })
  await writer.submit({ ...recordOnly(of, `req-${uuidv7()}`), effect: work })
  return { id, verdict }
}

async function submit(operation: 'certificate.revoke' | 'agent.disable', id: string, of = tenant) {
  let found: unknown
  const work = effect({
    operation,
    key: id,
    args: { id, atMs: Date.now() },
    answer: (row) => {
      found = row
      return {}
    },
  })
  await writer.submit({ ...recordOnly(of, `req-${uuidv7()}`), effect: work })
  return found
}

const soon = { timeout: 10_000, interval: 5 }

describe('binding', () => {
  it('G17: is known to another replica, with all that a decision needs', async () => {
    const other = await replica()
    const agentId = await makeAgent()
    const { id, verdict } = await bind(agentId, 'one')
    expect(verdict).toBe('done')
    await vi.waitFor(() => expect(boundHere(other, 'one')).toBeDefined(), soon)
    expect(boundHere(other, 'one')).toMatchObject({
      id: `crt_${id}`,
      agentId: `agt_${agentId}`,
      tenant: { id: `ten_${tenant.id}`, name: tenant.name },
      scopes: new Set(['telemetry:write']),
      revokedAtMs: undefined,
      agentDisabled: false,
      tenantDisabled: false,
    })
  })

  it('G17: a certificate stands for one agent of a tenant', async () => {
    const agentId = await makeAgent()
    expect((await bind(agentId, 'one')).verdict).toBe('done')
    expect((await bind(await makeAgent(), 'one')).verdict).toBe('object.exists')
    const both = await Promise.all([bind(agentId, 'two'), bind(agentId, 'two')])
    expect(new Set(both.map(({ verdict }) => verdict))).toEqual(new Set(['done', 'object.exists']))
  })

  it('G17: a tenant that binds the certificate of another is not in its way, and a replica knows both', async () => {
    const elsewhere = await database.makeTenant(`elsewhere-${tenants}`)
    const first = await bind(await makeAgent(elsewhere), 'one', elsewhere)
    const second = await bind(await makeAgent(), 'one')
    expect([first.verdict, second.verdict]).toEqual(['done', 'done'])
    const other = await replica()
    const ids = (): ReadonlySet<string | undefined> =>
      new Set(other.find(thumbprint('one')).map(({ id, revokedAtMs }) => (revokedAtMs === undefined ? id : undefined)))
    expect(ids()).toEqual(new Set([`crt_${first.id}`, `crt_${second.id}`]))
    await submit('certificate.revoke', first.id, elsewhere)
    await vi.waitFor(() => expect(ids()).toEqual(new Set([`crt_${second.id}`, undefined])), soon)
    const again = await bind(await makeAgent(elsewhere), 'one', elsewhere)
    await vi.waitFor(() => expect(ids()).toEqual(new Set([`crt_${second.id}`, `crt_${again.id}`])), soon)
  })

  it('G17: needs an agent of the tenant that is not disabled', async () => {
    const agentId = await makeAgent()
    const elsewhere = await database.makeTenant(`other-${tenants}`)
    expect((await bind(agentId, 'one', elsewhere)).verdict).toBeUndefined()
    await submit('agent.disable', agentId)
    expect((await bind(agentId, 'one')).verdict).toBe('object.state')
  })
})

describe('revocation', () => {
  it('G17: reaches another replica by notification, and frees the certificate for another agent', async () => {
    const other = await replica()
    const [first, second] = [await makeAgent(), await makeAgent()]
    const old = await bind(first, 'one')
    await vi.waitFor(() => expect(boundHere(other, 'one')?.revokedAtMs).toBeUndefined(), soon)
    const row = (await submit('certificate.revoke', old.id)) as CertificateRow
    expect(row).toMatchObject({ thumbprint: digest('one').toString('hex'), subjectDn: 'CN=one' })
    await vi.waitFor(() => expect(boundHere(other, 'one')?.revokedAtMs).toBe(row.revokedAtMs), soon)
    const { id } = await bind(second, 'one')
    await vi.waitFor(() => expect(boundHere(other, 'one')?.id).toBe(`crt_${id}`), soon)
    // What is said of the old binding later does not bring it back.
    await submit('agent.disable', first)
    const late = await replica()
    await vi.waitFor(() => expect(boundHere(late, 'one')?.agentDisabled).toBe(false), soon)
    expect([other, late].map((one) => boundHere(one, 'one')?.id)).toEqual([`crt_${id}`, `crt_${id}`])
  })

  it('G17: that of another tenant is not there', async () => {
    const { id } = await bind(await makeAgent(), 'one')
    const elsewhere = await database.makeTenant(`foreign-${tenants}`)
    expect(await submit('certificate.revoke', id, elsewhere)).toBeUndefined()
  })

  it('G17: a disabled agent and a disabled tenant end the use of their certificates', async () => {
    const other = await replica()
    const agentId = await makeAgent()
    await bind(agentId, 'one')
    await bind(await makeAgent(), 'two')
    await submit('agent.disable', agentId)
    await vi.waitFor(() => expect(boundHere(other, 'one')?.agentDisabled).toBe(true), soon)
    expect(boundHere(other, 'two')?.agentDisabled).toBe(false)
    await admin.query('select portcullis.disable_tenant($1)', [tenant.id])
    await vi.waitFor(() => expect(boundHere(other, 'two')?.tenantDisabled).toBe(true), soon)
  })

  it('G17: a binding that commits after its agent was disabled is known as disabled', async () => {
    const other = await replica()
    const agentId = await makeAgent()
    const slow = await database.connect('portcullis_app')
    await slow.query('begin')
    await slow.query(`select set_config('portcullis.tenant', $1, true)`, [tenant.id])
    await slow.query(
      `insert into portcullis.certificates (tenant_id, id, agent_id, thumbprint, subject_dn, scopes, expires_at)
         values ($1, $2, $3, $4, '', '{}', now() + interval '1 hour')`,
      [tenant.id, uuidv7(), agentId, digest('slow')],
    )
    const disabled = submit('agent.disable', agentId)
    await slow.query('commit')
    await disabled
    await vi.waitFor(() => expect(boundHere(other, 'slow')?.agentDisabled).toBe(true), soon)
  })
})
