import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  parseDocument,
  type Document,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml'
import type { Parsed, SourceFile, Spot } from '../source-file.ts'
import { guarded, Unreadable } from '../unreadable.ts'
import { ListValue, MapValue, ScalarValue, type Entry, type ScalarStyle, type Value } from './value.ts'

// What the anchors of a document may unfold to, and what merge keys may bring in all: a bomb of ten aliases to ten aliases ... has 10^9.
const nodesMax = 200_000
const depthMax = 200
// Line ends, brackets and indicators: what the parser makes tokens of. A lock file of 2 MiB has half of it.
const tokensMax = 250_000

// Duplicate keys are looked for here, in linear time: the library compares each key with all before it. A second document in a
// file of one is an error only where the library is not silent.
const options = { uniqueKeys: false, logLevel: 'silent', prettyErrors: false } as const

// Docker Compose's own tags, for what an override file takes back: the value behind one is read as it stands.
const composeTag = /^Unresolved tag: !(?:reset|override)$/

// Several kinds of fact come from the same file.
const known = new WeakMap<SourceFile, Parsed<Value>>()

/** Reads a file of one YAML document. */
export function parseYaml(file: SourceFile): Parsed<Value> {
  let parsed = known.get(file)
  if (parsed === undefined) {
    parsed = guarded(file, () => {
      refuseFlood(file.text)
      const document = parseDocument(file.text, { ...options, logLevel: 'error' })
      return new Converter(file, document).root()
    })
    known.set(file, parsed)
  }
  return parsed
}

/** Reads a file of several YAML documents, as Kubernetes manifests are; empty ones are left out. */
export function parseYamlDocuments(file: SourceFile): Parsed<readonly Value[]> {
  return guarded(file, () => {
    refuseFlood(file.text)
    const documents = parseAllDocuments(file.text, { ...options })
    return documents
      .map((document) => new Converter(file, document).root())
      .filter((value) => value.kind !== 'scalar' || value.value !== null || value.source !== '')
  })
}

/** Turns the library's nodes into values, each anchor once, however often it is used. */
class Converter {
  readonly #file: SourceFile
  readonly #document: Document.Parsed
  readonly #anchors = new Map<string, Value>()
  readonly #weights = new WeakMap<Value, number>()
  readonly #aliases = new Map<Value, number>()
  #mergedCount = 0

  constructor(file: SourceFile, document: Document.Parsed) {
    this.#file = file
    this.#document = document
  }

  root(): Value {
    const warnings = this.#document.warnings.filter(({ message }) => !composeTag.test(message))
    const [error] = [...this.#document.errors, ...warnings]
    if (error !== undefined) throw new Unreadable(error.pos[0], sentence(error.message))
    const { contents } = this.#document
    if (contents === null) return new ScalarValue(this.#spot(undefined, 0), null, '')
    const root = this.#value(contents, 0, 0)
    for (const [{ start, end }, count] of this.#aliases) this.#file.share({ start, end, uses: count + 1 })
    return root
  }

  #value(node: Node | null | undefined, at: number, depth: number): Value {
    if (depth > depthMax) throw new Unreadable(at, 'It is nested too deeply.')
    if (node === null || node === undefined)
      return this.#weighed(new ScalarValue(this.#spot(undefined, at), null, ''), 1)
    const offset = node.range?.[0] ?? at
    if (isAlias(node)) {
      const anchored = this.#anchors.get(node.source)
      if (anchored === undefined)
        throw new Unreadable(offset, `The alias *${node.source} refers to no anchor before it.`)
      this.#aliases.set(anchored, (this.#aliases.get(anchored) ?? 0) + 1)
      return anchored
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
      const end = contentEnd(node.items.at(-1) as Node | undefined, items.at(-1), spot.start + 1)
      return this.#weighed(new ListValue(spot, items, node.flow === true, end), this.#sum(items, offset))
    }
    if (isScalar(node)) return this.#weighed(this.#scalar(node, spot), 1)
    throw new Unreadable(offset, 'This node is neither a map, a list nor a value.')
  }

  #map(node: YAMLMap, spot: Spot, depth: number): MapValue {
    const own: Entry[] = []
    const merged: Entry[] = []
    const seen = new Set<string>()
    let end = spot.start + 1
    for (const pair of node.items as readonly Pair<Node | null, Node | null>[]) {
      const key = this.#key(pair.key, spot.start)
      const value = this.#value(pair.value, pair.key?.range?.[2] ?? spot.start, depth + 1)
      const keyEnd = pair.key?.range?.[1] ?? spot.start + 1
      end = contentEnd(pair.value, value, keyEnd)
      if (key.text === '<<' && key.style === 'plain') {
        this.#merge(value, merged)
        continue
      }
      if (seen.has(key.text)) throw new Unreadable(key.start, `The key "${key.text}" is there twice.`)
      seen.add(key.text)
      own.push(isAlias(pair.value) ? { key, value, alias: this.#spot(pair.value, keyEnd) } : { key, value })
    }
    const brought = merged.filter(({ key }) => !seen.has(key.text) && seen.add(key.text))
    const entries = [...own, ...brought]
    const weight = this.#sum(
      entries.map(({ value }) => value),
      spot.start,
    )
    return this.#weighed(new MapValue(spot, entries, node.flow === true, end), weight)
  }

  #merge(value: Value, into: Entry[]): void {
    if (value.kind === 'scalar') return
    this.#mergedCount += value.kind === 'list' ? value.items.length : value.entries.length
    if (this.#mergedCount > nodesMax)
      throw new Unreadable(value.start, `Its merge keys bring more than ${nodesMax} entries.`)
    if (value.kind === 'list') for (const item of value.items) this.#merge(item, into)
    else for (const { key, value: inner } of value.entries) into.push({ key, value: inner, merged: true })
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

// An alias ends where it stands, not where its anchor does; a block collection with its last item, not with what follows.
function contentEnd(node: Node | null | undefined, value: Value | undefined, otherwise: number): number {
  if (isAlias(node)) return node.range?.[1] ?? otherwise
  if (node === null || node === undefined || value === undefined) return otherwise
  return value.kind === 'scalar' || value.flow ? value.end : value.contentEnd
}

// The library's message may quote the file; the first sentence says what is wrong.
function sentence(message: string): string {
  const [first = ''] = message.split('\n')
  if (first.includes('call stack')) return 'It is nested too deeply.'
  return first.endsWith('.') ? first : `${first}.`
}

// A minute of parsing for a file that says nothing, or all memory, is more than an unread file is worth.
function refuseFlood(text: string): void {
  if (text.length <= tokensMax) return
  let tokens = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    // A dash is one where it begins an item.
    if (tokenCodes.has(code) || (code === dash && text.charCodeAt(at + 1) === blank)) tokens += 1
  }
  if (tokens > tokensMax) throw new Unreadable(0, `It has more than ${tokensMax} lines and indicators.`)
}

const dash = 0x2d
const blank = 0x20
const tokenCodes = new Set(Array.from('\n,[]{}:?&*!|>"%#', (char) => char.charCodeAt(0)))
