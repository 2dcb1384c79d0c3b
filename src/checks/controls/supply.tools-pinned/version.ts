/** What a version says about the next run: the same again, one of a line that its makers keep compatible, one of
 * several such lines, or anything. */
export type Precision = 'exact' | 'line' | 'lines' | 'floating' | 'unclear'

// A whole version, a commit, a digest, a build of one day.
const exact =
  /^(?:[\w.-]*[-@/])?[v=]?=?\d+\.\d+\.\d+(?:\.\d+)*(?:[-+_.][0-9A-Za-z.+_-]+)?$|^(?:.*[-@:])?[0-9a-f]{40}(?:[0-9a-f]{24})?$|^[\w.-]*\d{4}-?\d{2}-?\d{2}[\w.-]*$/
const charactersMax = 200
// Which of them changes now and then by itself.
const moving =
  /^(?:latest.*|newest|lts(?:\/\*|\/-\d+)?|current|node|stable|oldstable|nightly|edge|main|master|head|system|\*|x)$/i

/** Of the version of a tool. */
export function toolPrecision(version: string): Precision {
  const text = version.trim()
  if (text.includes('${{') || text.includes('$')) return 'unclear'
  return text.length <= charactersMax && exact.test(text) ? 'exact' : 'floating'
}

/**
 * Of the version of a language. A release line, such as `20`, `3.12` or `8.0.x`, is what tests are run against, and its makers keep it
 * compatible: that is held to be good enough. `3.x` moves from line to line, and is a hint. What may become anything is not: `latest`, `lts/*`, `^20`, `>=1.22`.
 */
export function runtimePrecision(runtime: string, version: string): Precision {
  const text = version.trim()
  if (text.includes('${{') || text.includes('$')) return 'unclear'
  if (text.length > charactersMax) return 'floating'
  if (exact.test(text)) return 'exact'
  if (moving.test(text) || /-(?:head|nightly|latest)$/i.test(text) || /[~^<>*|]|\s-\s/.test(text)) return 'floating'
  if (/^lts\/[a-z]+$/i.test(text)) return 'line'
  const [, digits] = /^(?:[a-z][a-z0-9+]*-)*[a-z]*(\d+(?:\.\d+)*)(?:\.[x*])?(?:-[\w.]+|\+|t)?$/i.exec(text) ?? []
  if (digits === undefined) return /^[a-z]/i.test(text) ? 'unclear' : 'floating'
  return digits.split('.').length >= (lineParts[runtime] ?? 1) ? 'line' : 'lines'
}

// How many numbers name a line; one for all others.
const lineParts: Readonly<Record<string, number>> = { python: 2, go: 2, ruby: 2, php: 2, elixir: 2, rust: 2, zig: 2 }

/** Languages with what they run on; everything else is a tool. */
export const runtimes: ReadonlySet<string> = new Set([
  'bun',
  'deno',
  'dart',
  'dotnet',
  'elixir',
  'erlang',
  'flutter',
  'go',
  'golang',
  'java',
  'julia',
  'node',
  'nodejs',
  'php',
  'python',
  'ruby',
  'rust',
  'swift',
  'zig',
])
