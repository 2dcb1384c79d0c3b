import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const caddyfile = (text: string): Record<string, string> => ({ Caddyfile: text })
const handled =
  '\t@grpc protocol grpc\n\thandle @grpc {\n\t\treverse_proxy h2c://127.0.0.1:50051\n\t}\n\thandle {\n\t\trespond 404\n\t}\n'
const site = (text: string): Record<string, string> => caddyfile(`grpc.example.test {\n${text}}\n`)

describe('R18', () => {
  it.each([
    ['the whole of it', site(`\ttls {\n\t\tprotocols tls1.2 tls1.3\n\t\talpn h2 http/1.1\n\t}\n${handled}`)],
    ['the defaults of Caddy', site(handled)],
    ['CRLF', caddyfile(`grpc.example.test {\n${handled}}\n`.replaceAll('\n', '\r\n'))],
    [
      'a matcher by content type, in a route',
      site(
        '\t@grpc {\n\t\theader Content-Type application/grpc*\n\t}\n\troute {\n\t\treverse_proxy @grpc h2c://app:50051\n\t\trespond 404\n\t}\n',
      ),
    ],
    [
      'everything else refused first',
      site('\t@other not protocol grpc\n\trespond @other 404\n\treverse_proxy h2c://app:50051\n'),
    ],
    [
      'snippets',
      caddyfile(
        `(rest) {\n\thandle {\n\t\trespond 404\n\t}\n}\ngrpc.example.test {\n\t@grpc protocol grpc\n\thandle @grpc {\n\t\treverse_proxy h2c://a:1\n\t}\n\timport rest\n}\n`,
      ),
    ],
    ['a site that is no gRPC', caddyfile('www.example.test {\n\treverse_proxy app:8080\n}\n')],
    ['redirects to HTTPS', caddyfile('http://www.example.test {\n\tredir https://www.example.test{uri}\n}\n')],
    ['this machine only', caddyfile('http://localhost:8080 {\n\tfile_server\n}\n')],
  ])('R18: holds (%s)', async (_, files) => {
    expect(places(await judged('R18', files))).toEqual([])
  })

  it.each([
    ['old TLS', `\ttls {\n\t\tprotocols tls1.0 tls1.3\n\t}\n${handled}`, ['Caddyfile:3:13 FAIL']],
    ['no HTTP/2 for clients', `\ttls {\n\t\talpn http/1.1\n\t}\n${handled}`, ['Caddyfile:3:3 FAIL']],
    ['no such protocol', `\ttls {\n\t\tprotocols tls2\n\t}\n${handled}`, ['Caddyfile:3:13 ERROR']],
    ['no matcher', '\treverse_proxy h2c://a:50051\n', ['Caddyfile:2:2 FAIL', 'Caddyfile:1:1 FAIL']],
    ['no 404', '\t@grpc protocol grpc\n\treverse_proxy @grpc h2c://a:50051\n', ['Caddyfile:1:1 FAIL']],
    [
      'something else for the rest',
      '\t@grpc protocol grpc\n\thandle @grpc {\n\t\treverse_proxy h2c://a:50051\n\t}\n\thandle {\n\t\tfile_server\n\t}\n',
      ['Caddyfile:7:3 FAIL'],
    ],
    [
      'a matcher that lets others in',
      '\t@grpc header Content-Type application/*\n\thandle @grpc {\n\t\treverse_proxy h2c://a:50051\n\t}\n\trespond 404\n',
      ['Caddyfile:4:3 FAIL'],
    ],
    [
      'a path alone',
      '\treverse_proxy /acme.v1.Hub/* h2c://a:50051\n\thandle {\n\t\terror 404\n\t}\n',
      ['Caddyfile:2:2 WARN'],
    ],
    [
      'a 404 that Caddy puts first',
      '\t@grpc protocol grpc\n\treverse_proxy @grpc h2c://a:50051\n\trespond 404\n',
      ['Caddyfile:4:2 WARN'],
    ],
    [
      'transport by name',
      '\treverse_proxy a:9000 {\n\t\ttransport http {\n\t\t\tversions h2c 2\n\t\t}\n\t}\n\thandle {\n\t\trespond 404\n\t}\n',
      ['Caddyfile:2:2 FAIL'],
    ],
  ])('R18: is broken, or worth a look (%s)', async (_, text, found) => {
    expect(places(await judged('R18', site(text)))).toEqual(found)
  })

  it('R18: global options and plain HTTP', async () => {
    expect(places(await judged('R18', caddyfile('{\n\tservers {\n\t\tprotocols h1 h3\n\t}\n}\n')))).toEqual([
      'Caddyfile:3:3 FAIL',
    ])
    expect(places(await judged('R18', caddyfile('http://www.example.test {\n\tfile_server\n}\n')))).toEqual([
      'Caddyfile:1:1 FAIL',
    ])
    expect(places(await judged('R18', caddyfile(':80 {\n\tfile_server\n}\n')))).toEqual(['Caddyfile:1:1 WARN'])
  })

  it('R18: an import is followed, or said to be unseen', async () => {
    const files = {
      Caddyfile: 'import sites/*.caddy\n',
      'sites/a.caddy': 'grpc.example.test {\n\treverse_proxy h2c://a:1\n}\n',
    }
    expect(places(await judged('R18', files))).toEqual(['sites/a.caddy:2:2 FAIL', 'sites/a.caddy:1:1 FAIL'])
    expect(places(await judged('R18', caddyfile('import /etc/caddy/sites/*\n')))).toEqual(['Caddyfile:1:8 UNKNOWN'])
  })

  it('R18: what the environment brings in is said, and the rest is judged', async () => {
    const files = caddyfile(`{$EXTRA}\n\n{$NAME:grpc.example.test} {\n\t{$MORE}\n\treverse_proxy /* h2c://a:1\n}\n`)
    expect(places(await judged('R18', files))).toEqual([
      'Caddyfile:5:2 FAIL',
      'Caddyfile:3:1 FAIL',
      'Caddyfile:1:1 WARN',
    ])
  })

  it('R18: what cannot be read is said', async () => {
    expect(places(await judged('R18', caddyfile('a.test {\n\trespond 404\n')))).toEqual(['Caddyfile:2:13 ERROR'])
    expect(places(await judged('R18', caddyfile(`a.test {\n${'\tx {\n'.repeat(200)}`)))).toHaveLength(1)
    expect((await judged('R18', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
    const nginx = await judged('R18', { 'nginx.conf': 'server {}' })
    expect([nginx.outcome, nginx.evidence[0]?.detail]).toEqual([
      'NOT_APPLICABLE',
      expect.stringContaining('nginx.conf'),
    ])
  })
})
