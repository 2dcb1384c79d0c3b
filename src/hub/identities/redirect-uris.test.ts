import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redirectUrisProblem } from './redirect-uris.ts'

const problem = (uri: string): string => redirectUrisProblem([uri]) ?? 'none'

describe('redirect URIs that are taken', () => {
  it.each([
    'https://app.example/callback',
    'https://app.example/',
    'https://app.example:8443/cb?tenant=a',
    'https://xn--bcher-kva.example/cb',
    'http://127.0.0.1:33418/callback',
    'http://127.0.0.1/callback',
    'http://[::1]:8080/cb',
    'com.example.app:/oauth2redirect',
    'com.example.app://callback/x',
    'https://app.example/a%20b',
  ])('A5: %s', (uri) => {
    expect(problem(uri)).toBe('none')
  })
})

describe('redirect URIs that are refused', () => {
  it.each([
    ['', 'absolute'],
    ['/callback', 'absolute'],
    ['app.example/callback', 'absolute'],
    ['https://*.app.example/cb', 'wildcard'],
    ['https://app.example/*', 'wildcard'],
    ['https://app.example/cb#part', 'fragment'],
    ['https://app.example/cb#', 'fragment'],
    ['https://user@app.example/cb', 'user'],
    ['https://user:pass@app.example/cb', 'user'],
    ['https://@app.example/cb', 'user'],
    ['https://app.example@evil.example/', 'user'],
    ['http://app.example/cb', 'https'],
    ['http://localhost:8080/cb', 'https'],
    ['http://127.0.0.1.evil.example/cb', 'https'],
    ['http://127.1/cb', 'written as'],
    ['http://0x7f000001/cb', 'written as'],
    ['https://App.example/cb', 'written as'],
    ['HTTPS://app.example/cb', 'written as'],
    ['https://app.example:443/cb', 'written as'],
    ['https://app.example', 'written as'],
    ['https://app.example/a/../cb', 'written as'],
    ['https://app.example/./cb', 'written as'],
    ['https:/app.example/cb', 'written as'],
    ['https:app.example/cb', 'written as'],
    ['https:///app.example/cb', 'written as'],
    ['https://app.example./cb', 'dot at the end'],
    ['https://app.example/a%2Fcb', 'percent-encode'],
    ['https://app.example/a%2fcb', 'percent-encode'],
    ['https://app.example/%5ccb', 'percent-encode'],
    ['https://app.example/%2e%2e/cb', 'percent-encode'],
    ['https://app.example/%252fcb', 'percent-encode'],
    ['https://app.example/a%00', 'percent-encode'],
    ['https://app.example/a%zz', 'begins no'],
    ['https://app.example/a%', 'begins no'],
    ['https://app.example\\@evil.example/', 'ASCII'],
    ['https://app.example/cb ', 'ASCII'],
    [' https://app.example/cb', 'ASCII'],
    ['https://app.example/c b', 'ASCII'],
    ['https://app.example/c\nb', 'ASCII'],
    ['https://app.example/\0', 'ASCII'],
    ['https://bücher.example/', 'ASCII'],
    ['https://app.example/"><script>', 'ASCII'],
    ['javascript:alert(1)', 'scheme'],
    ['data:text/html,x', 'scheme'],
    ['myapp:/cb', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['ftp://app.example/', 'scheme'],
    ['Com.Example.App:/cb', 'written as'],
    ['com.example.app:cb', 'written as'],
    ['com.example.app:/a/../cb', '. or ..'],
    ['com.example.app://user@host/cb', 'user'],
    ['urn:ietf:wg:oauth:2.0:oob', 'scheme'],
    [`https://app.example/${'a'.repeat(2000)}`, '2000'],
  ])('A5: %j', (uri, why) => {
    expect(problem(uri)).toContain(why)
  })

  it('A5: twice the same, and more than twenty', () => {
    expect(redirectUrisProblem(['https://a.example/', 'https://a.example/'])).toBe('[1] is there twice')
    expect(redirectUrisProblem(Array.from({ length: 21 }, (_, at) => `https://a.example/${at}`))).toContain(
      'at most 20',
    )
  })
})

/** What an attacker, or a careless parser, takes for the same. */
const changes: readonly ((uri: string) => string)[] = [
  (uri) => uri.toUpperCase(),
  (uri) => uri.replace(/^[a-z]/, (one) => one.toUpperCase()),
  (uri) => uri.replace('.example', '.EXAMPLE'),
  (uri) => uri.replace('.example/', '.example:443/'),
  (uri) => uri.replace('.example/', '.example/x/../'),
  (uri) => uri.replace('.example/', '.example/./'),
  (uri) => uri.replace('.example/', '.example//..//'),
  (uri) => uri.replace('.example/', '.example\\'),
  (uri) => uri.replace('.example/', '.example%2f'),
  (uri) => uri.replace('//', '/'),
  (uri) => uri.replace('//', '///'),
  (uri) => uri.replace('//', '//@'),
  (uri) => `${uri}#`,
  (uri) => `${uri} `,
  (uri) => `\t${uri}`,
]

describe('an exact string', () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9._~-]{1,8}$/)
  const query = fc.option(fc.stringMatching(/^[a-z]{1,4}=[A-Za-z0-9]{0,4}$/), { nil: undefined })
  const uris = fc
    .tuple(fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/), fc.array(segment, { maxLength: 3 }), query)
    .map(([host, path, asked]) => `https://${host}.example/${path.join('/')}${asked === undefined ? '' : `?${asked}`}`)
    .filter((uri) => redirectUrisProblem([uri]) === undefined)

  it('A5: what is read as a registered URI is written as it: no other writing of one can be registered', () => {
    fc.assert(
      fc.property(uris, fc.constantFrom(...changes), (uri, change) => {
        const other = change(uri)
        if (other === uri) return
        const same = URL.parse(other)?.href.replace(/#$/, '') === uri
        // Either it is refused, or it is another URI for every parser.
        expect(redirectUrisProblem([other]) !== undefined || !same).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('A5: whatever is taken is its own normal form, without user, fragment or dots', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl({ withQueryParameters: true }), fc.string(), uris), (uri) => {
        if (redirectUrisProblem([uri]) !== undefined) return
        const url = new URL(uri)
        expect([url.href, url.username, url.hash]).toEqual([uri, '', ''])
        expect(uri).not.toMatch(/[*\s\\]/)
        // In its path: a query may hold such text, for every parser alike.
        expect(uri.split('?', 1)[0]).not.toMatch(/\/\.\.?(?:\/|$)/)
      }),
      { numRuns: 2000 },
    )
  })
})
