import type { AnyValue, KeyValue } from '@portcullis/contract'

/** More of them on one span, or deeper ones, and the span is rejected unread. */
export const attributesMax = 1000
export const depthMax = 8

/** What is wrong with a span: the sentence its sender reads. */
export class SpanProblem extends Error {}

/**
 * The attributes of one span or resource, by key. Types are those of the sender: what is asked for with another type than it has is a
 * problem, not a guess. Of a key that is there twice the last one counts.
 */
export class Attributes {
  readonly #values = new Map<string, AnyValue>()

  /** Throws where there are too many, or one is nested too deeply. */
  constructor(pairs: readonly KeyValue[]) {
    if (pairs.length > attributesMax)
      throw new SpanProblem(`has ${pairs.length} attributes: ${attributesMax} are taken at most`)
    for (const { key, value } of pairs) {
      if (value === undefined || value.value.case === undefined) continue
      if (depthOf(value) > depthMax) throw new SpanProblem(`attribute ${shown(key)} is nested deeper than ${depthMax}`)
      this.#values.set(key, value)
    }
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  /** Whether any key begins with it. */
  some(prefix: string): boolean {
    for (const key of this.#values.keys()) if (key.startsWith(prefix)) return true
    return false
  }

  /** The first of the keys that is there; empty where none is. Numbers and booleans are read as what they say. */
  text(...keys: readonly string[]): string {
    for (const key of keys) {
      const value = this.#values.get(key)?.value
      if (value?.case === undefined || value.value === '') continue
      if (typeof value.value === 'object') throw new SpanProblem(`attribute ${shown(key)} must be text`)
      return String(value.value)
    }
    return ''
  }

  /** A count under the first of the keys that is there; undefined where none is. */
  count(...keys: readonly string[]): bigint | undefined {
    for (const key of keys) {
      const value = this.#values.get(key)?.value
      if (value === undefined) continue
      if (value.case === 'intValue' && value.value >= 0n) return value.value
      // JavaScript and Python send whole numbers as doubles now and then.
      if (value.case === 'doubleValue' && Number.isSafeInteger(value.value) && value.value >= 0)
        return BigInt(value.value)
      throw new SpanProblem(`attribute ${shown(key)} must be a whole number that is not negative`)
    }
    return undefined
  }

  /** The decimal text of a number, to 12 digits behind the point; undefined where there is none. */
  decimal(key: string): string | undefined {
    const value = this.#values.get(key)?.value
    if (value === undefined) return undefined
    if (value.case === 'intValue') return String(value.value)
    if (value.case === 'doubleValue' && Math.abs(value.value) < 1e15) return value.value.toFixed(12)
    throw new SpanProblem(`attribute ${shown(key)} must be a number`)
  }
}

/** Never more than the sender may read back: keys are its own, of any length. */
function shown(key: string): string {
  return JSON.stringify(key.slice(0, 80).toWellFormed())
}

/** Stops where it is too deep: no input makes it recurse further than that. */
function depthOf({ value }: AnyValue, depth = 1): number {
  if (depth > depthMax) return depth
  const inner = (values: readonly (AnyValue | undefined)[]): number =>
    values.reduce((most, one) => (one === undefined ? most : Math.max(most, depthOf(one, depth + 1))), depth)
  if (value.case === 'arrayValue') return inner(value.value.values)
  if (value.case === 'kvlistValue') return inner(value.value.values.map((pair) => pair.value))
  return depth
}
