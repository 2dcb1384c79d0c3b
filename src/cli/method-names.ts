import { usage } from './errors.ts'
import { nearest } from './nearest.ts'

/**
 * The method that a person means by `StartRun`, `HubService/StartRun` or the full name. A name with its service is taken as it
 * is, known here or not: the server may be newer.
 */
export async function resolveMethod(text: string, known: () => Promise<readonly string[]>): Promise<string> {
  const name = text.replace(/^\//, '')
  if (/^(?:[a-z][a-z0-9_]*\.)*[A-Za-z]\w*\/[A-Za-z]\w*$/.test(name)) return name
  const names = (await known()).map(shortName)
  const found = names.filter((each) => afterSlash(each).toLowerCase() === name.toLowerCase())
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  if (only !== undefined)
    throw usage(`More than one service has a method ${name}.`, `Write one of ${found.join(', ')}.`)
  throw usage(`There is no method ${name}.`, await suggestMethod(name, names))
}

/** Advice for a method that does not exist. */
export async function suggestMethod(text: string, known: readonly string[]): Promise<string> {
  const names = known.map(shortName)
  const wanted = shortName(text)
  const last = await nearest(afterSlash(wanted), names.map(afterSlash))
  const found = (await nearest(wanted, names)) ?? names.find((name) => afterSlash(name) === last)
  return found === undefined ? `Methods: ${names.join(', ')}.` : `Did you mean ${found}?`
}

/** `HubService/StartRun` for `/portcullis.v1.HubService/StartRun`. */
export function shortName(path: string): string {
  return path.replace(/^\//, '').replace(/^portcullis\.v1\./, '')
}

function afterSlash(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
