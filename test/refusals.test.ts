import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setTimeout as delay } from 'node:timers/promises'
import { ScalarType, type Message } from '@bufbuild/protobuf'
import { methods, type Method } from '@portcullis/contract'
import { closeScopes, grpcCodes, makeKey, refusals, scopes as allScopes, uuidv7, type RefusalCode } from '#core'
import { makeSelfSigned } from './harness/certificates.ts'
import { grpcClient, type GrpcClient } from './harness/grpc.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { jobsMayOverlap, plantJob } from './harness/jobs.ts'
import { send as sendTo, transports, type Outcome, type Sent, type Transport } from './harness/outcome.ts'
import { makeOperator, plantSession } from './harness/people.ts'
import {
  nobodysBudget,
  isList,
  objectFields,
  publicKeyPem,
  sample,
  shownKind,
  type ObjectKind,
  nobodysCap,
  nobodysKill,
} from './harness/samples.ts'

const bodyMax = 8192
const high = '1000000'
let instance: TestInstance
let grpc: GrpcClient
let other: { readonly id: string; readonly name: string; readonly key: string }
let count = 0

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: high,
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: high,
    PORTCULLIS__LIMITS__RATE__KEY__BURST: high,
    ...jobsMayOverlap,
    PORTCULLIS__LIMITS__HTTP__BODY_BYTES: String(bodyMax),
    PORTCULLIS__LIMITS__GRPC__RECV_BYTES: String(bodyMax),
    PORTCULLIS__AUDIT__CHECKPOINTS__EVERY_SECONDS: '1',
    PORTCULLIS__LOG__LEVEL: 'fatal',
  })
  grpc = grpcClient(instance.grpc)
  const { body } = await instance.call('TenantService/Create', { name: 'other' })
  other = { id: body.tenant.id, name: 'other', key: body.key }
  // Proofs and tiles are of what has been signed.
  while ((await instance.call('LedgerService/GetCheckpoint')).body.size === '0') await delay(100)
})
afterAll(async () => {
  grpc.close()
  await instance.stop()
})

/** A new object of the tenant whose admin holds the key. */
const make: Readonly<Record<ObjectKind, (key: string) => Promise<string>>> = {
  run: async (key) => (await instance.call('HubService/StartRun', { workflow: 'sample' }, { key })).body.run.id,
  agent: async (key) => (await instance.call('IdentityService/CreateAgent', { name: unique() }, { key })).body.agent.id,
  key: async (key) => {
    const agentId = await make.agent(key)
    return (await instance.call('IdentityService/CreateKey', { agentId, scopes: ['telemetry:write'] }, { key })).body
      .apiKey.id
  },
  app: async (key) => {
    const app = { name: unique(), scopes: ['telemetry:write'] }
    return (await instance.call('IdentityService/CreateApp', app, { key })).body.app.id
  },
  script_run: async (key) => {
    const script = { name: 'sample', operator: 'test' }
    return (await instance.call('OpsService/RecordIntent', { script }, { key })).body.scriptRunId
  },
  operator: (key) => makeOperator(instance, unique(), key),
  session: async (key) => plantSession(instance, await make.operator(key)),
  signing_key: async (key) => {
    const body = { agentId: await make.agent(key), publicKeyPem }
    return (await instance.call('IdentityService/CreateSigningKey', body, { key })).body.signingKey.id
  },
  certificate: async (key) => {
    const body = {
      agentId: await make.agent(key),
      certificatePem: makeSelfSigned(unique()).cert,
      scopes: ['telemetry:write'],
    }
    return (await instance.call('IdentityService/BindCertificate', body, { key })).body.certificate.id
  },
  budget: async (key) => {
    const budget = { ...nobodysBudget }
    return (await instance.call('BudgetService/UpsertBudget', { budget }, { key })).body.budget.id
  },
  reservation: async (key) =>
    (await instance.call('BudgetService/Reserve', { amountNanoUsd: '1' }, { key })).body.reservationId,
  kill: async (key) => (await instance.call('KillService/Engage', nobodysKill, { key })).body.kill.id,
  cap: async (key) => {
    const cap = nobodysCap
    return (await instance.call('PolicyService/UpsertPolicyCap', { cap }, { key })).body.cap.id
  },
  job: (key) => plantJob(instance, key),
  task: async (key) => (await instance.call('HubService/CreateTask', { title: 'sample' }, { key })).body.task.id,
  tenant: async () => (await instance.call('TenantService/Create', { name: unique() })).body.tenant.id,
}

