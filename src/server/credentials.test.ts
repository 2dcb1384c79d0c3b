import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { credentialsOf, peerAddress, sentRequestId } from './credentials.ts'

const textsOf = (...args: Parameters<typeof credentialsOf>) =>
  credentialsOf(...args).map(({ kind, text }) => (kind === 'query' ? 'query' : text.reveal()))

describe('credentials of a request', () => {
  it.each([
    [['Bearer abc'], ['abc']],
    [['bearer   abc'], ['abc']],
    [['BEARER abc'], ['abc']],
    [['Bearer'], ['']],
    [['Bearer a b'], ['']],
    [['Basic YTpi'], ['']],
    [
      ['Bearer a', 'Bearer a'],
      ['a', 'a'],
    ],
    [[''], ['']],
  ])('G3: the authorization fields %j present %j', (sent, presented) => {
    expect(textsOf(sent, [], undefined)).toEqual(presented)
  })

  it('G3: every field counts: whatever is sent is presented, never dropped', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (authorization, keys) => {
        expect(credentialsOf(authorization, keys, undefined)).toHaveLength(authorization.length + keys.length)
      }),
    )
  })

  it('G3: a credential in the query string counts, by its name alone', () => {
    expect(textsOf([], [], new URLSearchParams('access_token=x&a=1'))).toEqual(['query'])
    expect(textsOf(['Bearer a'], ['b'], new URLSearchParams('token='))).toEqual(['a', 'b', 'query'])
    expect(textsOf([], [], new URLSearchParams('pageToken=x'))).toEqual([])
  })

  it('S5: a presented credential prints as nothing', () => {
    expect(JSON.stringify(credentialsOf(['Bearer secret'], ['secret'], undefined))).not.toContain('secret')
  })
})

describe('request ids', () => {
  it('C3: are taken where they are fit to be shown and stored', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (sent) => {
        const id = sentRequestId(sent)
        expect(id === undefined || (id === sent && /^[A-Za-z0-9._-]{8,64}$/.test(id))).toBe(true)
      }),
    )
    expect(sentRequestId('0123456789abcdef')).toBe('0123456789abcdef')
    expect(sentRequestId(undefined)).toBeUndefined()
    expect(sentRequestId('good-one\n')).toBeUndefined()
  })
})

describe('peer addresses', () => {
  it('G7: the two forms of an IPv4 address are one', () => {
    expect(['::ffff:10.0.0.1', '10.0.0.1', '::ffff:abcd', '::1', undefined].map(peerAddress)).toEqual([
      '10.0.0.1',
      '10.0.0.1',
      '::ffff:abcd',
      '::1',
      'unknown',
    ])
  })
})
