import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRefusal, type VerifiedToken } from '#core'
import { encode, signJws } from './tokens.fixture.ts'
import {
  claims,
  clock,
  ec,
  header,
  issuer,
  rsa,
  seconds,
  source,
  stranger,
  token,
  verdict,
  verifierOf,
} from './verify-token.fixture.ts'
import { TokenVerifier } from './verify-token.ts'

describe('a token that is right', () => {
  it('A3: says who it is, what it may and until when', async () => {
    const cnf = { jkt: 'a'.repeat(43), 'x5t#S256': 'b'.repeat(43) }
    const found = await verifierOf('own').verify(token({ grant_id: 'grant-1', cnf }))
    expect(found).toEqual({
      issuer: 'own',
      id: 'token-1',
      subject: 'svc-1',
      clientId: 'client-1',
      scopes: new Set(['tasks:read', 'jobs:read']),
      expiresAtMs: (seconds + 600) * 1000,
      issuedAtMs: (seconds - 10) * 1000,
      grantId: 'grant-1',
      jkt: 'a'.repeat(43),
      certificate: 'b'.repeat(43),
    } satisfies VerifiedToken)
  })

  it.each(['ES256', 'RS256', 'PS256'] as const)('A3: may be signed with %s', async (alg) => {
    const key = alg === 'ES256' ? ec : rsa
    const head = { ...header, alg, kid: alg === 'ES256' ? 'ec' : 'rsa' }
    expect(await verdict(signJws(head, claims, key.privateKey, alg))).toBe('right')
  })

  it.each([
    [{ aud: ['https://other.example', 'https://api.example'] }, {}],
    [{}, { typ: 'application/at+jwt' }],
    [{}, { typ: 'AT+JWT' }],
    [{ nbf: seconds + 30 }, {}],
    [{ iat: seconds + 30 }, {}],
    [{ exp: seconds + 1 }, {}],
    [{ scope: undefined }, {}],
    // Ignored, and never fetched.
    [{}, { jku: 'https://evil.example/jwks', x5u: 'https://evil.example/x', jwk: stranger.jwk, x5c: ['AA'] }],
  ])('A3: may say %j with the header %j', async (changes, head) => {
    expect(await verdict(token(changes, head), verifierOf('own'))).toBe('right')
  })

  it('A3: of another issuer may be a plain JWT, have azp and scp, and needs no jti', async () => {
    const plain = { client_id: undefined, azp: 'client-2', scope: undefined, scp: ['a:b', 'c:d'], jti: undefined }
    const found = await verifierOf().verify(token(plain, { typ: 'JWT' }))
    expect(found).toMatchObject({ clientId: 'client-2', scopes: new Set(['a:b', 'c:d']) })
    expect(found).toMatchObject({ id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) })
  })
})

