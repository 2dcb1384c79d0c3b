import { create, type Message } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import {
  AuthorizationService,
  CheckBatchRequestSchema,
  CheckRequestSchema,
  type CheckResponse,
} from '@portcullis/contract'
import { isRefusal, refuse, type Caller } from '#core'
import type { HandlerContext } from '../handler.ts'
import type { Decider, FineQuestion, Found } from './decider.ts'
import { authorizationHandlers } from './handlers.ts'

const nowMs = 1_800_000_000_000
const tenant = { id: 'ten_1', name: 'main' }
const service: Caller = {
  kind: 'agent',
  id: 'agt_service',
  tenant,
  scopes: new Set(['authz:check']),
  credential: { kind: 'api_key', id: 'key_1' },
}

function found(
  id: string,
  scopes: readonly string[],
  more: Partial<Found> & { tenant?: Caller['tenant'] } = {},
): Found {
  const caller: Caller = { ...service, id, scopes: new Set(scopes), tenant: more.tenant ?? tenant }
  return { refused: false, caller, expiresAtMs: more.expiresAtMs }
}

const known: Readonly<Record<string, Found>> = {
  reader: found('agt_reader', ['tickets:read', 'tasks:read']),
  foreign: found('agt_foreign', ['tickets:read'], { tenant: { id: 'ten_2', name: 'other' } }),
  brief: found('agt_brief', ['tickets:read'], { expiresAtMs: nowMs + 2900 }),
}
const addresses: (string | undefined)[] = []
const decider: Decider = {
  byCredential: (credential, { address }) => {
    addresses.push(address)
    return known[credential.reveal()] ?? refuse('auth.credential_invalid', 'unknown')
  },
  byCaller: (id) =>
    Object.values(known).find(({ caller }) => caller.id === id) ?? refuse('object.not_found', 'unknown'),
  epoch: () => '4711',
}
const context = {
  caller: service,
  ownOnly: false,
  clock: { now: () => nowMs, monotonic: () => 0 },
  decider,
  services: new Set(['tickets:read', 'tickets:write']),
} as unknown as HandlerContext

type Asked = Parameters<typeof create<typeof CheckRequestSchema>>[1]
const handlerOf = (method: string) => {
  const handler = authorizationHandlers.find((each) => each.method.path.endsWith(method))
  if (handler === undefined) throw new Error(method)
  return handler
}

async function check(asked: Asked): Promise<CheckResponse> {
  const reply = await handlerOf(AuthorizationService.method.check.name).act(create(CheckRequestSchema, asked), context)
  if (isRefusal(reply)) throw new Error(`${reply.code} ${reply.detail}`)
  return reply as unknown as CheckResponse
}

describe('Check', () => {
  it('G22: allows what the party holds, for a while, under an epoch', async () => {
    expect(await check({ credential: 'reader', action: 'tickets:read' })).toMatchObject({
      allow: true,
      code: '',
      ttlSeconds: 5,
      epoch: '4711',
      caller: 'agt_reader',
      obligations: [],
    })
    expect(await check({ caller: 'agt_reader', action: 'tickets:read', tenant: 'main' })).toMatchObject({ allow: true })
    expect(await check({ credential: 'reader', action: 'tasks:read', tenant: 'ten_1' })).toMatchObject({ allow: true })
  })

  it('G22: never for longer than the credential lasts', async () => {
    expect((await check({ credential: 'brief', action: 'tickets:read' })).ttlSeconds).toBe(2)
  })

  it.each([
    ['an unknown credential', { credential: 'nobody', action: 'tickets:read' }, 'auth.credential_invalid', ''],
    ['an unknown caller', { caller: 'agt_nobody', action: 'tickets:read' }, 'object.not_found', ''],
    ['a scope that is not held', { credential: 'reader', action: 'tickets:write' }, 'auth.scope_missing', 'agt_reader'],
    ['an action of no service', { credential: 'reader', action: 'tickets:burn' }, 'authz.action_unknown', ''],
    ['a text that is no action', { credential: 'reader', action: 'constructor' }, 'authz.action_unknown', ''],
    ['another tenant', { credential: 'reader', action: 'tickets:read', tenant: 'other' }, 'tenant.mismatch', ''],
    [
      'a credential of another tenant',
      { credential: 'foreign', action: 'tickets:read' },
      'auth.credential_invalid',
      '',
    ],
    ['a caller of another tenant', { caller: 'agt_foreign', action: 'tickets:read' }, 'object.not_found', ''],
    [
      'its own tenant, asked for by a service of another',
      { credential: 'foreign', action: 'tickets:read', tenant: 'other' },
      'tenant.mismatch',
      '',
    ],
  ])('G22: denies %s, and keeps that for no time', async (_name, asked, code, caller) => {
    expect(await check(asked)).toMatchObject({ allow: false, code, ttlSeconds: 0, caller })
  })

  it('G22: passes on the address of the party', async () => {
    await check({ credential: 'reader', action: 'tickets:read', context: { address: '192.0.2.1' } })
    expect(addresses.at(-1)).toBe('192.0.2.1')
  })

  it.each([
    [{ action: 'tickets:read' }],
    [{ credential: 'reader', caller: 'agt_reader', action: 'tickets:read' }],
    [{ credential: 'reader' }],
    [{ credential: 'x'.repeat(4097), action: 'tickets:read' }],
    [{ credential: 'reader', action: 'tickets:read', resource: 'a\0b' }],
    [{ credential: 'reader', action: 'tickets:read', context: { a: 'x'.repeat(1001) } }],
    [
      {
        credential: 'reader',
        action: 'tickets:read',
        context: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`k${n}`, ''])),
      },
    ],
  ])('G22: refuses what is no question %#', async (asked) => {
    await expect(check(asked)).rejects.toThrow('input.invalid')
  })

  it('G22: tells the ledger what was decided on whom, and never the credential', async () => {
    const handler = handlerOf('/Check')
    const asked = create(CheckRequestSchema, { credential: 'reader', action: 'tickets:write', resource: 'ticket 7' })
    const reply = await handler.act(asked, context)
    const shown = { ...handler.summary?.(asked), ...handler.told?.(reply as never, asked) }
    expect(shown).toEqual({
      action: 'tickets:write',
      asked: '',
      resource: 'ticket 7',
      tenant: '',
      allow: false,
      code: 'auth.scope_missing',
      found: 'agt_reader',
    })
  })
})

