import type { Directive, Site } from '../../collect/caddy/structure.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { addressesOf, holders, matcherOf, statusOf, valuesOf } from '../caddy-site.ts'
import { matchersOf, type Matchers } from './matchers.ts'

/** What a request has to be to get to a place: gRPC, anything but gRPC, something else, or anything. */
type Guard = 'grpc' | 'path' | 'not-grpc' | 'other' | 'none'

interface Answer {
  readonly directive: Directive
  readonly guard: Guard
  readonly grpc: boolean
  /** How it stands beside others: those of one list are put in Caddy's own order, except in a `route`. */
  readonly list: readonly Directive[]
  readonly ordered: boolean
}

const answering = new Set([
  'reverse_proxy',
  'php_fastcgi',
  'file_server',
  'respond',
  'error',
  'abort',
  'redir',
  'metrics',
  'acme_server',
])

/** On a host that serves gRPC: nothing but gRPC is passed on, and the rest is 404. */
export function grpcEvidence(site: Site, options: readonly Directive[]): readonly Evidence[] {
  const answers: Answer[] = []
  const named = addressesOf(site).some(({ host }) => /(?:^|[.-])grpc(?:[.-]|$)/.test(host))
  collect(site.directives, { matchers: [], guard: 'none', named, ordered: false }, answers)
  const proxies = answers.filter(
    ({ directive, grpc, guard }) => directive.name.text === 'reverse_proxy' && (grpc || guard === 'grpc'),
  )
  if (proxies.length === 0) return []
  const refusesOthers = answers.some(({ directive, guard }) => guard === 'not-grpc' && isNotFound(directive))
  const open = refusesOthers ? [] : proxies.flatMap(unguarded)
  const rest = refusesOthers ? [] : elsewhere(site, answers)
  const shadowed = options.some(({ name }) => name.text === 'order') ? [] : shadows(proxies, answers)
  return [...open, ...rest, ...shadowed]
}

interface Place {
  /** The nearest first. */
  readonly matchers: readonly Matchers[]
  readonly guard: Guard
  readonly named: boolean
  readonly ordered: boolean
}

function collect(list: readonly Directive[], place: Place, answers: Answer[]): void {
  const own = matchersOf(list)
  const matchers = own.size === 0 ? place.matchers : [own, ...place.matchers]
  for (const directive of list) {
    const { name, block } = directive
    const guard = narrowed(place.guard, matcherOf(directive), matchers)
    if (holders.has(name.text) && block !== undefined)
      collect(block, { ...place, matchers, guard, ordered: name.text === 'route' }, answers)
    else if (answering.has(name.text))
      answers.push({ directive, guard, grpc: place.named || speaksGrpc(directive), list, ordered: place.ordered })
  }
}

function narrowed(outer: Guard, matcher: string | undefined, matchers: readonly Matchers[]): Guard {
  if (outer === 'grpc' || outer === 'not-grpc' || matcher === undefined) return outer
  if (matcher.startsWith('@')) return matchers.find((each) => each.has(matcher))?.get(matcher) ?? 'other'
  return grpcPath.test(matcher) ? 'path' : 'other'
}

const grpcPath = /^\/(?:[\w*]+\.)+[\w*]+(?:\/|$)/

function speaksGrpc(directive: Directive): boolean {
  if (directive.name.text !== 'reverse_proxy') return false
  const block = directive.block ?? []
  const to = block.flatMap(({ name, args }) => (name.text === 'to' ? args : []))
  const upstreams = [...valuesOf(directive), ...to]
  if (
    upstreams.some(
      ({ text }) => text.startsWith('h2c://') || text.endsWith(':50051') || /(?:^|[/.-])grpc(?:[.:-]|$)/.test(text),
    )
  )
    return true
  const transport = block.find(({ name }) => name.text === 'transport')?.block ?? []
  const versions = transport.find(({ name }) => name.text === 'versions')?.args ?? []
  return versions.length > 0 && versions.every(({ text }) => text === 'h2c' || text === '2')
}

function unguarded({ directive, guard }: Answer): readonly Evidence[] {
  if (guard === 'grpc') return []
  const subject = `open ${[directive.name, ...directive.args].map(({ text }) => text).join(' ')}`
  if (guard === 'path')
    return [doubtful(directive, 'Only the path tells gRPC from the rest here.', { confidence: 'medium', subject })]
  return [failing(directive, 'This passes on whatever comes, not gRPC alone: no matcher asks for it.', { subject })]
}

// A request that nothing answers gets an empty 200.
function elsewhere({ addresses }: Site, answers: readonly Answer[]): readonly Evidence[] {
  const open = answers.filter(({ guard }) => guard === 'none')
  const last = open.filter(({ directive, grpc }) => !(grpc && directive.name.text === 'reverse_proxy'))
  if (last.some(({ directive }) => isNotFound(directive))) return []
  const [other] = last
  const [address] = addresses
  const subject = 'no 404'
  if (other === undefined)
    return address === undefined
      ? []
      : [
          failing(address, 'What is not gRPC is not answered with 404 here.', {
            subject: `${subject} at ${address.text}`,
          }),
        ]
  const detail = 'What is not gRPC is answered here, and not with 404.'
  const spot = other.directive
  if (spot.name.text === 'abort' || /^4\d\d$/.test(refusal(spot) ?? ''))
    return [doubtful(spot, detail, { confidence: 'medium', subject })]
  return [failing(spot, detail, { confidence: 'medium', subject: `${subject}: ${spot.name.text}` })]
}

function refusal(directive: Directive): string | undefined {
  const { text } = directive.name
  return text === 'respond' || text === 'error' ? statusOf(directive) : undefined
}

function isNotFound(directive: Directive): boolean {
  return refusal(directive) === '404'
}

function shadows(proxies: readonly Answer[], answers: readonly Answer[]): readonly Evidence[] {
  const beside = Map.groupBy(answers, ({ list }) => list)
  return [...Map.groupBy(proxies, ({ list }) => list)].flatMap(([list, [first]]) =>
    first === undefined ? [] : shadow(first, beside.get(list) ?? []),
  )
}

// Caddy puts `respond` and `error` in front of `reverse_proxy`, wherever they stand.
function shadow(proxy: Answer, beside: readonly Answer[]): readonly Evidence[] {
  const candidates = proxy.ordered ? beside.slice(0, beside.indexOf(proxy)) : beside
  const before = candidates.find(
    ({ directive }) => matcherOf(directive) === undefined && refusal(directive) !== undefined,
  )
  if (before === undefined) return []
  const detail = 'This answers every request before the proxy gets one: put each into a `handle` of its own.'
  return [doubtful(before.directive, detail, { confidence: 'high', subject: 'shadows the proxy' })]
}
