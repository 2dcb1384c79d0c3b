import type { AST } from 'toml-eslint-parser'
import type { Parsed, SourceFile, Spot } from '../source-file.ts'
import { guarded, Unreadable } from '../unreadable.ts'
import { ListValue, MapValue, ScalarValue, type Value } from './value.ts'

const depthMax = 200

/** Reads a file of TOML. Tables that are written in parts come out as one map, at the place of the first part. */
export async function parseToml(file: SourceFile): Promise<Parsed<MapValue>> {
  const { ParseError, parseTOML } = await import('toml-eslint-parser')
  return guarded(file, () => {
    refuseFlood(file.text)
    try {
      return new TomlReader(file).root(parseTOML(file.text, { tomlVersion: '1.0' }))
    } catch (cause) {
      if (cause instanceof ParseError) throw new Unreadable(cause.index, `${cause.message}.`)
      throw cause
    }
  })
}

// The parser keeps each of them; a lock file of 2 MiB has a third of it.
const tokensMax = 300_000
const tokenCodes = new Set(Array.from('\n=,[{"\'', (char) => char.charCodeAt(0)))

function refuseFlood(text: string): void {
  let tokens = 0
  for (let at = 0; at < text.length; at += 1) if (tokenCodes.has(text.charCodeAt(at))) tokens += 1
  if (tokens > tokensMax) throw new Unreadable(0, `It has more than ${tokensMax} lines, texts and signs.`)
}

/** A table as it grows; it becomes a value when everything has been read. */
interface Growing {
  readonly spot: Spot
  readonly flow: boolean
  readonly children: Map<string, { readonly key: ScalarValue; node: Growing | Growing[] | Value }>
}

class TomlReader {
  readonly #file: SourceFile

  constructor(file: SourceFile) {
    this.#file = file
  }

  root(program: AST.TOMLProgram): MapValue {
    const [top] = program.body
    const root = this.#growing({ file: this.#file, start: 0, end: this.#file.text.length })
    for (const each of top.body) {
      if (each.type === 'TOMLKeyValue') this.#keyValue(root, each, 0)
      else this.#table(root, each)
    }
    return grown(root, 0)
  }

  #table(root: Growing, { key, kind, body, range }: AST.TOMLTable): void {
    const keys = key.keys.map((each) => this.#key(each))
    const last = keys.at(-1)
    if (last === undefined) return
    if (keys.length > depthMax) throw new Unreadable(last.start, 'It is nested too deeply.')
    const parent = keys.slice(0, -1).reduce((table, each) => this.#inner(table, each), root)
    const spot = this.#spot(range)
    let table: Growing
    if (kind === 'array') {
      const known = parent.children.get(last.text)?.node
      table = this.#growing(spot)
      if (Array.isArray(known)) known.push(table)
      else parent.children.set(last.text, { key: last, node: [table] })
    } else table = this.#inner(parent, last, spot)
    for (const each of body) this.#keyValue(table, each, 0)
  }

  #keyValue(table: Growing, { key, value }: AST.TOMLKeyValue, depth: number): void {
    const keys = key.keys.map((each) => this.#key(each))
    const last = keys.at(-1)
    if (last === undefined) return
    if (keys.length > depthMax) throw new Unreadable(last.start, 'It is nested too deeply.')
    const parent = keys.slice(0, -1).reduce((inner, each) => this.#inner(inner, each), table)
    parent.children.set(last.text, { key: last, node: this.#content(value, depth + 1) })
  }

  // The table of that name: the one there is, the last of an array of tables, or a new one.
  #inner(table: Growing, key: ScalarValue, spot: Spot = key): Growing {
    const known = table.children.get(key.text)?.node
    if (Array.isArray(known)) {
      const last = known.at(-1)
      if (last !== undefined) return last
    } else if (known !== undefined && 'children' in known) return known
    if (known !== undefined) throw new Unreadable(key.start, `The key "${key.text}" is there twice.`)
    const node = this.#growing(spot)
    table.children.set(key.text, { key, node })
    return node
  }

  #content(node: AST.TOMLContentNode, depth: number): Growing | Value {
    const spot = this.#spot(node.range)
    if (depth > depthMax) throw new Unreadable(spot.start, 'It is nested too deeply.')
    if (node.type === 'TOMLInlineTable') {
      const table = this.#growing(spot, true)
      for (const each of node.body) this.#keyValue(table, each, depth)
      return table
    }
    if (node.type === 'TOMLArray') {
      const items = node.elements.map((each) => finished(this.#content(each, depth + 1), depth + 1))
      return new ListValue(spot, items, true)
    }
    const written = this.#file.text.slice(spot.start, spot.end)
    if (node.kind !== 'string') return new ScalarValue(spot, node.value instanceof Date ? written : node.value, written)
    return new ScalarValue(spot, node.value, node.value, node.multiline ? 'folded' : 'quoted')
  }

  #key(node: AST.TOMLBare | AST.TOMLQuoted): ScalarValue {
    const spot = this.#spot(node.range)
    return node.type === 'TOMLBare'
      ? new ScalarValue(spot, node.name, node.name)
      : new ScalarValue(spot, node.value, node.value, 'quoted')
  }

  #growing(spot: Spot, flow = false): Growing {
    return { spot, flow, children: new Map() }
  }

  #spot([start, end]: readonly [number, number]): Spot {
    return { file: this.#file, start, end }
  }
}

function finished(node: Growing | Growing[] | Value, depth: number): Value {
  if (Array.isArray(node)) {
    const items = node.map((each) => grown(each, depth))
    const [first] = items
    const last = items.at(-1) ?? first
    if (first === undefined || last === undefined) throw new Unreadable(0, 'An array of tables is empty.')
    return new ListValue({ file: first.file, start: first.start, end: last.end }, items)
  }
  return 'children' in node ? grown(node, depth) : node
}

function grown({ spot, flow, children }: Growing, depth: number): MapValue {
  if (depth > depthMax) throw new Unreadable(spot.start, 'It is nested too deeply.')
  const entries = [...children.values()].map(({ key, node }) => ({ key, value: finished(node, depth + 1) }))
  return new MapValue(spot, entries, flow)
}