describe('fine policy', () => {
  const asked: FineQuestion[] = []
  const policy: Decider = {
    ...decider,
    fine: (question) => {
      asked.push(question)
      return question.resource === 'secret' ? refuse('policy.denied', 'forbidden by no-secrets') : undefined
    },
  }
  const strict = { ...context, decider: policy }
  const act = async (method: string, message: Message): Promise<{ reply: unknown; shown: object }> => {
    const handler = handlerOf(method)
    const reply = await handler.act(message, strict)
    return { reply, shown: { ...handler.told?.(reply as never, message) } }
  }

  it('G21: decides where the scopes allow, with what the service says of the object, and tells the ledger alone why', async () => {
    const message = (resource: string): Message =>
      create(CheckRequestSchema, { credential: 'reader', action: 'tickets:read', resource, context: { a: 'b' } })
    const denied = await act('/Check', message('secret'))
    expect(denied.reply).toMatchObject({ allow: false, code: 'policy.denied', ttlSeconds: 0, caller: 'agt_reader' })
    expect(denied.shown).toMatchObject({ code: 'policy.denied', why: 'forbidden by no-secrets' })
    expect(JSON.stringify(denied.reply)).not.toContain('no-secrets')
    expect(asked).toMatchObject([
      { caller: { id: 'agt_reader' }, action: 'tickets:read', resource: 'secret', context: { a: 'b' } },
    ])
    expect((await act('/Check', message('other'))).reply).toMatchObject({ allow: true, code: '' })
  })

  it('G21: is not asked where the scopes deny', async () => {
    asked.length = 0
    const { reply } = await act('/Check', create(CheckRequestSchema, { credential: 'reader', action: 'tickets:write' }))
    expect([reply, asked]).toMatchObject([{ code: 'auth.scope_missing' }, []])
  })

  it('G21: decides each check of a batch', async () => {
    const checks = ['secret', 'other'].map((resource) => ({ credential: 'reader', action: 'tickets:read', resource }))
    const { reply, shown } = await act('/CheckBatch', create(CheckBatchRequestSchema, { checks }))
    expect(reply).toMatchObject({ decisions: [{ code: 'policy.denied' }, { allow: true }] })
    expect(shown).toMatchObject({ denials: ['policy.denied tickets:read agt_reader: forbidden by no-secrets'] })
  })
})

describe('CheckBatch', () => {
  const batch = (checks: readonly Asked[]) => {
    const message = create(CheckBatchRequestSchema, { checks: checks.map((each) => create(CheckRequestSchema, each)) })
    return { message, reply: handlerOf('/CheckBatch').act(message, context) }
  }

  it('G22: decides each check by itself, in order; the ledger has how many and who was denied', async () => {
    const { message, reply } = batch([
      { credential: 'reader', action: 'tickets:read' },
      { credential: 'nobody', action: 'tickets:read' },
      { caller: 'agt_reader', action: 'tickets:write' },
    ])
    const answered = await reply
    expect(answered).toMatchObject({
      decisions: [{ allow: true }, { code: 'auth.credential_invalid' }, { code: 'auth.scope_missing' }],
    })
    const handler = handlerOf('/CheckBatch')
    expect({ ...handler.summary?.(message), ...handler.told?.(answered as never, message) }).toEqual({
      checks: 3,
      allowed: 1,
      denied: 2,
      denials: ['auth.credential_invalid tickets:read (unknown)', 'auth.scope_missing tickets:write agt_reader'],
    })
  })

  it('G22: takes 1 to 100 checks, and names the one that is no question', async () => {
    const good = { credential: 'reader', action: 'tickets:read' }
    expect(await batch(Array.from({ length: 100 }, () => good)).reply).toMatchObject({ decisions: { length: 100 } })
    expect(await batch([]).reply).toMatchObject({ code: 'input.invalid' })
    expect(await batch(Array.from({ length: 101 }, () => good)).reply).toMatchObject({ code: 'input.invalid' })
    const { detail } = (await batch([good, { action: 'tickets:read' }]).reply) as { detail?: string }
    expect(detail).toContain('checks[1].credential')
  })
})
