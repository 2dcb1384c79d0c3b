import { createHmac, createPublicKey, createSecretKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { signatureBase } from './base.ts'
import { contentDigest, digestProblem } from './digest.ts'
import { claimOf, skewMs } from './judge.ts'
import type { SignedMessage } from './message.ts'
import { parseSignature } from './parse.ts'
import { signatureIsRight } from './verify.ts'

type Fields = Readonly<Record<string, string | readonly string[]>>

function messageOf(fields: Fields, more: Partial<SignedMessage> = {}): SignedMessage {
  const of = (name: string): readonly string[] => {
    const values = fields[name]
    return values === undefined ? [] : typeof values === 'string' ? [values] : values
  }
  return { method: 'POST', path: '/foo', query: undefined, authority: 'example.com', fields: of, ...more }
}

// RFC 9421, appendix B.2: the request of all examples.
const example: Fields = {
  date: 'Tue, 20 Apr 2021 02:07:55 GMT',
  'content-type': 'application/json',
  'content-length': '18',
  'content-digest':
    'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
}
const secret = createSecretKey(
  Buffer.from('uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==', 'base64'),
)
const publicKey = createPublicKey(
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n',
)
const vectors = [
  {
    name: 'B.2.5, HMAC-SHA256',
    algorithm: 'hmac-sha256',
    key: secret,
    input: 'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
    signature: 'sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:',
  },
  {
    name: 'B.2.6, Ed25519',
    algorithm: 'ed25519',
    key: publicKey,
    input:
      'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    signature: 'sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:',
  },
] as const

describe('the test vectors of RFC 9421', () => {
  it.each(vectors)('G16: $name', ({ algorithm, key, input, signature }) => {
    const message = messageOf({ ...example, 'signature-input': input, signature }, { query: '?param=Value&Pet=dog' })
    const parsed = parseSignature(message.fields)
    if (typeof parsed === 'string') expect.fail(parsed)
    const { text: base, problem } = signatureBase(message, parsed.covered)
    if (base === undefined) expect.fail(problem)
    expect(signatureIsRight(algorithm, key, { base, bytes: parsed.bytes })).toBe(true)
    expect(signatureIsRight(algorithm, key, { base: `${base} `, bytes: parsed.bytes })).toBe(false)
    // The key of one algorithm is none of the other, whatever the bytes are.
    const other = algorithm === 'ed25519' ? 'hmac-sha256' : 'ed25519'
    expect(signatureIsRight(other, key, { base, bytes: parsed.bytes })).toBe(false)
  })
})

describe('the digest of a body (RFC 9530)', () => {
  it('G16: is that of the bytes as they were sent', () => {
    expect(contentDigest(Buffer.from('{"hello": "world"}'))).toBe(
      'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:',
    )
    expect(contentDigest(Buffer.from('{"hello": "world"}\n'))).toBe(
      'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:',
    )
    const body = Buffer.from('{"hello": "world"}')
    expect(digestProblem([contentDigest(body)], body)).toBeUndefined()
    expect(digestProblem([`sha-512=:AAAA:, ${contentDigest(body)}`], body)).toBeUndefined()
    expect(digestProblem([contentDigest(body)], Buffer.from('{"hello": "World"}'))).toMatch(/not that of the body/)
  })

  it.each([
    ['none', []],
    ['two fields', [contentDigest(Buffer.from('')), contentDigest(Buffer.from(''))]],
    ['a member twice', [`sha-256=:AAAA:, ${contentDigest(Buffer.from(''))}`]],
    ['another algorithm alone', ['sha-512=:AAAA:']],
    ['a short one', ['sha-256=:AAAA:']],
    ['a text', ['sha-256="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="']],
    ['loose base64', ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=:']],
    ['no padding', ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU:']],
    ['nonsense', ['sha-256']],
  ])('G16: %s is refused', (_, values) => {
    expect(digestProblem(values, Buffer.from(''))).toEqual(expect.any(String))
  })
})

const nowMs = Date.parse('2026-03-01T12:00:00Z')
const { privateKey, publicKey: pair } = generateKeyPairSync('ed25519')
const body = Buffer.from('{"agentId":"agt_1"}')

interface Parts {
  readonly covered?: string
  readonly created?: number
  readonly more?: string
  readonly nonce?: string
  readonly message?: Partial<SignedMessage>
  readonly fields?: Fields
  readonly key?: KeyObject
}

/** Signed by hand: nothing of what verifies is used. */
function signed(parts: Parts = {}): SignedMessage {
  const {
    covered = '"@method" "@path" "content-digest"',
    created = nowMs / 1000,
    more = '',
    fields = {},
    message = {},
  } = parts
  const { nonce = ';nonce="0123456789abcdef"', key = privateKey } = parts
  const parameters = `(${covered});created=${created}${nonce};keyid="sgk_1"${more}`
  const digest = contentDigest(body)
  const { method = 'POST', path = '/foo', query } = message
  const values: Record<string, string> = {
    '"@method"': method,
    '"@path"': path,
    '"@query"': query ?? '?',
    '"content-digest"': digest,
    '"x-tenant-id"': 'main',
  }
  const lines = covered.split(' ').map((name) => `${name}: ${values[name] ?? ''}`)
  const base = Buffer.from([...lines, `"@signature-params": ${parameters}`].join('\n'))
  const bytes = key.type === 'secret' ? createHmac('sha256', key).update(base).digest() : sign(null, base, key)
  return messageOf(
    {
      'content-digest': digest,
      'x-tenant-id': 'main',
      'signature-input': `sig1=${parameters}`,
      signature: `sig1=:${bytes.toString('base64')}:`,
      ...fields,
    },
    message,
  )
}

function verdict(message: SignedMessage, bytes: Uint8Array = body): string {
  const claim = claimOf(message, nowMs)
  if (typeof claim === 'string') return claim
  const digest = digestProblem(message.fields('content-digest'), bytes)
  return digest ?? (signatureIsRight('ed25519', pair, claim) ? 'right' : 'wrong')
}

describe('what a signature must say', () => {
  it('G16: method, path, digest, time, key and nonce', () => {
    expect(verdict(signed())).toBe('right')
    expect(verdict(signed({ covered: '"content-digest" "@path" "x-tenant-id" "@method"' }))).toBe('right')
    expect(verdict(signed({ more: ';alg="ed25519";tag="any"' }))).toBe('right')
    expect(
      verdict(signed({ covered: '"@method" "@path" "@query" "content-digest"', message: { query: '?a=1' } })),
    ).toBe('right')
  })

  it.each<readonly [string, Parts, RegExp]>([
    ['without the method', { covered: '"@path" "content-digest"' }, /cover @method/],
    ['without the path', { covered: '"@method" "content-digest"' }, /cover @path/],
    ['without the digest', { covered: '"@method" "@path"' }, /cover content-digest/],
    ['without the query that is there', { message: { query: '?a=1' } }, /cover @query/],
    ['of a component twice', { covered: '"@method" "@path" "content-digest" "@method"' }, /twice/],
    ['of a field that is not there', { covered: '"@method" "@path" "content-digest" "x-other"' }, /x-other is not in/],
    [
      'of a field in capitals',
      { covered: '"@method" "@path" "content-digest" "X-Tenant-Id"' },
      /X-Tenant-Id is not in/,
    ],
    [
      'of a component that nothing derives',
      { covered: '"@method" "@path" "content-digest" "@scheme"' },
      /@scheme is not in/,
    ],
    ['of a component with parameters', { covered: '"@method" "@path" "content-digest";sf' }, /with parameters/],
    ['without a nonce', { nonce: '' }, /without a nonce/],
    ['with a short nonce', { nonce: ';nonce="0123456789abcde"' }, /nonce of 16/],
    ['with a nonce of 129 characters', { nonce: `;nonce="${'a'.repeat(129)}"` }, /nonce of 16/],
    ['too old', { created: nowMs / 1000 - 61 }, /too old/],
    ['from the future', { created: nowMs / 1000 + 61 }, /future/],
    ['with a time that is no integer', { created: nowMs / 1000 + 0.5 }, /without created/],
    ['that has expired', { more: `;expires=${nowMs / 1000}` }, /has expired/],
    [
      'with a digest of another body',
      { fields: { 'content-digest': contentDigest(Buffer.from('')) } },
      /not that of the body/,
    ],
    ['without the signature', { fields: { signature: [] } }, /signature is missing/],
    ['without its input', { fields: { 'signature-input': [] } }, /signature-input is missing/],
    ['under another label', { fields: { signature: 'sig2=:AAAA:' } }, /no signature labelled sig1/],
    ['in two fields', { fields: { signature: ['sig1=:AAAA:', 'sig1=:AAAA:'] } }, /more than once/],
    ['written twice in one field', { fields: { signature: 'sig1=:AAAA:, sig1=:AAAA:' } }, /not in the form/],
    ['in loose base64', { fields: { signature: 'sig1=:AAB=:' } }, /not in the form/],
    ['that is no list', { fields: { 'signature-input': 'sig1=1' } }, /not a list/],
    ['that is nonsense', { fields: { 'signature-input': ',,' } }, /not a dictionary/],
    ['that is very long', { fields: { 'signature-input': `sig1=(${'"a" '.repeat(2000)})` } }, /characters/],
  ])('G16: a signature %s is refused', (_, parts, why) => {
    expect(verdict(signed(parts))).toMatch(why)
  })

  it('G16: the clocks of signer and server may be 60 s apart, both ways', () => {
    expect(skewMs).toBe(60_000)
    expect(verdict(signed({ created: nowMs / 1000 - 60 }))).toBe('right')
    expect(verdict(signed({ created: nowMs / 1000 + 60 }))).toBe('right')
    expect(claimOf(signed({ more: `;expires=${nowMs / 1000 + 5}` }), nowMs)).toMatchObject({ endsAtMs: nowMs + 5000 })
  })

  it('G16: of several signatures the one labelled portcullis counts, and none where there is none of it', () => {
    const own = signed()
    const [input = ''] = own.fields('signature-input')
    const [signature = ''] = own.fields('signature')
    const labelled = (label: string): SignedMessage =>
      messageOf({
        'content-digest': contentDigest(body),
        'signature-input': `proxy=("@method");created=1, ${input.replace('sig1', label)}`,
        signature: `proxy=:AAAA:, ${signature.replace('sig1', label)}`,
      })
    expect(verdict(labelled('portcullis'))).toBe('right')
    expect(verdict(labelled('sig1'))).toMatch(/2 signatures and none of them labelled portcullis/)
  })

  it('G16: the signature of another key, and one with a flipped bit, are wrong', () => {
    expect(verdict(signed({ key: generateKeyPairSync('ed25519').privateKey }))).toBe('wrong')
    expect(verdict(signed({ key: createSecretKey(pair.export({ type: 'spki', format: 'der' })) }))).toBe('wrong')
  })

  it('G16: any change of a byte of what was signed is noticed', () => {
    const names = [
      'method',
      'path',
      'query',
      'content-digest',
      'x-tenant-id',
      'signature-input',
      'signature',
      'body',
    ] as const
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), fc.integer({ min: 1, max: 127 }), (name, at, flip) => {
        const right = signed({
          covered: '"@method" "@path" "@query" "content-digest" "x-tenant-id"',
          message: { query: '?a=1&b=%20' },
        })
        expect(verdict(right)).toBe('right')
        if (name === 'body') {
          const changed = Buffer.from(body)
          changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ flip
          return verdict(right, changed) !== 'right'
        }
        const value = name === 'method' || name === 'path' || name === 'query' ? right[name] : right.fields(name)[0]
        const changed = flipped(value ?? '', at, flip)
        const other =
          name === 'method' || name === 'path' || name === 'query'
            ? { ...right, [name]: changed }
            : { ...right, fields: (asked: string) => (asked === name ? [changed] : right.fields(asked)) }
        // Space around a field is not part of it, and the label is a name and no more.
        if (changed.trim() === value || claimIsTheSame(other, right)) return true
        return verdict(other) !== 'right'
      }),
      { numRuns: 500 },
    )
  })
})

function flipped(text: string, at: number, flip: number): string {
  const bytes = Buffer.from(text)
  bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip
  return bytes.toString('latin1')
}

/** The same bytes to verify: nothing that matters was changed. */
function claimIsTheSame(one: SignedMessage, other: SignedMessage): boolean {
  const [a, b] = [claimOf(one, nowMs), claimOf(other, nowMs)]
  if (typeof a === 'string' || typeof b === 'string') return false
  return (
    a.base === b.base &&
    Buffer.from(a.bytes).equals(b.bytes) &&
    one.fields('content-digest')[0] === other.fields('content-digest')[0]
  )
}
