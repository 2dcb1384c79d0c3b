import { judgeEach, repoCheck } from '../../check.ts'
import type { CaddyStructure, Directive, Site } from '../../collect/caddy/structure.ts'
import { caddyfiles } from '../../collect/caddy/caddyfiles.ts'
import { doubtful, failing, unjudged, type Evidence } from '../../evidence.ts'
import { addressesOf, onlyRedirects } from '../caddy-site.ts'
import { grpcEvidence } from './grpc-only.ts'

export const r18 = repoCheck({
  id: 'R18',
  title: 'The Caddyfile keeps TLS at 1.2 or later and HTTP/2, matches gRPC and answers 404 to the rest',
  needs: { caddyfiles },
  judge: ({ caddyfiles: { caddyfiles: files, others } }) => judgeEach(files, absentCaddyfile(others), judge),
})

/** Why there is nothing to judge. */
export function absentCaddyfile(others: readonly string[]): string {
  const [first] = others
  return first === undefined
    ? 'There is no Caddyfile.'
    : `There is no Caddyfile; ${first} is of a proxy that is not judged.`
}

/** What a Caddyfile imports from elsewhere. */
export function unseenImports({ unseen, variables }: CaddyStructure): readonly Evidence[] {
  const [first] = variables
  return [
    ...unseen.map((spot) => unjudged('UNKNOWN', spot, 'What this imports is not here, and could not be looked at.')),
    ...(first === undefined
      ? []
      : [doubtful(first, 'What the environment brings in here was not looked at.', { confidence: 'low' })]),
  ]
}

function judge(structure: CaddyStructure): readonly Evidence[] {
  const { options, sites } = structure
  return [
    ...serverProtocols(options),
    ...sites.flatMap((site) => [...plainHttp(site), ...tlsSettings(site.directives), ...grpcEvidence(site, options)]),
    ...unseenImports(structure),
  ]
}

const tlsMinimums = new Set(['tls1.2', 'tls1.3'])

function tlsSettings(directives: readonly Directive[]): readonly Evidence[] {
  return directives
    .filter(({ name }) => name.text === 'tls')
    .flatMap(({ block = [] }) => block.flatMap((each) => [...minimum(each), ...withoutHttp2(each)]))
}

function minimum({ name, args }: Directive): readonly Evidence[] {
  const [lowest] = args
  if (name.text !== 'protocols' || lowest === undefined || tlsMinimums.has(lowest.text)) return []
  if (/^(?:ssl|tls1(?:\.[01])?$)/i.test(lowest.text))
    return [failing(lowest, `${lowest.text} is let in: 1.2 is the least.`)]
  if (lowest.text.includes('{'))
    return [doubtful(lowest, 'A variable decides which TLS is let in.', { confidence: 'low' })]
  return [unjudged('ERROR', lowest, `Caddy knows no protocol "${lowest.text}".`)]
}

function withoutHttp2({ name, args }: Directive): readonly Evidence[] {
  if (name.text !== 'alpn' || args.length === 0 || args.some(({ text }) => text === 'h2')) return []
  return [failing(name, 'Clients are not offered HTTP/2: h2 is missing.', { subject: `alpn ${textsOf(args)}` })]
}

function serverProtocols(options: readonly Directive[]): readonly Evidence[] {
  return options
    .filter(({ name }) => name.text === 'servers')
    .flatMap(({ block = [] }) => block.filter(({ name }) => name.text === 'protocols'))
    .flatMap(({ name, args }) =>
      args.length === 0 || args.some(({ text }) => text === 'h2')
        ? []
        : [failing(name, 'The servers do not speak HTTP/2: h2 is missing.', { subject: `protocols ${textsOf(args)}` })],
    )
}

function textsOf(words: Directive['args']): string {
  return words.map(({ text }) => text).join(' ')
}

function plainHttp(site: Site): readonly Evidence[] {
  if (onlyRedirects(site)) return []
  return addressesOf(site).flatMap(({ word, plain, local, host, port, dynamic }) => {
    if (!plain || local) return []
    const detail = 'This is served without TLS.'
    if (host === '' || dynamic)
      return [
        doubtful(word, `${detail} Something in front of it would have to bring that.`, {
          confidence: 'medium',
          subject: `plain ${word.text}`,
        }),
      ]
    return [failing(word, detail, { subject: `plain ${host}:${port}` })]
  })
}
