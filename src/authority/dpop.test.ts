import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { sha256 } from '#core'
import { checkProof, proofAgeMaxMs } from './dpop.ts'
import { encode, pair, signJws } from './tokens.fixture.ts'

const nowMs = 1_800_000_000_000
const clock = { now: () => nowMs }
const seconds = nowMs / 1000
const [ec, rsa] = [pair('ec'), pair('rsa', 'RSA')]
const bare = ({ jwk }: { readonly jwk: Readonly<Record<string, unknown>> }) => {
  const { kid: _, ...rest } = jwk
  return rest
}
const token = 'header.payload.signature'
const target = { method: 'POST', path: '/portcullis.v1.HubService/ListTasks', origins: ['https://api.example'] }
const rules = { algorithms: ['ES256', 'RS256', 'PS256'], skewMs: 30_000 }
const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: bare(ec) }
const claims = {
  jti: 'proof-1',
  htm: 'POST',
  htu: `https://api.example${target.path}`,
  iat: seconds,
  ath: sha256(token).toString('base64url'),
}

const proof = (changes: object = {}, head: object = {}): string =>
  signJws({ ...header, ...head }, { ...claims, ...changes }, ec.privateKey)
const check = (...proofs: readonly string[]) => checkProof(proofs, token, target, rules, clock)

describe('a DPoP proof', () => {
  it('G3: that is right names its key, and what may be seen once', async () => {
    const right = await check(proof())
    const thumbprint = sha256(JSON.stringify({ crv: 'P-256', kty: 'EC', x: ec.jwk['x'], y: ec.jwk['y'] })).toString(
      'base64url',
    )
    expect(right).toMatchObject({ jkt: thumbprint, once: `${thumbprint}.proof-1` })
    expect(typeof right === 'object' && right.expiresAtMs).toBeGreaterThan(nowMs + proofAgeMaxMs)
  })

  it.each(['RS256', 'PS256'] as const)('G3: may be signed with %s', async (alg) => {
    const right = await check(signJws({ ...header, alg, jwk: bare(rsa) }, claims, rsa.privateKey, alg))
    expect(right).toMatchObject({ jkt: expect.stringMatching(/^[\w-]{43}$/) })
  })

  it.each([
    { htu: `HTTPS://API.EXAMPLE:443${target.path}?page=2#top` },
    { htu: `https://api.example/x/..${target.path}` },
    { iat: seconds - 60 },
    { iat: seconds + 30 },
    { iat: seconds - 0.5 },
    { nonce: 'not asked for' },
  ])('G3: may say %j', async (changes) => {
    expect(typeof (await check(proof(changes)))).toBe('object')
  })

  it.each([
    [{ typ: 'JWT' }, /typ/],
    [{ typ: undefined }, /typ/],
    [{ alg: 'none' }, /alg/],
    [{ alg: 'EdDSA' }, /alg/],
    [{ alg: 'RS256' }, /alg is not that/],
    [{ crit: ['jti'] }, /crit/],
    [{ jwk: undefined }, /no jwk/],
    [{ jwk: [bare(ec)] }, /no jwk/],
    [{ jwk: { kty: 'oct', k: 'AAAA' } }, /not fit/],
    [{ jwk: ec.privateKey.export({ format: 'jwk' }) }, /not a public key/],
    [{ jwk: { ...bare(ec), d: undefined, k: 'AAAA' } }, /not a public key/],
    [{ jwk: bare(pair('other')) }, /signature is wrong/],
  ])('G3: with the header %j is refused', async (head, why) => {
    expect(await check(proof({}, head))).toMatch(why)
  })

  it.each([
    [{ jti: undefined }, /jti/],
    [{ jti: '' }, /jti/],
    [{ jti: 7 }, /jti/],
    [{ jti: 'x'.repeat(257) }, /jti/],
    [{ htm: 'GET' }, /htm/],
    [{ htm: 'post' }, /htm/],
    [{ htm: undefined }, /htm/],
    [{ htu: 'https://api.example/other' }, /htu/],
    [{ htu: `http://api.example${target.path}` }, /htu/],
    [{ htu: `https://evil.example${target.path}` }, /htu/],
    [{ htu: `https://api.example:8443${target.path}` }, /htu/],
    [{ htu: `https://u:p@api.example${target.path}` }, /htu/],
    [{ htu: target.path }, /htu/],
    [{ htu: 7 }, /htu/],
    [{ htu: [`https://api.example${target.path}`] }, /htu/],
    [{ iat: seconds + 31 }, /future/],
    [{ iat: seconds - 61 }, /too old/],
    [{ iat: undefined }, /iat/],
    [{ iat: String(seconds) }, /iat/],
    [{ iat: 0 }, /iat/],
    [{ iat: 1e300 }, /iat/],
    [{ ath: undefined }, /ath/],
    [{ ath: sha256('another token').toString('base64url') }, /ath/],
  ])('G3: with the claims %j is refused', async (changes, why) => {
    expect(await check(proof(changes))).toMatch(why)
  })

  it('G3: signed with its public key as a shared secret is refused', async () => {
    const input = `${encode({ ...header, alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } })}.${encode(claims)}`
    const mac = createHmac('sha256', Buffer.from('AAAA', 'base64url')).update(input).digest('base64url')
    expect(await check(`${input}.${mac}`)).toMatch(/alg is not accepted/)
  })

  it('G3: is one, and a JWS', async () => {
    expect(await check()).toMatch(/0 proofs/)
    expect(await check(proof(), proof())).toMatch(/2 proofs/)
    expect(await check('')).toMatch(/three parts/)
    expect(await check(`${proof()}, ${proof()}`)).toMatch(/three parts/)
    expect(await check(`${proof()}=`)).toMatch(/base64url/)
  })
})
