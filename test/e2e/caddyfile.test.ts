import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Directive, Site } from '../../src/checks/collect/caddy/structure.ts'
import { structureOf } from '../../src/checks/collect/caddy/structure.ts'
import { SourceFile } from '../../src/checks/collect/source-file.ts'

const run = promisify(execFile)
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-caddy-'))
})
afterAll(async () => rm(folder, { recursive: true }))

const hsts = 'header Strict-Transport-Security "max-age=63072000; includeSubDomains"'

// Every `respond` stands alone or in a `route`: elsewhere Caddy puts them in an order of its own.
const accepted: Readonly<Record<string, string>> = {
  'one site without braces': `a.test\n${hsts}\nrespond 404\n`,
  'several addresses on lines of their own': `a.test,\nb.test, c.test:8443 {\n\t${hsts}\n}\n`,
  'a snippet and an import': `(sec) {\n\t${hsts}\n}\na.test {\n\timport sec\n\trespond 404\n}\nb.test {\n\timport sec\n}\n`,
  'an import with arguments':
    '(say) {\n\theader {args.0} {args.1}\n}\na.test {\n\timport say X-One "a b"\n\timport say X-Two c\n}\n',
  'a snippet of one line twice': '(one) {\n\theader +X-One 1\n}\na.test {\n\timport one\n\timport one\n}\n',
  'global options': '{\n\tadmin off\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\na.test {\n\trespond 404\n}\n',
  'quotes over lines and escaped quotes': 'a.test {\n\trespond "say \\"hi\\"\nand go" 200\n}\n',
  'a backslash in quotes': 'a.test {\n\trespond "C:\\dir" 200\n}\n',
  backticks: 'a.test {\n\trespond `{"a": "b \\" c"}` 200\n}\n',
  'a line that goes on': 'a.test \\\n{\n\trespond \\\n\t\thello 201\n}\n',
  'comments, and a hash within a word':
    '# first\na.test { # behind\n\t# own line\n\trespond /a#b 204\n\theader X a#b # c\n}\n',
  CRLF: `a.test {\r\n\t${hsts}\r\n\trespond "x" 403\r\n}\r\n`,
  'a byte-order mark': `\uFEFFa.test {\n\trespond 404\n}\n`,
  'a variable with a default': '{$PORTCULLIS_NO_SITE:a.test} {\n\trespond {$PORTCULLIS_NO_STATUS:404}\n}\n',
  'matchers and nested blocks':
    'a.test {\n\t@grpc {\n\t\tprotocol grpc\n\t\theader Content-Type application/grpc*\n\t}\n\thandle @grpc {\n\t\treverse_proxy h2c://127.0.0.1:50051 {\n\t\t\tflush_interval -1\n\t\t}\n\t}\n\thandle {\n\t\trespond 404\n\t}\n}\n',
  'the order within a route':
    'a.test {\n\troute {\n\t\trespond /a first 201\n\t\trespond /b second 202\n\t\troute /c {\n\t\t\trespond third 203\n\t\t}\n\t\trespond last 404\n\t}\n}\n',
  'TLS settings': 'a.test {\n\ttls {\n\t\tprotocols tls1.3\n\t}\n}\nb.test {\n\ttls internal\n}\n',
  'header block with prefixes': `a.test {\n\theader {\n\t\tStrict-Transport-Security "max-age=1"\n\t\tX-Frame-Options DENY\n\t}\n}\n`,
  'schemes and ports': 'http://a.test, https://b.test:9443 {\n\trespond 404\n}\n',
}

const refused: Readonly<Record<string, string>> = {
  'a block that is never closed': 'a.test {\n\trespond 404\n',
  'a closing brace too many': 'a.test {\n\trespond 404\n}\n}\n',
  'something behind an opening brace': 'a.test {\n\theader { X y\n\t}\n}\n',
  'an address that ends in a brace': 'a.test{\n\trespond 404\n}\n',
  'a comma and no address': 'a.test, {\n\trespond 404\n}\n',
  'a snippet twice': '(a) {\n\trespond 404\n}\n(a) {\n\trespond 403\n}\na.test {\n\timport a\n}\n',
  'a matcher beside sites': '@grpc {\n\tprotocol grpc\n}\n',
  'global options that do not come first': 'a.test {\n\trespond 404\n}\n{\n\tadmin off\n}\n',
  'a snippet that imports itself': '(a) {\n\timport a\n}\na.test {\n\timport a\n}\n',
}

