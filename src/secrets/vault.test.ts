import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { selfSigned } from '../../test/fakes/certificate.ts'
import { misbehave, reply } from '../../test/fakes/http-target.ts'
import { FakeVault } from '../../test/fakes/vault.ts'
import { Envelopes } from './envelope.ts'
import { KeysUnavailable, UnreadableSecret } from './errors.ts'
import type { SecretPlace } from './place.ts'
import { VaultProvider, type VaultSettings } from './vault.ts'

let dir = ''
let vault: FakeVault
const open: { close(): Promise<void> }[] = []
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vault-'))
  writeFileSync(join(dir, 'token'), 's.root\n')
  writeFileSync(join(dir, 'secret-id'), 'secret-1\n')
})
afterAll(() => rmSync(dir, { recursive: true }))
beforeEach(async () => {
  vault = await FakeVault.start()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
  await vault.target.stop()
})

const home: SecretPlace = { tenant: 't1', table: 'secrets', column: 'envelope', row: 'r1' }
const byToken = (): VaultSettings['login'] => ({ kind: 'token', tokenFile: join(dir, 'token') })
const byRole = (): VaultSettings['login'] => ({
  kind: 'approle',
  mount: 'approle',
  roleId: 'role-1',
  secretIdFile: join(dir, 'secret-id'),
})

let nowMs = 0
function provider(more: Partial<VaultSettings> = {}): VaultProvider {
  const made = new VaultProvider({
    address: vault.target.url,
    mount: 'transit',
    keyName: 'portcullis',
    login: byToken(),
    timeoutMs: 5000,
    monotonic: () => nowMs,
    ...more,
  })
  open.push(made)
  return made
}

describe('Vault transit', () => {
  it('S1: wraps and unwraps for a place; what was moved or changed does not open', async () => {
    const envelopes = new Envelopes(provider())
    const { envelope, keyId } = await envelopes.seal(Buffer.from('secret'), home)
    expect(keyId).toBe('vault:transit/portcullis:v1')
    expect((await envelopes.open(envelope, home)).toString()).toBe('secret')
    await expect(envelopes.open(envelope, { ...home, row: 'r2' })).rejects.toThrow(UnreadableSecret)
    for (let at = 0; at < envelope.length; at += 1) {
      const broken = Buffer.from(envelope)
      broken[at] = (broken[at] ?? 0) ^ 1
      await expect(envelopes.open(broken, home)).rejects.toThrow(UnreadableSecret)
    }
  })

  it('S5: what is sent to Vault holds neither the secret nor the token in its URL', async () => {
    await new Envelopes(provider()).seal(Buffer.from('the-clear-secret'), home)
    const [sent] = vault.target.received
    expect(sent?.url).toBe('/v1/transit/encrypt/portcullis')
    const text = `${sent?.body.toString()} ${Buffer.from(JSON.parse(sent?.body.toString() ?? '').plaintext, 'base64').toString()}`
    expect(text).not.toContain('the-clear-secret')
  })

  it('S1: logs in by AppRole, keeps the token, and logs in again when it was revoked', async () => {
    const envelopes = new Envelopes(provider({ login: byRole() }))
    const { envelope } = await envelopes.seal(Buffer.from('x'), home)
    await envelopes.open(envelope, home)
    expect(vault.logins).toBe(1)
    vault.tokens.clear()
    await envelopes.open(envelope, home)
    expect(vault.logins).toBe(2)
    nowMs += 3600 * 1000
    await envelopes.open(envelope, home)
    expect(vault.logins).toBe(3)
  })

  it('S2: a rotation makes a new version; the old one opens still, and rewrapping moves to the new one', async () => {
    const own = provider()
    const envelopes = new Envelopes(own)
    const before = await envelopes.seal(Buffer.from('x'), home)
    await own.rotate()
    expect(await envelopes.newest()).toBe('vault:transit/portcullis:v2')
    const after = (await envelopes.rewrap(before.envelope, home)) ?? expect.fail('not rewrapped')
    expect(after.keyId).toBe('vault:transit/portcullis:v2')
    expect((await envelopes.open(before.envelope, home)).toString()).toBe('x')
    expect((await envelopes.open(after.envelope, home)).toString()).toBe('x')
  })

  it.each([
    ['an error', misbehave.fail],
    ['a page of a proxy', misbehave.lie],
    ['a body without end', misbehave.endless],
    ['half a reply', misbehave.closeMidReply],
    ['no reply', misbehave.closeBeforeReply],
    ['a redirect', misbehave.redirect],
    ['another API', reply(200, { data: { plaintext: 7 } })],
  ])('S1: %s is an outage and no verdict on the secret', async (_, answer) => {
    const envelopes = new Envelopes(provider())
    const { envelope } = await envelopes.seal(Buffer.from('x'), home)
    vault.target.always = answer
    await expect(envelopes.open(envelope, home)).rejects.toThrow(KeysUnavailable)
  })

  it('S1: a Vault that never answers is given up at the deadline', async () => {
    const envelopes = new Envelopes(provider({ timeoutMs: 100 }))
    vault.target.always = misbehave.hang
    await expect(envelopes.seal(Buffer.from('x'), home)).rejects.toThrow(/Vault cannot be reached: the deadline passed/)
  })

  it('S1: a token without the right, a wrong AppRole and a missing file say what to do, and no secret', async () => {
    vault.tokens.clear()
    const said = async (login: VaultSettings['login']): Promise<string> =>
      provider({ login })
        .newest()
        .then(
          () => expect.fail('it answered'),
          (error: unknown) => String(error),
        )
    expect(await said(byToken())).toMatch(/403 .*give its policy update on that path/)
    writeFileSync(join(dir, 'wrong'), 'wrong-secret-id')
    expect(await said({ ...byRole(), secretIdFile: join(dir, 'wrong') } as VaultSettings['login'])).toMatch(
      /^(?!.*wrong-secret-id).*check secrets\.vault\.roleId/,
    )
    expect(await said({ kind: 'token', tokenFile: join(dir, 'nowhere') })).toMatch(/cannot be read \(ENOENT\)/)
  })

  it('S1: a start proves that keys are unwrapped, too: a right that is missing shows', async () => {
    await provider().prove()
    const { always } = vault.target
    vault.target.always = (response, request) =>
      (request.url.includes('/decrypt/') ? reply(403, { errors: ['no'] }) : always)(response, request)
    await expect(provider().prove()).rejects.toThrow(
      /403 to \/v1\/transit\/decrypt\/portcullis: the token may not do this/,
    )
    vault.target.always = (response, request) =>
      (request.url.includes('/decrypt/') ? reply(200, { data: { plaintext: 'AAAA' } }) : always)(response, request)
    await expect(provider().prove()).rejects.toThrow(/does not unwrap what it has wrapped/)
  })

  it('S1: TLS is verified against the authority of the settings', async () => {
    const tls = selfSigned()
    await vault.target.stop()
    vault = await FakeVault.start({ tls })
    expect(await provider({ ca: tls.cert }).newest()).toBe('vault:transit/portcullis:v1')
    await expect(provider().newest()).rejects.toThrow(/self-signed certificate/)
  })
})
