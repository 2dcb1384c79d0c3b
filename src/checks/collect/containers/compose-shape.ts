import type { MapValue, Value } from '../values/value.ts'

/** Of the names that docker compose takes without being told, or that people give on purpose. */
export const composePath =
  /(?:^|\/)(?:docker-)?compose(?:[._-][^/]*)?\.ya?ml$|(?:^|\/)[^/]+[._-](?:docker-)?compose\.ya?ml$/i

const topLevel = new Set([
  'version',
  'name',
  'services',
  'networks',
  'volumes',
  'configs',
  'secrets',
  'include',
  'models',
])
// Of files of other tools that have services too: Lando, the Azure Developer CLI.
const foreign = ['type', 'host', 'project', 'language']

/** By its text alone, whether a file of any name may be one of docker compose: only then it is parsed. */
export function mayBeCompose(text: string): boolean {
  return /^(?:services|"services"|'services')[ \t]*:/m.test(text) || (/^\s*\{/.test(text) && text.includes('services'))
}

/** A file of any name is one of docker compose where its top level has nothing else, and a service has an image or a build. */
export function isComposeByShape(root: MapValue): boolean {
  const services = servicesOf(root)
  return services.some(runsSomething) && !services.some((service) => isForeign(service))
}

/** It changes services of a compose file of its folder, and says nothing else: `docker compose -f compose.yaml -f prod.yaml`. */
export function changesServicesOf(root: MapValue, base: MapValue): boolean {
  const names = root.map('services')?.entries.map(({ key }) => key.text) ?? []
  const services = servicesOf(root)
  const known = new Set(base.map('services')?.entries.map(({ key }) => key.text))
  return (
    services.length > 0 && names.every((name) => known.has(name)) && !services.some((service) => isForeign(service))
  )
}

/** Where such a file does not parse: nothing stands at its left edge that another tool would have there. */
export function hasComposeEdge(text: string): boolean {
  for (const [, key = ''] of text.matchAll(/^["']?([A-Za-z_][\w.-]{0,100})["']?[ \t]*:/gm))
    if (!isTopLevel(key)) return false
  return !/\{[{%]/.test(text) && /^\s+(?:image|build)[ \t]*:/m.test(text)
}

function servicesOf(root: MapValue): readonly Value[] {
  if (!root.entries.every(({ key }) => isTopLevel(key.text))) return []
  return root.map('services')?.entries.map(({ value }) => value) ?? []
}

function isTopLevel(key: string): boolean {
  return topLevel.has(key) || key.startsWith('x-')
}

function runsSomething(service: Value): boolean {
  if (service.kind !== 'map') return false
  const build = service.get('build')
  return service.text('image') !== undefined || build?.kind === 'map' || service.text('build') !== undefined
}

function isForeign(service: Value): boolean {
  return service.kind === 'map' && foreign.some((key) => service.entry(key) !== undefined)
}