function unique(): string {
  count += 1
  return `made-${count}`
}

/** A request that is right in every way for whoever holds the objects. */
async function rightRequest(method: Method, key: string): Promise<Message> {
  const ids = await Promise.all(objectFields(method).map(async ({ kind }) => [kind, await make[kind](key)] as const))
  return sample(method, Object.fromEntries(ids))
}

/** An agent's key with every scope but the one and those that include it. */
async function keyWithout(scope: string): Promise<{ readonly key: string; readonly id: string }> {
  const held = [...allScopes.keys()].filter((one) => !closeScopes(new Set([one])).has(scope))
  return instance.agent(unique(), held)
}

function send(transport: Transport, method: Method, message: Message, sent: Sent = {}): Promise<Outcome> {
  return sendTo({ url: instance.url, grpc }, transport, method, message, sent)
}

/** Public text holds nothing private (SPEC C3): no SQL, stack, file, address, id of a key. The origin of `type` is the caller's own target. */
function expectPublic(outcome: Outcome): void {
  expect(outcome.requestId).toMatch(/^[A-Za-z0-9._-]{8,64}$/)
  const text = outcome.seen.replaceAll(instance.url, '').replaceAll('nosniff', '')
  expect(text).not.toMatch(
    /select |insert |update |\bat [\w.]+ \(|\.ts\b|\.js\b|node_modules|127\.0\.0\.1|::1|key_0|agt_0|opr_0|ten_0|portcullis\.keys/i,
  )
}

function expectRefused(transport: Transport, outcome: Outcome, code: RefusalCode): void {
  expect(outcome.code).toBe(code)
  const { grpc: name, http } = refusals[code]
  if (transport === 'gRPC') expect(outcome.status).toBe(grpcCodes[name])
  if (transport === 'HTTP JSON') expect(outcome.status).toBe(http)
  expectPublic(outcome)
}

/** The refusal of an authenticated caller is in the ledger with its private reason, and the caller never saw that. */
async function expectRecorded(method: Method, outcome: Outcome, code: RefusalCode): Promise<void> {
  // Refusals of public reads belong to nobody, and are counted together in the log `system` (SPEC L14).
  if (method.unrecorded || method.access === 'public_read') return
  const { body } = await instance.call('LedgerService/Query', { requestId: outcome.requestId })
  expect(body.entries).toHaveLength(1)
  const entry = JSON.parse(body.entries[0].entryJson).body
  expect(entry).toMatchObject({ outcome: 'deny', code, method: method.path, access: method.access })
  expect(entry.reason.length).toBeGreaterThan(0)
  expect(outcome.seen).not.toContain(entry.reason)
}

// A tenant gets its pseudonym key with the first personal value in its entries; test/pseudonyms.test.ts destroys one.
const notMadeByCalls = new Set(['/portcullis.v1.LedgerService/DestroyPseudonymKey'])

// Who runs the platform stops and releases everywhere; test/kill.test.ts shows that nobody else does.
const ofThePlatform = new Set(['/portcullis.v1.KillService/Release'])

/** A row that says something of some methods only; of others there is nothing to prove. */
function where(applies: boolean): (name: string, run: () => Promise<void>) => void {
  return applies ? it : () => undefined
}

describe.each([...methods.values()].map((method) => [method.path, method] as const))('%s', (_path, method) => {
  const isPublic = method.access === 'public_read'
  const key = (): string | undefined => (isPublic ? undefined : instance.adminKey)

  describe.each(transports)('over %s', (transport) => {
    // What a stream says is in test/kill.test.ts; here its refusals are.
    where(!method.streaming)('C2: answers the right request of a caller with the scope', async () => {
      const outcome = await send(transport, method, await rightRequest(method, instance.adminKey), { key: key() })
      expect(outcome.requestId).toMatch(/^req_/)
      if (notMadeByCalls.has(method.path)) return expect(outcome.code).toBe('object.not_found')
      // This instance has no sinks.
      if (method.needsSink) return expect(outcome.code).toBe('audit.offbox_unavailable')
      expect(outcome.code).toBe('ok')
      expect(outcome.reply?.$typeName).toBe(method.output.typeName)
    })

    where(!isPublic)('G2: without a credential it is refused, before anything of it is looked at', async () => {
      const outcome = await send(transport, method, sample(method, {}), {})
      expectRefused(transport, outcome, 'auth.credential_missing')
      const malformed = await send(transport, method, sample(method, {}), { raw: Uint8Array.of(0xff) })
      expectRefused(transport, malformed, 'auth.credential_missing')
    })

    where(!isPublic && !method.ownObjects)(
      'G6: a key with every scope but the one is refused, and told which',
      async () => {
        const { key: weak } = await keyWithout(method.scope)
        const outcome = await send(transport, method, await rightRequest(method, instance.adminKey), { key: weak })
        expectRefused(transport, outcome, 'auth.scope_missing')
        expect(outcome.seen).toContain(method.scope)
        await expectRecorded(method, outcome, 'auth.scope_missing')
      },
    )

    where(method.ownObjects && !method.streaming)(
      'H3: an agent without the scope sees its own objects and no others',
      async () => {
        const agent = await keyWithout(method.scope)
        const shown = shownKind(method)
        const [own, foreign] = await Promise.all([agent.key, instance.adminKey].map((one) => make[shown](one)))
        const idsOf = (id: string | undefined): Partial<Record<ObjectKind, string>> => ({
          [shown]: id ?? '',
          ...(isList(method) ? { agent: agent.id } : {}),
        })
        const mine = await send(transport, method, sample(method, idsOf(own)), { key: agent.key })
        expect(mine.code).toBe('ok')
        expect(JSON.stringify(mine.reply, bigints)).toContain(own)
        const theirs = await send(transport, method, sample(method, idsOf(foreign)), { key: agent.key })
        expect(theirs.code).toBe(isList(method) ? 'ok' : 'object.not_found')
        expect(JSON.stringify(theirs.reply ?? {}, bigints)).not.toContain(foreign)
      },
    )

    where(!isPublic)('G11: a call that names another tenant than its own is refused', async () => {
      const message = await rightRequest(method, instance.adminKey)
      for (const tenant of [other.id, other.name, 'ten_', '']) {
        const outcome = await send(transport, method, message, { key: key(), headers: { 'x-tenant-id': tenant } })
        expectRefused(transport, outcome, 'tenant.mismatch')
        await expectRecorded(method, outcome, 'tenant.mismatch')
      }
    })

    where(method.scope === 'tenants:write')('G11: only the platform has power over tenants', async () => {
      const outcome = await send(transport, method, await rightRequest(method, instance.adminKey), { key: other.key })
      expectRefused(transport, outcome, 'auth.scope_missing')
      const grant = { agentId: await make.agent(other.key), scopes: ['tenants:write'] }
      expect((await instance.call('IdentityService/CreateKey', grant, { key: other.key })).body.code).toBe(
        'identity.scope_exceeds',
      )
    })

    where(method.scope !== 'tenants:write' && objectFields(method).length > 0 && !ofThePlatform.has(method.path))(
      'G11: an object of another tenant is not there',
      async () => {
        for (const { kind } of objectFields(method)) {
          const ids = Object.fromEntries(
            await Promise.all(
              objectFields(method).map(async (one) => [one.kind, await make[one.kind](other.key)] as const),
            ),
          )
          // Where a list has several filters, one at a time: each must hide the object by itself.
          const message = sample(method, isList(method) ? { [kind]: ids[kind] } : ids)
          const outcome = await send(transport, method, message, { key: key() })
          expect(outcome.code).toBe(isList(method) ? 'ok' : 'object.not_found')
          if (isList(method)) expect(JSON.stringify(outcome.reply, bigints)).not.toContain(ids[kind])
          else await expectRecorded(method, outcome, 'object.not_found')
          // To its owner it is there.
          expect((await send(transport, method, message, { key: other.key })).code).toBe('ok')
        }
      },
    )

    it('G1: a message over the bound is refused, declared or not', async () => {
      const large = Buffer.alloc(bodyMax + 1, ' ')
      const undeclared = await send(transport, method, sample(method, {}), {
        key: key(),
        raw: transport === 'gRPC' ? large : [large.subarray(0, 100), large],
      })
      expectRefused(transport, undeclared, 'bounds.message_too_large')
      await expectRecorded(method, undeclared, 'bounds.message_too_large')
      if (transport !== 'gRPC')
        expectRefused(
          transport,
          await send(transport, method, sample(method, {}), { raw: large }),
          'bounds.message_too_large',
        )
    })

    it('G1: bytes that are no message are refused as malformed', async () => {
      const broken =
        transport === 'HTTP JSON'
          ? ['', '{', '[]', 'null', '"x"', '{"\\', Buffer.from('{"a":"\xff"}', 'latin1')]
          : [[0xff], [0x08, 0xff], [0x0a, 0x7f], [0x0a, 1, 0xff]].map((bytes) => Uint8Array.from(bytes))
      // The last two are broken text in field 1: only a message with text there can tell.
      const textFirst = method.input.fields.some(
        ({ number, fieldKind, scalar }) => number === 1 && fieldKind === 'scalar' && scalar === ScalarType.STRING,
      )
      for (const raw of textFirst || transport === 'HTTP JSON' ? broken : broken.slice(0, 2)) {
        const outcome = await send(transport, method, sample(method, {}), { key: key(), raw })
        expectRefused(transport, outcome, 'input.malformed')
        await expectRecorded(method, outcome, 'input.malformed')
      }
    })

    where(transport !== 'gRPC')('C2: another content type is refused', async () => {
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/jsonp',
        '',
      ]) {
        const outcome = await send(transport, method, await rightRequest(method, instance.adminKey), {
          key: key(),
          headers: { 'content-type': type },
        })
        expect([type, outcome.status, outcome.code]).toEqual([type, 415, 'bounds.content_type'])
        expectPublic(outcome)
      }
    })
  })
})

