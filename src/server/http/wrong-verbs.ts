import type { FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether what a path has for the parameter of its route names something that is there; without it, any text does. */
    names?: (rest: string) => boolean
  }
}

interface Parametric {
  readonly pattern: RegExp
  readonly verbs: readonly string[]
  readonly names: ((rest: string) => boolean) | undefined
}

/**
 * What `Allow` says (RFC 9110, section 15.5.6) of a request for a path of this listener that does not take its verb; undefined where nothing
 * is there. MUST be called before the routes are added.
 */
export function watchVerbs(
  app: FastifyInstance,
): (request: Pick<FastifyRequest, 'method' | 'raw'>) => string | undefined {
  const fixed = new Map<string, readonly string[]>()
  const parametric: Parametric[] = []
  app.addHook('onRoute', ({ url, method, config }) => {
    const verbs = [method].flat()
    if (/[:*]/.test(url)) parametric.push({ pattern: patternOf(url), verbs, names: config?.names })
    else fixed.set(url, [...(fixed.get(url) ?? []), ...verbs])
  })
  return ({ method, raw }) => {
    const path = decoded(raw.url?.split('?', 1)[0] ?? '')
    if (path === undefined) return undefined
    const more = parametric.flatMap(({ pattern, verbs: taken, names }) => {
      const [found, rest = ''] = pattern.exec(path) ?? []
      return found === undefined || names?.(rest) === false ? [] : taken
    })
    const verbs = new Set([...(fixed.get(path) ?? []), ...more])
    // Of one that it takes the handler has found that nothing is there.
    return verbs.size === 0 || verbs.has(method) ? undefined : [...verbs].toSorted().join(', ')
  }
}

/** As the router reads it. One that does not decode names nothing. */
function decoded(path: string): string | undefined {
  try {
    return decodeURI(path)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

/** Routes have parameters of a whole segment, up to `maxParamLength`, and a wildcard at the end. */
function patternOf(url: string): RegExp {
  const parts = url.split(/(:\w+|\*$)/).map((part) => {
    if (part.startsWith(':')) return '([^/]{0,200})'
    return part === '*' ? '(.*)' : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`, 's')
}