describe('the Caddyfile reader beside caddy adapt', () => {
  it.each(Object.entries(accepted))('V10: reads as Caddy does: %s', async (_, text) => {
    const ours = structureOf(new SourceFile('Caddyfile', text), () => [])
    expect(ours.sites.flatMap(factsOf).toSorted(byHost)).toEqual((await adapted(text)).toSorted(byHost))
  })

  it.each(Object.entries(refused))('V10: refuses what Caddy refuses: %s', async (_, text) => {
    expect(() => structureOf(new SourceFile('Caddyfile', text), () => [])).toThrow()
    await expect(adapted(text)).rejects.toThrow()
  })
})

interface HostFacts {
  readonly host: string
  readonly headers: readonly string[]
  readonly responses: readonly string[]
  readonly upstreams: readonly string[]
  readonly tlsMinimum: string
}

function byHost(a: HostFacts, b: HostFacts): number {
  return a.host < b.host ? -1 : 1
}

function factsOf({ addresses, directives }: Site): readonly HostFacts[] {
  const all = directives.flatMap(flat)
  const headers = all.flatMap(({ name, args, block }) => {
    if (name.text !== 'header') return []
    const pairs = block === undefined ? [args] : block.map((each) => [each.name, ...each.args])
    return pairs.map(([field, value]) => `${field?.text.replace('+', '')}: ${value?.text}`)
  })
  const responses = all.flatMap(({ name, args }) => {
    if (name.text !== 'respond') return []
    const words = args.map(({ text }) => text).filter((text) => !text.startsWith('/'))
    const [first = '', second = ''] = words
    return [words.length === 1 ? `${first} ` : `${second} ${first}`]
  })
  const upstreams = all.flatMap(({ name, args }) =>
    name.text === 'reverse_proxy'
      ? args.filter(({ text }) => !text.startsWith('@')).map(({ text }) => text.replace('h2c://', ''))
      : [],
  )
  const tls = directives.find(({ name }) => name.text === 'tls')?.block?.find(({ name }) => name.text === 'protocols')
  const tlsMinimum = tls?.args[0]?.text ?? ''
  return addresses.map(({ text }) => ({
    host: text.replace(/^\w+:\/\//, '').replace(/:\d+$/, ''),
    headers,
    responses,
    upstreams,
    tlsMinimum,
  }))
}

function flat(directive: Directive): readonly Directive[] {
  return [directive, ...(/^(?:header$|@)/.test(directive.name.text) ? [] : (directive.block ?? []).flatMap(flat))]
}

interface Handler {
  readonly handler: string
  readonly routes?: readonly Route[]
  readonly response?: {
    readonly set?: Readonly<Record<string, readonly string[]>>
    readonly add?: Readonly<Record<string, readonly string[]>>
  }
  readonly status_code?: number | string
  readonly body?: string
  readonly upstreams?: readonly { readonly dial: string }[]
}

interface Route {
  readonly match?: readonly { readonly host?: readonly string[] }[]
  readonly handle?: readonly Handler[]
}

interface Server {
  readonly routes?: readonly Route[]
  readonly tls_connection_policies?: readonly {
    readonly match?: { readonly sni?: readonly string[] }
    readonly protocol_min?: string
  }[]
}

async function adapted(text: string): Promise<readonly HostFacts[]> {
  const path = join(folder, 'Caddyfile')
  await writeFile(path, text)
  const { stdout } = await run('caddy', ['adapt', '--adapter', 'caddyfile', '--config', path], { cwd: folder })
  const config = JSON.parse(stdout) as {
    readonly apps: { readonly http: { readonly servers: Readonly<Record<string, Server>> } }
  }
  return Object.values(config.apps.http.servers).flatMap(({ routes = [], tls_connection_policies: policies = [] }) =>
    routes.flatMap((route) =>
      (route.match?.[0]?.host ?? []).map((host) => {
        const handlers = (route.handle ?? []).flatMap(flatHandlers)
        const policy = policies.find(({ match }) => match?.sni?.includes(host) === true)
        return {
          host,
          headers: handlers.flatMap(({ response }) =>
            Object.entries({ ...response?.set, ...response?.add }).flatMap(([name, values]) =>
              values.map((value) => `${name}: ${value}`),
            ),
          ),
          responses: handlers.flatMap((each) =>
            each.handler === 'static_response' ? [`${each.status_code} ${each.body ?? ''}`] : [],
          ),
          upstreams: handlers.flatMap(({ upstreams = [] }) => upstreams.map(({ dial }) => dial)),
          tlsMinimum: policy?.protocol_min ?? '',
        }
      }),
    ),
  )
}

function flatHandlers(handler: Handler): readonly Handler[] {
  return [handler, ...(handler.routes ?? []).flatMap(({ handle = [] }) => handle.flatMap(flatHandlers))]
}
