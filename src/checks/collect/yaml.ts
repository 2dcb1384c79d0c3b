import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  type Document,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml'
import { SourceFile, type Parsed, type Spot } from './source-file.ts'
import { ListValue, MapValue, ScalarValue, type Entry, type ScalarStyle, type Value } from './value.ts'

// What the anchors of a document may unfold to: a bomb of ten aliases to ten aliases ... has 10^9.
const nodesMax = 200_000
const depthMax = 200

// Duplicate keys are looked for here, in linear time: the library compares each key with all before it.
const options = { uniqueKeys: false, logLevel: 'silent', prettyErrors: false } as const

/** Reads a file of one YAML document. */
export function parseYaml(file: SourceFile): Parsed<Value> {
  return guarded(file, () => {
    const document = parseDocument(file.text, { ...options })
    return new Converter(file, document).root()
  })
}

/** Reads a file of several YAML documents, as Kubernetes manifests are; empty ones are left out. */
export function parseYamlDocuments(file: SourceFile): Parsed<readonly Value[]> {
  return guarded(file, () => {
    const documents = parseAllDocuments(file.text, { ...options, lineCounter: new LineCounter() })
    return documents.flatMap((document) =>
      document.contents === null && document.errors.length === 0 ? [] : [new Converter(file, document).root()],
    )
  })
}

function guarded<T>(file: SourceFile, read: () => T): Parsed<T> {
  try {
    return { file, value: read() }
  } catch (cause) {
    if (cause instanceof Unreadable) return { file, unreadable: { offset: cause.offset, why: cause.message } }
    if (cause instanceof RangeError) return { file, unreadable: { offset: 0, why: 'It is nested too deeply.' } }
    throw cause
  }
}

class Unreadable extends Error {
  readonly offset: number

  constructor(offset: number, why: string) {
    super(why)
    this.offset = offset
  }
}

/** Turns the library's nodes into values, each anchor once, however often it is used. */
class Converter {
  readonly #file: SourceFile
  readonly #document: Document.Parsed
  readonly #anchors = new Map<string, Value>()
  readonly #weights = new WeakMap<Value, number>()

  constructor(file: SourceFile, document: Document.Parsed) {
    this.#file = file
    this.#document = document
  }

  root(): Value {
    const [error] = [...this.#document.errors, ...this.#document.warnings]
    if (error !== undefined) throw new Unreadable(error.pos[0], sentence(error.message))
    const { contents } = this.#document
    return contents === null ? new ScalarValue(this.#spot(undefined, 0), null, '') : this.#value(contents, 0, 0)
  }

  #value(node: Node | null | undefined, at: number, depth: number): Value {
    if (depth > depthMax) throw new Unreadable(at, 'It is nested too deeply.')
    if (node === null || node === undefined)
      return this.#weighed(new ScalarValue(this.#spot(undefined, at), null, ''), 1)
    const offset = node.range?.[0] ?? at
    if (isAlias(node)) {
      const known = this.#anchors.get(node.source)
      if (known === undefined) throw new Unreadable(offset, `The alias *${node.source} refers to no anchor before it.`)
      return known
    }
    const value = this.#own(node, offset, depth)
    if ('anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, value)
    return value
  }

  #own(node: Node, offset: number, depth: number): Value {
    const spot = this.#spot(node, offset)
    if (isMap(node)) return this.#map(node, spot, depth)
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#value(item as Node, offset, depth + 1))
      return this.#weighed(new ListValue(spot, items, node.flow === true), this.#sum(items, offset))
    }
    if (isScalar(node)) return this.#weighed(this.#scalar(node, spot), 1)
    throw new Unreadable(offset, 'This node is neither a map, a list nor a value.')
  }

  #map(node: YAMLMap, spot: Spot, depth: number): MapValue {
    const own: Entry[] = []
    const merged: Entry[] = []
    const seen = new Set<string>()
    for (const pair of node.items as readonly Pair<Node | null, Node | null>[]) {
      const key = this.#key(pair.key, spot.start)
      const value = this.#value(pair.value, pair.key?.range?.[2] ?? spot.start, depth + 1)
      if (key.text === '<<' && key.style === 'plain') {
        merged.push(...mergedEntries(value))
        continue
      }
      if (seen.has(key.text)) throw new Unreadable(key.start, `The key "${key.text}" is there twice.`)
      seen.add(key.text)
      own.push({ key, value })
    }
    const brought = merged.filter(({ key }) => !seen.has(key.text) && seen.add(key.text))
    const entries = [...own, ...brought]
    const weight = this.#sum(
      entries.map(({ value }) => value),
      spot.start,
    )
    return this.#weighed(new MapValue(spot, entries, node.flow === true), weight)
  }

  #key(node: Node | null, at: number): ScalarValue {
    const key = this.#value(node, at, 0)
    if (key.kind === 'scalar') return key
    throw new Unreadable(key.start, 'A key is not plain text.')
  }

  #scalar(node: Scalar, spot: Spot): ScalarValue {
    const value = node.value as ScalarValue['value']
    const text = value === null ? '' : (node.source ?? String(value))
    return new ScalarValue(spot, value, text, styles[node.type ?? 'PLAIN'] ?? 'plain')
  }

  #spot(node: Node | undefined, at: number): Spot {
    return { file: this.#file, start: node?.range?.[0] ?? at, end: node?.range?.[1] ?? at }
  }

  #sum(values: readonly Value[], at: number): number {
    let sum = 1
    for (const value of values) sum += this.#weights.get(value) ?? 1
    if (sum > nodesMax)
      throw new Unreadable(at, `It holds more than ${nodesMax} values, counting what its anchors repeat.`)
    return sum
  }

  #weighed<T extends Value>(value: T, weight: number): T {
    this.#weights.set(value, weight)
    return value
  }
}

const styles: Readonly<Record<string, ScalarStyle>> = {
  PLAIN: 'plain',
  QUOTE_SINGLE: 'quoted',
  QUOTE_DOUBLE: 'quoted',
  BLOCK_LITERAL: 'literal',
  BLOCK_FOLDED: 'folded',
}

function mergedEntries(value: Value): readonly Entry[] {
  if (value.kind === 'map') return value.entries
  return value.kind === 'list' ? value.items.flatMap(mergedEntries) : []
}

// The library's message may quote the file; the first sentence says what is wrong.
function sentence(message: string): string {
  const [first = ''] = message.split('\n')
  return first.endsWith('.') ? first : `${first}.`
}
