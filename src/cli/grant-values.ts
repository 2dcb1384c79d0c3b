import { InvalidArgumentError } from 'commander'
import { parseCidr, scopes as knownScopes } from '#core'
import { usage } from './errors.ts'
import { nearest } from './nearest.ts'

// What a credential may do and from where: apart from the other values, which start without the core.

/** `a,b` and repeated options alike, each scope once. */
export function parseScopes(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...new Set([...earlier, ...text.split(',').map((scope) => scope.trim())])]
}

/** Throws a usage error for the first scope that does not exist. */
export async function checkScopes(given: readonly string[]): Promise<void> {
  const unknown = given.find((scope) => !knownScopes.has(scope))
  if (unknown === undefined) return
  const meant = await nearest(unknown, knownScopes.keys())
  const all = `Scopes: ${[...knownScopes.keys()].join(', ')}.`
  throw usage(`There is no scope "${unknown}".`, meant === undefined ? all : `Did you mean ${meant}? ${all}`)
}

export function parseNetwork(text: string, earlier: readonly string[] = []): readonly string[] {
  try {
    parseCidr(text)
  } catch (cause) {
    throw new InvalidArgumentError(cause instanceof Error ? cause.message : String(cause))
  }
  return [...earlier, text]
}
