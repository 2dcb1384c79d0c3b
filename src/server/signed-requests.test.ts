import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { HubService, methodOf, StartRunRequestSchema } from '@portcullis/contract'
import type { SingleUsePort } from '#authority'
import { isRefusal, type Caller } from '#core'
import type { SignedMessage, SigningKeyRecord } from '#gate'
import type { Admission } from './admissions.ts'
import { Pipeline, type PipelineParts } from './pipeline.ts'
import { SignedRequests } from './signed-requests.ts'

const nowMs = 1_800_000_000_000
const clock = { now: () => nowMs, monotonic: () => 5 }
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const body = Buffer.from('{"workflow":"w"}')
const caller: Caller = {
  kind: 'agent',
  id: 'agt_1',
  tenant: { id: 'ten_1', name: 'main' },
  scopes: new Set(['telemetry:write']),
  credential: { kind: 'api_key', id: 'key_1' },
}
const key: SigningKeyRecord = {
  id: 'sgk_1',
  owner: { kind: 'agent', id: 'agt_1' },
  tenantId: 'ten_1',
  algorithm: 'ed25519',
  revokedAtMs: undefined,
  open: () => Promise.resolve(publicKey),
}

function message(more: Readonly<Record<string, string>> = {}): SignedMessage {
  const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
  const parameters = `("@method" "@path" "content-digest");created=${nowMs / 1000};nonce="0123456789abcdef";keyid="sgk_1"`
  const base = `"@method": POST\n"@path": /p\n"content-digest": ${digest}\n"@signature-params": ${parameters}`
  const signature = sign(null, Buffer.from(base), privateKey).toString('base64')
  const fields: Readonly<Record<string, string>> = {
    'content-digest': digest,
    'signature-input': `s=${parameters}`,
    signature: `s=:${signature}:`,
    ...more,
  }
  const of = (name: string): readonly string[] => (fields[name] === undefined ? [] : [fields[name]])
  return { method: 'POST', path: '/p', query: undefined, authority: undefined, fields: of }
}

function checker(given: { key?: Partial<SigningKeyRecord>; take?: SingleUsePort['take'] } = {}) {
  const taken: string[] = []
  const faults: unknown[] = []
  const take: SingleUsePort['take'] = (kind, value, expiresAtMs) => {
    taken.push(`${kind} ${value} ${expiresAtMs - nowMs}`)
    return Promise.resolve(true)
  }
  const signed = new SignedRequests({
    keys: { find: (id) => (id === 'sgk_1' ? { ...key, ...given.key } : undefined) },
    singleUse: { take: given.take ?? take },
    clock,
    fault: (error) => faults.push(error),
  })
  const check = async (of = message(), bytes: Uint8Array = body, by = caller): Promise<string> => {
    const result = await signed.check(of, bytes, by)
    return isRefusal(result) ? result.code : `${result.credential.kind} ${result.credential.signedBy ?? ''}`
  }
  return { check, taken, faults, signed }
}

describe('the signature of a request', () => {
  it('G16: becomes part of the credential; its nonce is taken under its key until it is too old', async () => {
    const { check, taken } = checker()
    expect(await check()).toBe('signed_api_key sgk_1')
    expect(taken).toEqual(['signature sgk_1 0123456789abcdef 60000'])
    const token = { ...caller, credential: { kind: 'dpop_access_token', id: 'jti' } } as const
    expect(await check(message(), body, token)).toBe('dpop_access_token sgk_1')
  })

  it('G16: leaves its nonce to be used where something else is wrong', async () => {
    const wrong = [
      checker({ key: { tenantId: 'ten_2' } }),
      checker({ key: { owner: { kind: 'agent', id: 'agt_2' } } }),
      checker({ key: { owner: { kind: 'operator', id: 'agt_1' } } }),
      checker({ key: { revokedAtMs: nowMs + 1 } }),
      checker({ key: { algorithm: 'hmac-sha256' } }),
      checker({ key: { open: () => Promise.resolve(generateKeyPairSync('ed25519').publicKey) } }),
    ]
    for (const { check, taken } of wrong) expect([await check(), taken]).toEqual(['auth.signature_invalid', []])
    const { check, taken } = checker()
    expect(await check(message(), Buffer.from('x'))).toBe('auth.signature_invalid')
    expect(await check(message({ 'signature-input': '' }))).toBe('auth.signature_invalid')
    expect(taken).toEqual([])
  })

  it('G16: used before is refused', async () => {
    const { check, faults } = checker({ take: () => Promise.resolve(false) })
    expect([await check(), faults]).toEqual(['auth.signature_invalid', []])
  })

  it('G20: lets nobody in where the nonce or the key cannot be looked at, and the log has the cause', async () => {
    const away = checker({ take: () => Promise.reject(new Error('away')) })
    expect([await away.check(), away.faults]).toEqual(['store.unavailable', [new Error('away')]])
    const sealed = checker({ key: { open: () => Promise.reject(new Error('no master key')) } })
    expect([await sealed.check(), sealed.taken]).toEqual(['store.unavailable', []])
  })
})

describe('a door', () => {
  const method = methodOf(HubService.method.startRun)
  const call = {
    method,
    credentials: [],
    remote: '192.0.2.1',
    requestId: 'req_1',
    tenantId: undefined,
    signed: message(),
  }
  const admission: Admission = { call, decision: { refused: false, caller, ownOnly: false }, arrivedAt: 5 }

  /** A pipeline that says what it was asked to record; no handler must be reached. */
  function pipelineOf(parts: Partial<PipelineParts>) {
    const told: string[] = []
    const floods = { ownDenial: () => false } as unknown as PipelineParts['floods']
    const all = {
      clock,
      floods,
      fault: () => undefined,
      told: ({ code }: { code?: string }) => told.push(code ?? 'ok'),
      ...parts,
    }
    return { pipeline: new Pipeline(all as unknown as PipelineParts), told }
  }

  it('G16: that forgets the signature performs nothing', async () => {
    const { pipeline, told } = pipelineOf({ signatures: checker().signed })
    const reply = await pipeline.perform(admission, create(StartRunRequestSchema, { workflow: 'w' }), undefined)
    expect([isRefusal(reply) && reply.code, told]).toEqual(['server.internal', ['server.internal']])
  })

  it('G16: where nothing verifies signatures refuses those that have one', async () => {
    const { pipeline, told } = pipelineOf({})
    const reply = await pipeline.performBytes(admission, body, undefined)
    expect([isRefusal(reply) && reply.code, told]).toEqual(['auth.signature_invalid', ['auth.signature_invalid']])
  })
})
