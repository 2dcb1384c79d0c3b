import type { Problem as ConfigProblem } from '#config'
import type { Problem, Spot } from '../source-file.ts'
import type { MapValue } from '../values/value.ts'

interface Loaded {
  /** The settings file, as its problems name it. */
  readonly name: string
  readonly root: MapValue
  /** The sections that there are. */
  readonly known: ReadonlySet<string>
}

/**
 * Why the server would not start, as far as it concerns these sections: what is wrong within them, and what nobody knows the meaning
 * of. A database that is missing says nothing about a listener.
 */
export function problemsWithin(
  all: readonly ConfigProblem[],
  sections: readonly string[],
  loaded: Loaded,
): readonly Problem[] {
  return all
    .filter(({ severity, path }) => severity === 'error' && concerns(path, sections, loaded))
    .map(({ path, why, todo }) => ({ spot: spotOf(loaded.root, path), why: `${path}: ${why} ${todo}` }))
}

function concerns(path: string, sections: readonly string[], { name, known }: Loaded): boolean {
  if (path.startsWith(name) || path.startsWith('[')) return true
  if (path.startsWith('PORTCULLIS__'))
    return sections.some((section) => path.startsWith(`PORTCULLIS__${section.toUpperCase()}`))
  const [top = ''] = path.split('.')
  return !known.has(top) || sections.includes(top)
}

/** The key at a path, or the last one on the way that is there. */
function spotOf(root: MapValue, path: string): Spot {
  let map = root
  let spot: Spot = { file: root.file, start: root.start, end: root.start }
  for (const key of path.split('.')) {
    const entry = map.entry(key)
    if (entry === undefined) return spot
    spot = entry.key
    if (entry.value.kind !== 'map') return spot
    map = entry.value
  }
  return spot
}
