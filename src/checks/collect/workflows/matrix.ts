import type { MapValue, ScalarValue, Value } from '../values/value.ts'

// GitHub takes no matrix of more.
const jobsMax = 256

/**
 * The values that `matrix.<path>` may have in a job, where the file says all of them: undefined where an expression makes the matrix,
 * and for what is no scalar.
 */
export function matrixValues(job: MapValue, path: readonly string[]): readonly ScalarValue[] | undefined {
  const known = knownOf(job)
  const key = path.join('.')
  if (!known.has(key)) known.set(key, read(job, path))
  return known.get(key)
}

const knownByJob = new WeakMap<MapValue, Map<string, readonly ScalarValue[] | undefined>>()

function knownOf(job: MapValue): Map<string, readonly ScalarValue[] | undefined> {
  const known = knownByJob.get(job) ?? new Map<string, readonly ScalarValue[] | undefined>()
  knownByJob.set(job, known)
  return known
}

function read(job: MapValue, path: readonly string[]): readonly ScalarValue[] | undefined {
  const matrix = job.map('strategy')?.get('matrix')
  if (matrix?.kind !== 'map') return undefined
  const [name = '', ...rest] = path
  const found: ScalarValue[] = []
  let complete = true
  for (const { key, value } of matrix.entries) {
    const text = key.text.toLowerCase()
    if (text === 'exclude') continue
    if (text === 'include') {
      if (value.kind === 'list') complete = from(value.items, path, found) && complete
      else complete = false
    } else if (text === name) {
      complete = value.kind === 'list' && from(value.items, rest, found) && complete
    }
  }
  return complete && found.length > 0 && found.length <= jobsMax ? found : undefined
}

// What an item does not have is empty there, and no value.
function from(items: readonly Value[], path: readonly string[], found: ScalarValue[]): boolean {
  let complete = true
  for (const item of items) {
    if (item.kind === 'scalar' && item.text.includes('${{') && path.length > 0) {
      complete = false
      continue
    }
    const value = at(item, path)
    if (value === undefined) continue
    if (value.kind === 'scalar') found.push(value)
    else complete = false
  }
  return complete
}

function at(value: Value, path: readonly string[]): Value | undefined {
  let inner: Value | undefined = value
  for (const name of path) {
    if (inner?.kind !== 'map') return undefined
    inner = inner.entries.find(({ key }) => key.text.toLowerCase() === name)?.value
  }
  return inner
}
