import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { misbehave } from '../../test/fakes/http-target.ts'
import { FakeKms } from '../../test/fakes/kms.ts'
import { Envelopes } from './envelope.ts'
import { KeysUnavailable, UnreadableSecret } from './errors.ts'
import { KmsProvider, type KmsSettings } from './kms.ts'
import type { SecretPlace } from './place.ts'

let kms: FakeKms
const open: KmsProvider[] = []
beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAIOSFODNN7EXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wJalrXUtnFEMI-not-a-key')
  kms = await FakeKms.start()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(open.splice(0).map((one) => one.close()))
  await kms.target.stop()
})

const home: SecretPlace = { tenant: 't1', table: 'secrets', column: 'envelope', row: 'r1' }

function provider(more: Partial<KmsSettings> = {}): KmsProvider {
  const made = new KmsProvider({
    keyId: 'alias/portcullis',
    previousKeyIds: [],
    region: 'eu-central-1',
    endpoint: kms.target.url,
    timeoutMs: 10_000,
    monotonic: () => performance.now(),
    ...more,
  })
  open.push(made)
  return made
}

describe('AWS KMS', () => {
  it('S1: wraps under the key behind the alias, with the place as encryption context', async () => {
    const envelopes = new Envelopes(provider())
    const { envelope, keyId } = await envelopes.seal(Buffer.from('secret'), home)
    expect(keyId).toBe(kms.current)
    expect(JSON.parse(kms.target.received[0]?.body.toString() ?? '').EncryptionContext).toEqual({
      'portcullis:purpose': 'data key 1',
      'portcullis:tenant': 't1',
      table: 'secrets',
      column: 'envelope',
      row: 'r1',
    })
    expect((await envelopes.open(envelope, home)).toString()).toBe('secret')
    await expect(envelopes.open(envelope, { ...home, tenant: 't2' })).rejects.toThrow(UnreadableSecret)
    const broken = Buffer.from(envelope)
    broken[120] = (broken[120] ?? 0) ^ 1
    await expect(envelopes.open(broken, home)).rejects.toThrow(UnreadableSecret)
  })

  it('S1: an envelope cannot choose a key that the settings do not name', async () => {
    const { envelope } = await new Envelopes(provider()).seal(Buffer.from('x'), home)
    const old = kms.current
    kms.addKey('two')
    const asked = kms.target.received.length
    await expect(new Envelopes(provider()).open(envelope, home)).rejects.toThrow(UnreadableSecret)
    const verbs = kms.target.received.slice(asked).map(({ headers }) => headers['x-amz-target'])
    expect(verbs).toEqual(['TrentService.Encrypt'])
    const rotated = new Envelopes(provider({ previousKeyIds: [old] }))
    expect((await rotated.open(envelope, home)).toString()).toBe('x')
    expect((await rotated.rewrap(envelope, home))?.keyId).toBe(kms.current)
    await rotated.prove()
  })

  it.each([
    ['an error', misbehave.fail],
    ['a body without end', misbehave.endless],
    ['no reply', misbehave.closeBeforeReply],
    ['another API', misbehave.lie],
  ])('S1: %s is an outage and no verdict on the secret', async (_, answer) => {
    const envelopes = new Envelopes(provider())
    const { envelope } = await envelopes.seal(Buffer.from('x'), home)
    kms.target.always = answer
    const error = await envelopes.open(envelope, home).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(KeysUnavailable)
    expect(String(error)).toMatch(/AWS KMS/)
  })

  it('S1: a KMS that never answers is given up at the deadline', async () => {
    kms.target.always = misbehave.hang
    await expect(new Envelopes(provider({ timeoutMs: 200 })).seal(Buffer.from('x'), home)).rejects.toThrow(
      KeysUnavailable,
    )
  })
})
