import { describe, expect, it } from 'vitest'
import { keySetOf, type KeySource } from './key-set.ts'
import { clock, ec, issuer, now, rsa, source, stranger, token, verdict, verifierOf } from './verify-token.fixture.ts'
import { TokenVerifier, verdictBounds } from './verify-token.ts'

describe('verdicts', () => {
  it('A3: are remembered for the exact bytes, until the key of the token is gone', async () => {
    const keys = source([ec.jwk, rsa.jwk])
    const verifier = verifierOf('upstream', keys)
    const text = token()
    expect(verifier.known(text)).toBeUndefined()
    const found = await verifier.verify(text)
    expect(verifier.known(text)).toBe(found)
    expect(verifier.known(`${text}A`)).toBeUndefined()
    keys.set = keySetOf([ec.jwk])
    expect(verifier.known(text)).toBe(found)
    keys.set = keySetOf([{ ...stranger.jwk, kid: 'ec' }])
    expect(verifier.known(text)).toBeUndefined()
    expect(await verdict(text, verifier)).toMatch(/signature is wrong/)
  })

  it('A3: of refusal last a moment, and never past a change of the keys', async () => {
    const keys = source([rsa.jwk])
    const verifier = verifierOf('upstream', keys)
    const text = token()
    expect(await verdict(text, verifier)).toMatch(/kid is none/)
    expect(verifier.known(text)).toMatchObject({ refused: true })
    now.monotonic += 5001
    expect(verifier.known(text)).toBeUndefined()
    expect(await verdict(text, verifier)).toMatch(/kid is none/)
    keys.set = keySetOf([rsa.jwk, ec.jwk])
    expect(verifier.known(text)).toBeUndefined()
    expect(await verdict(text, verifier)).toBe('right')
  })

  it('A3: are not believed while the keys cannot be had', async () => {
    const keys = source([ec.jwk])
    const verifier = verifierOf('upstream', keys)
    const text = token()
    expect(await verdict(text, verifier)).toBe('right')
    const { set } = keys
    keys.set = undefined
    expect(verifier.known(text)).toBeUndefined()
    expect(await verifier.verify(text)).toMatchObject({ code: 'auth.authority_unavailable' })
    expect(verifier.known(text)).toBeUndefined()
    keys.set = set
    expect(await verdict(text, verifier)).toBe('right')
  })

  it('A3: of other settings are forgotten, also those that are just being made', async () => {
    const verifier = verifierOf()
    const text = token()
    const running = verifier.verify(text)
    verifier.configure({ issuers: [], skewMs: 0, algorithms: ['ES256'] })
    await running
    expect(verifier.known(text)).toBeUndefined()
    expect(await verdict(text, verifier)).toMatch(/iss is none/)
  })

  it('A3: are bounded: those that are used stay, and no flood of wrong ones drives out a right one', async () => {
    const verifier = verifierOf('upstream', source([ec.jwk]), { ...verdictBounds, rightMax: 3, wrongMax: 2 })
    const texts = Array.from({ length: 5 }, (_, at) => token({ jti: `token-${at}` }))
    for (const text of texts) {
      await verifier.verify(text)
      expect(verifier.known(texts[0] ?? '')).toMatchObject({ id: 'token-0' })
    }
    expect(texts.map((text) => verifier.known(text) !== undefined)).toEqual([true, false, false, true, true])
    for (let at = 0; at < 20; at += 1) await verifier.verify(`bad-${at}`)
    expect(['bad-17', 'bad-18', 'bad-19'].map((text) => verifier.known(text) !== undefined)).toEqual([
      false,
      true,
      true,
    ])
    expect(verifier.known(texts[0] ?? '')).toMatchObject({ id: 'token-0' })
    expect(verdictBounds).toEqual({ rightMax: 10_000, wrongMax: 2000, inFlightMax: 1000, waitingMax: 256 })
  })

  it('A3: are made for so many tokens at a time, and the next one is told to come again', async () => {
    const keys: KeySource = { current: () => undefined, lookFor: () => new Promise(() => undefined) }
    const verifier = verifierOf('upstream', keys, { ...verdictBounds, inFlightMax: 2 })
    for (const jti of ['1', '2']) void verifier.verify(token({ jti }))
    expect(await verifier.verify(token())).toMatchObject({ code: 'store.busy', retryAfterSeconds: 1 })
  })

  it('A3: no flood of tokens of one issuer keeps out those of another', async () => {
    const away: KeySource = { current: () => keySetOf([rsa.jwk]), lookFor: () => new Promise(() => undefined) }
    const of = (name: string, keys: KeySource) => ({
      issuer: () => name,
      audiences: () => ['https://api.example'],
      keys,
    })
    const verifier = new TokenVerifier(
      {
        issuers: [
          { kind: 'own', ...of(issuer, source([ec.jwk])) },
          { kind: 'upstream', ...of('https://other.example', away) },
        ],
        skewMs: 30_000,
        algorithms: ['ES256', 'RS256'],
      },
      clock,
      { ...verdictBounds, inFlightMax: 2 },
    )
    for (const jti of ['1', '2']) void verifier.verify(token({ iss: 'https://other.example', jti }))
    const third = token({ iss: 'https://other.example', jti: '3' })
    expect(await verifier.verify(third)).toMatchObject({ code: 'store.busy' })
    expect(await verdict(token(), verifier)).toBe('right')
    expect(await verifier.verify('neither')).toMatchObject({ code: 'auth.credential_invalid' })
  })

  it('A4: so many tokens wait for the keys of their issuer; the next are told at once, and those with a key are verified', async () => {
    const there = keySetOf([ec.jwk])
    let arrived = (): void => undefined
    const keys: KeySource = {
      current: () => there,
      lookFor: (kid) =>
        there.keys.has(kid) ? Promise.resolve(there) : new Promise((end) => (arrived = () => end(there))),
    }
    const verifier = verifierOf('upstream', keys, { ...verdictBounds, waitingMax: 1 })
    const strange = (kid: string): Promise<unknown> => verifier.verify(token({}, { kid }))
    const waiting = strange('a')
    const refused = { code: 'auth.authority_unavailable', retryAfterSeconds: 1 }
    expect(await strange('b')).toMatchObject(refused)
    expect(verifier.known(token({}, { kid: 'b' }))).toBeUndefined()
    expect(await verdict(token(), verifier)).toBe('right')
    arrived()
    expect(await waiting).toMatchObject({ code: 'auth.credential_invalid' })
    const next = strange('c')
    arrived()
    expect(await next).toMatchObject({ code: 'auth.credential_invalid' })
  })

  it('A3: one that is asked for twice at once is made once', async () => {
    const keys = source([ec.jwk])
    const verifier = verifierOf('upstream', keys)
    const text = token()
    await Promise.all([verifier.verify(text), verifier.verify(text), verifier.verify(text)])
    expect(keys.looks).toBe(1)
  })
})
