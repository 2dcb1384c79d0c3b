import type { Directive, Word } from '../../collect/caddy/structure.ts'

/** What the named matchers of a site ask for, by their name with `@`. */
export type Matchers = ReadonlyMap<string, 'grpc' | 'not-grpc' | 'path' | 'other'>

export function matchersOf(directives: readonly Directive[]): Matchers {
  const found = new Map<string, 'grpc' | 'not-grpc' | 'path' | 'other'>()
  for (const { name, args, block } of directives) {
    if (!name.text.startsWith('@')) continue
    const conditions = [...(args.length > 0 ? [args] : []), ...(block ?? []).flatMap(conditionsOf)]
    const kinds = conditions.map(kindOf)
    // All conditions have to hold: one that asks for gRPC is enough.
    const kind = (['grpc', 'not-grpc', 'path'] as const).find((each) => kinds.includes(each))
    found.set(name.text, kind === 'not-grpc' && kinds.length > 1 ? 'other' : (kind ?? 'other'))
  }
  return found
}

// `not { protocol grpc }` is `not protocol grpc`.
function conditionsOf({ name, args, block }: Directive): readonly (readonly Word[])[] {
  if (name.text === 'not' && block !== undefined && block.length === 1) {
    const [inner] = block
    return inner === undefined ? [] : [[name, inner.name, ...inner.args]]
  }
  return [[name, ...args]]
}

function kindOf([type, ...rest]: readonly Word[]): 'grpc' | 'not-grpc' | 'path' | 'other' {
  if (type?.text === 'not') return kindOf(rest) === 'grpc' ? 'not-grpc' : 'other'
  const texts = rest.map(({ text }) => text)
  const [first = ''] = texts
  switch (type?.text) {
    case 'protocol':
      return first === 'grpc' ? 'grpc' : 'other'
    case 'header':
      return /^content-type$/i.test(first) &&
        texts.slice(1).every((text) => /^application\/grpc/i.test(text)) &&
        texts.length > 1
        ? 'grpc'
        : 'other'
    case 'header_regexp':
      return texts.some((text) => /^content-type$/i.test(text)) &&
        texts.some((text) => /application\\?\/grpc/i.test(text))
        ? 'grpc'
        : 'other'
    case 'expression':
      return expression(texts.join(' '))
    case 'path':
      return texts.every((text) => /^\/(?:[\w*]+\.)+[\w*]+(?:\/|$)/.test(text)) ? 'path' : 'other'
    case undefined:
    default:
      // A matcher that is only an expression in quotes or backticks.
      return type?.quoted === true ? expression(type.text) : 'other'
  }
}

// Anything but a plain comparison could mean the opposite.
function expression(text: string): 'grpc' | 'other' {
  return /application\/grpc|protocol\(['"]grpc['"]\)/.test(text) && !/!|\|\|/.test(text) ? 'grpc' : 'other'
}