describe('credentials that are not accepted', () => {
  const write = [...methods.values()].filter((method) => method.access !== 'public_read')

  it('G4: revoked, expired, changed, unknown, malformed and disabled keys look exactly alike, on every method', async () => {
    const bad = await badKeys()
    for (const transport of transports) {
      for (const method of write) {
        const headers = { 'x-request-id': `same-${transport.length}-request` }
        const seen = new Map<string, string>()
        for (const [name, key] of bad) {
          const outcome = await send(transport, method, sample(method, {}), { key, headers })
          expect([name, method.path, outcome.code]).toEqual([name, method.path, 'auth.credential_invalid'])
          expectPublic(outcome)
          expectRefused(transport, outcome, 'auth.credential_invalid')
          seen.set(outcome.seen, name)
        }
        expect(seen.size).toBe(1)
      }
    }
  }, 120_000)

  it('G4: the ledger tells them apart', async () => {
    const { body } = await instance.call('LedgerService/Query', { code: 'auth.credential_invalid', pageSize: 1000 })
    const reasons = new Set(
      body.entries.map(({ entryJson }: { entryJson: string }) =>
        JSON.parse(entryJson).body.reason.replace(/(key|agt)_[0-9a-f-]+/, '$1'),
      ),
    )
    expect(reasons).toEqual(new Set(['key key revoked', 'key key expired', 'owner agt disabled']))
  })
})

