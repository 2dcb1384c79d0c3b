import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CreateAgentRequestSchema,
  HubService,
  IdentityService,
  ListRunsRequestSchema,
  methodOf,
  StartRunRequestSchema,
} from '@portcullis/contract'
import { isRefusal, type Caller } from '#core'
import type { Call } from '#gate'
import { idempotencyOf } from './idempotency.ts'

const caller: Caller = {
  kind: 'agent',
  id: 'agt_1',
  tenant: { id: 'ten_1', name: 'main' },
  scopes: new Set(),
  credential: { kind: 'api_key', id: 'key_1' },
}
const startRun = callOf(methodOf(HubService.method.startRun))
const createAgent = callOf(methodOf(IdentityService.method.createAgent))

function callOf(method: Call['method']): Call {
  return { method, credentials: [], remote: '', requestId: 'req_1', tenantId: undefined }
}

function digests(call: Call, message: Parameters<typeof idempotencyOf>[2], header?: string, by: Caller = caller) {
  const found = idempotencyOf(call, by, message, header)
  if (found === undefined || isRefusal(found)) throw new Error('no idempotency')
  return found
}

const run = (workflow: string, idempotencyKey = '') => create(StartRunRequestSchema, { workflow, idempotencyKey })

describe('idempotency', () => {
  it('G15: the key may stand in the message or in the header, and is not part of the payload', () => {
    expect(digests(startRun, run('w', 'k'))).toEqual(digests(startRun, run('w'), 'k'))
    expect(digests(startRun, run('w', 'k'), 'k')).toEqual(digests(startRun, run('w'), 'k'))
  })

  it('G15: another payload has another digest under the same key', () => {
    const [one, two] = [digests(startRun, run('a', 'k')), digests(startRun, run('b', 'k'))]
    expect(one.keyDigest).toBe(two.keyDigest)
    expect(one.payloadDigest).not.toBe(two.payloadDigest)
  })

  it('G15: a key belongs to one caller and one method', () => {
    const agent = create(CreateAgentRequestSchema, { name: 'a', idempotencyKey: 'k' })
    const other = { ...caller, id: 'agt_2' }
    const keys = [
      digests(startRun, run('w', 'k')),
      digests(startRun, run('w', 'k'), undefined, other),
      digests(createAgent, agent),
    ].map(({ keyDigest }) => keyDigest)
    expect(new Set(keys).size).toBe(3)
  })

  it('G15: the order of map entries does not make another payload', () => {
    const label = fc.tuple(fc.string({ minLength: 1 }), fc.string())
    fc.assert(
      fc.property(fc.uniqueArray(label, { selector: ([name]) => name }), (labels) => {
        fc.pre(labels.every(([name, value]) => name.isWellFormed() && value.isWellFormed() && name !== '__proto__'))
        const message = (entries: typeof labels) =>
          create(CreateAgentRequestSchema, { name: 'a', idempotencyKey: 'k', labels: Object.fromEntries(entries) })
        expect(digests(createAgent, message(labels))).toEqual(digests(createAgent, message(labels.toReversed())))
      }),
    )
  })

  it('G15: a field that the contract does not know is not part of the payload', () => {
    const known = run('w', 'k')
    const unknown = { ...run('w', 'k'), $unknown: [{ no: 99, wireType: 2, data: Uint8Array.of(1, 120) }] }
    expect(digests(startRun, unknown)).toEqual(digests(startRun, known))
  })

  it('G15: no key is none, also on reads', () => {
    expect(idempotencyOf(startRun, caller, run('w'), undefined)).toBeUndefined()
    expect(
      idempotencyOf(callOf(methodOf(HubService.method.listRuns)), caller, create(ListRunsRequestSchema), 'k'),
    ).toBeUndefined()
  })

  it.each(['', ' ', 'a b', 'x'.repeat(201), 'é', '\u007f', 'a\n'])('G15: the key %j is refused', (key) => {
    expect(idempotencyOf(startRun, caller, run('w'), key)).toMatchObject({ code: 'input.invalid' })
  })

  it('G15: two keys that differ are refused', () => {
    expect(idempotencyOf(startRun, caller, run('w', 'a'), 'b')).toMatchObject({ code: 'input.invalid' })
  })
})
