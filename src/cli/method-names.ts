import { suggest } from '#config'
import { usage } from './errors.ts'

/**
 * The method that a person means by `StartRun`, `HubService/StartRun` or the full name. A name with its service is taken as it
 * is, known here or not: the server may be newer.
 */
export function resolveMethod(text: string, known: () => Promise<readonly string[]>): Promise<string> {
  const name = text.replace(/^\//, '')
  if (/^(?:[a-z][a-z0-9_]*\.)*[A-Za-z]\w*\/[A-Za-z]\w*$/.test(name)) return Promise.resolve(name)
  return resolveShort(name, known)
}

/** Advice for a method that the server does not know. */
export function suggestMethod(text: string, known: readonly string[]): string {
  const names = known.map(shortName)
  const wanted = shortName(text)
  const nearest =
    suggest(wanted, names) ??
    names.find((name) => afterSlash(name) === suggest(afterSlash(wanted), names.map(afterSlash)))
  return nearest === undefined ? `Methods: ${names.join(', ')}.` : `Did you mean ${nearest}?`
}

/** `HubService/StartRun` for `/portcullis.v1.HubService/StartRun`. */
export function shortName(path: string): string {
  return path.replace(/^\//, '').replace(/^portcullis\.v1\./, '')
}

async function resolveShort(name: string, known: () => Promise<readonly string[]>): Promise<string> {
  const names = (await known()).map(shortName)
  const found = names.filter((each) => afterSlash(each).toLowerCase() === name.toLowerCase())
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  if (only !== undefined)
    throw usage(`More than one service has a method ${name}.`, `Write one of ${found.join(', ')}.`)
  throw usage(`There is no method ${name}.`, suggestMethod(name, names))
}

function afterSlash(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