async function badKeys(): Promise<ReadonlyMap<string, string>> {
  const every = [...allScopes.keys()]
  const [revoked, expired, disabled, good] = await Promise.all(
    ['revoked', 'expired', 'disabled', 'good'].map((name) => instance.agent(`${name}-agent`, every)),
  )
  if (revoked === undefined || expired === undefined || disabled === undefined || good === undefined)
    throw new Error('four agents were made')
  await instance.call('IdentityService/RevokeKey', { keyId: revoked.keyId })
  await instance.call('IdentityService/DisableAgent', { agentId: disabled.id })
  const postgres = await instance.connect('postgres')
  await postgres.query(
    `update portcullis.keys set expires_at = now() - interval '1 minute', changed_xid = pg_current_xact_id() where id = $1`,
    [expired.keyId.slice(4)],
  )
  await postgres.query(`select pg_notify('portcullis_credentials', '')`)
  await expect.poll(async () => (await instance.call('HubService/ListRuns', {}, { key: expired.key })).status).toBe(401)
  const at = 40
  const letter = good.key[at] === 'a' ? 'b' : 'a'
  return new Map([
    ['revoked', revoked.key],
    ['expired', expired.key],
    ['disabled', disabled.key],
    ['one letter changed', `${good.key.slice(0, at)}${letter}${good.key.slice(at + 1)}`],
    ['unknown', makeKey(uuidv7()).text.reveal()],
    ['malformed', 'hello'],
    ['of another key', `${good.key.slice(0, 25)}${revoked.key.slice(25)}`],
  ])
}

function bigints(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