describe('a token that is wrong', () => {
  const own = () => verifierOf('own')

  it.each([
    ['none', encode({ ...header, alg: 'none' }) + '.' + encode(claims) + '.', /base64url|signature/],
    ['none with a signature', encode({ ...header, alg: 'none' }) + '.' + encode(claims) + '.AAAA', /alg/],
    ['none in other letters', encode({ ...header, alg: 'nOnE' }) + '.' + encode(claims) + '.AAAA', /alg/],
  ])('A3: alg %s is refused', async (_, text, why) => {
    expect(await verdict(text)).toMatch(why)
  })

  it.each(['ec', 'rsa'])('A3: HS256 with the public key %s as its secret is refused', async (kid) => {
    const pem = (kid === 'ec' ? ec : rsa).publicKey.export({ type: 'spki', format: 'pem' })
    const input = `${encode({ ...header, alg: 'HS256', kid })}.${encode(claims)}`
    const mac = createHmac('sha256', pem).update(input).digest('base64url')
    expect(await verdict(`${input}.${mac}`)).toMatch(/alg is not accepted/)
  })

  it('A3: every algorithm but ES256, RS256 and PS256 is refused', async () => {
    for (const alg of [
      'HS256',
      'HS384',
      'RS384',
      'RS512',
      'PS512',
      'ES384',
      'ES256K',
      'EdDSA',
      'es256',
      '',
      'toString',
    ])
      expect(await verdict(token({}, { alg })), alg).toMatch(/alg is not accepted/)
  })

  it('A3: an algorithm that is not in the settings is refused', async () => {
    const keys = source([ec.jwk])
    const issuers = [{ kind: 'upstream' as const, issuer: () => issuer, audiences: () => ['x'], keys }]
    const verifier = new TokenVerifier({ issuers, skewMs: 0, algorithms: ['RS256'] }, clock)
    expect(await verdict(token(), verifier)).toMatch(/alg is not accepted/)
  })

  it('A3: the algorithm must be that of the key', async () => {
    expect(await verdict(signJws({ ...header, alg: 'RS256' }, claims, rsa.privateKey, 'RS256'))).toMatch(
      /not that of its key/,
    )
    const pinned = source([{ ...rsa.jwk, alg: 'PS256' }])
    const text = signJws({ ...header, alg: 'RS256', kid: 'rsa' }, claims, rsa.privateKey, 'RS256')
    expect(await verdict(text, verifierOf('upstream', pinned))).toMatch(/not that of its key/)
  })

  it('A3: a signature of a stranger under a known kid, and keys that the token brings along, are refused', async () => {
    const head = { ...header, jwk: stranger.jwk, jku: 'https://evil.example/jwks.json' }
    expect(await verdict(signJws(head, claims, stranger.privateKey))).toMatch(/signature is wrong/)
  })

  it.each([undefined, '', 7, 'unknown', '__proto__', 'EC'])('A3: the kid %j is refused', async (kid) => {
    expect(await verdict(token({}, { kid }))).toMatch(/kid/)
  })

  it.each([
    ['padding', (text: string) => `${text}=`],
    ['a blank', (text: string) => `${text} `],
    ['a line feed', (text: string) => text.replace('.', '.\n')],
    ['characters of plain base64', (text: string) => text.replaceAll('_', '/').replaceAll('-', '+') + '+'],
    ['a fourth part', (text: string) => `${text}.AAAA`],
    ['an empty payload', (text: string) => text.replace(/\.[^.]+\./, '..')],
    ['an empty signature', (text: string) => text.replace(/\.[^.]+$/, '.')],
    ['two parts', (text: string) => text.replace(/\.[^.]+$/, '')],
    ['too many bytes', (text: string) => text + 'A'.repeat(8192)],
  ])('A3: %s makes it refused', async (_, change) => {
    expect(await verdict(change(token()))).toMatch(/base64url|three parts|signature|longer/)
  })

  it('A3: stray bits behind the last character are refused, though they decode to the same bytes', async () => {
    const text = token()
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet.indexOf(text.at(-1) ?? '')
    // 64 bytes leave four bits that are not used in the last of 86 characters.
    const stray = text.slice(0, -1) + (alphabet[last + 1] ?? '')
    expect(Buffer.from(stray.split('.')[2] ?? '', 'base64url')).toEqual(
      Buffer.from(text.split('.')[2] ?? '', 'base64url'),
    )
    expect(await verdict(stray)).toMatch(/strict base64url/)
  })

  it.each([
    ['a name twice in the header', '{"alg":"ES256","kid":"ec","kid":"ec","typ":"at+jwt"}', JSON.stringify(claims)],
    [
      'a name twice, once escaped',
      JSON.stringify(header),
      JSON.stringify(claims).replace('{', '{"\\u0073ub":"admin",'),
    ],
    ['a name twice further down', JSON.stringify(header), JSON.stringify(claims).replace('{', '{"a":[{"b":1,"b":2}],')],
    ['a list as header', '[]', JSON.stringify(claims)],
    ['no JSON', JSON.stringify(header), 'sub=admin'],
    ['null', JSON.stringify(header), 'null'],
    ['a byte order mark', `\ufeff${JSON.stringify(header)}`, JSON.stringify(claims)],
  ])('A3: %s is refused', async (_, head, body) => {
    expect(await verdict(signJws(head, body, ec.privateKey))).toMatch(/object of JSON with unique names/)
  })

  it('A3: text that is not UTF-8 is refused', async () => {
    const [head, , signature] = token().split('.')
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')
    expect(await verdict(`${head}.${body}.${signature}`)).toMatch(/unique names/)
  })

  it.each([[{ crit: ['exp'] }], [{ crit: [] }], [{ b64: false }]])('A3: the header %j is refused', async (head) => {
    expect(await verdict(token({}, head))).toMatch(/crit|b64/)
  })

  it.each([
    [{ iss: 'https://login.example/realm/' }, /iss/],
    [{ iss: 'HTTPS://login.example/realm' }, /iss/],
    [{ iss: undefined }, /iss/],
    [{ iss: [issuer] }, /iss/],
    [{ aud: 'https://api.example/' }, /aud is another/],
    [{ aud: 7 }, /aud is not text/],
    [{ aud: ['https://api.example', 7] }, /aud is not text/],
    [{ aud: { 0: 'https://api.example' } }, /aud is not text/],
    [{ aud: [] }, /aud is another/],
    [{ aud: undefined }, /aud is not text/],
    [{ exp: seconds }, /expired/],
    [{ exp: seconds - 1 }, /expired/],
    [{ exp: 0 }, /exp is no time/],
    [{ exp: -1 }, /exp is no time/],
    [{ exp: seconds + 0.5 }, /exp is no time/],
    [{ exp: String(seconds + 600) }, /exp is no time/],
    [{ exp: null }, /exp is no time/],
    [{ exp: undefined }, /exp is no time/],
    [{ exp: 1e300 }, /exp is no time/],
    [{ nbf: seconds + 31 }, /nbf is in the future/],
    [{ nbf: 'soon' }, /nbf is no time/],
    [{ iat: seconds + 31 }, /iat is in the future/],
    [{ iat: undefined }, /iat is no time/],
    [{ iat: seconds + 20, exp: seconds + 10 }, /exp is before/],
    [{ sub: undefined }, /sub/],
    [{ sub: '' }, /sub/],
    [{ sub: 'a b' }, /sub/],
    [{ sub: 'x'.repeat(129) }, /sub/],
    [{ sub: 7 }, /sub/],
    [{ client_id: undefined }, /client_id/],
    [{ client_id: 7 }, /client_id/],
    [{ jti: undefined }, /jti/],
    [{ jti: 7 }, /jti/],
    [{ scope: ['tasks:read'] }, /scope/],
    [{ scope: 7 }, /scope/],
    [{ scope: 'a"b' }, /scope/],
    [{ cnf: 'x' }, /cnf/],
    [{ cnf: {} }, /cnf/],
    [{ cnf: { jwk: {} } }, /cnf/],
    [{ cnf: { jkt: 7 } }, /cnf/],
    [{ cnf: { jkt: 'short' } }, /cnf/],
    [{ grant_id: 7 }, /grant_id/],
  ])('A3: the claims %j are refused', async (changes, why) => {
    expect(await verdict(token(changes), own())).toMatch(why)
  })

  it.each(['JWT', 'dpop+jwt', undefined, '', 7, 'at+jwt '])(
    'A3: one of our own with the typ %j is refused',
    async (typ) => {
      expect(await verdict(token({}, { typ }), own())).toMatch(/typ is not at\+jwt/)
    },
  )

  it.each(['dpop+jwt', 'logout+jwt', 'secevent+jwt', 7])(
    'A3: one of another issuer with the typ %j is refused',
    async (typ) => {
      expect(await verdict(token({}, { typ }))).toMatch(/typ is not of a token/)
    },
  )

  it.each(['nonce', 'at_hash', 'c_hash', 'events'])(
    'A3: an ID token, known by %s, is no access token',
    async (claim) => {
      expect(await verdict(token({ [claim]: 'x' }, { typ: 'JWT' }))).toMatch(/not an access token/)
    },
  )

  it.each([
    'legacy',
    'anonymous',
    'service',
    'portcullis-cli',
    'opr_0199aaaa-0000-7000-8000-000000000000',
    'agt_0199aaaa-0000-7000-8000-000000000000',
  ])('A3: neither a subject nor a client of another issuer can pose as %s', async (id) => {
    expect(await verdict(token({ sub: id }))).toMatch(/sub reads like one of our own ids/)
    expect(await verdict(token({ client_id: id }))).toMatch(/client_id reads like one of our own ids/)
  })
})

it('A3: one of two keys with the same kid, and one that is not fit, verify nothing', async () => {
  const both = source([ec.jwk, stranger.jwk])
  expect(await verdict(token(), verifierOf('upstream', both))).toMatch(/two keys of that kid/)
  const other = source([{ ...ec.jwk, use: 'enc' }])
  expect(await verdict(token(), verifierOf('upstream', other))).toMatch(/not fit: its use is not sig/)
})

it('A3: no change of a single character verifies', async () => {
  const text = token()
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: text.length - 1 }),
      fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ '.split('')),
      async (at, char) => {
        fc.pre(text[at] !== char)
        return (await verdict(text.slice(0, at) + char + text.slice(at + 1))) !== 'right'
      },
    ),
    { numRuns: 300 },
  )
})

it('A3: no text of any kind is a fault', async () => {
  const verifier = verifierOf()
  const part = fc.oneof(fc.base64String(), fc.string(), fc.json().map(encode))
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 4 }), async (parts) => {
      return isRefusal(await verifier.verify(parts.join('.')))
    }),
    { numRuns: 300 },
  )
})
