import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redirectAllowed } from './client.ts'

const registered = 'https://app.example/callback?tenant=a'
const web = { redirectUris: [registered, 'https://other.example/'], authMethod: 'client_secret_basic' } as const
const program = { redirectUris: ['http://127.0.0.1/callback'], authMethod: 'none' } as const

describe('redirect URIs are exact strings', () => {
  it('A5: a change of any character, and one more or one less, is another URI', () => {
    fc.assert(
      fc.property(fc.nat(registered.length), fc.string({ maxLength: 3 }), fc.nat(3), (at, put, cut) => {
        const other = registered.slice(0, at) + put + registered.slice(at + cut)
        expect(redirectAllowed(web, other)).toBe(other === registered)
      }),
      { numRuns: 3000 },
    )
  })

  it('A5: whatever is no registered text is refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl({ withFragments: true, withQueryParameters: true }), fc.string()), (uri) => {
        expect(redirectAllowed(web, uri)).toBe(web.redirectUris.some((one) => one === uri))
      }),
      { numRuns: 1000 },
    )
  })

  it('A5: a program on a person’s machine chooses its port and nothing else', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65_535 }),
        fc.nat(30),
        fc.string({ minLength: 1, maxLength: 2 }),
        (port, at, put) => {
          const uri = `http://127.0.0.1:${port}/callback`
          expect(redirectAllowed(program, uri)).toBe(true)
          const other = uri.slice(0, at) + put + uri.slice(at)
          const stillPort = /^http:\/\/127\.0\.0\.1:[1-9]\d*\/callback$/.test(other)
          if (!stillPort) expect([other, redirectAllowed(program, other)]).toEqual([other, false])
        },
      ),
      { numRuns: 3000 },
    )
  })
})
