import type { SourceFile, Spot } from '../source-file.ts'

/** One node of a YAML, JSON or TOML file with where it stands; aliases and merge keys are followed. */
export type Value = MapValue | ListValue | ScalarValue

export interface Entry {
  readonly key: ScalarValue
  readonly value: Value
  /** Where the alias stands that the value was reached by; the value itself stands at its anchor. */
  readonly alias?: Spot
  /** A merge key brought it: key and value stand in another map. */
  readonly merged?: boolean
}

abstract class Located implements Spot {
  readonly file: SourceFile
  readonly start: number
  readonly end: number

  constructor({ file, start, end }: Spot) {
    this.file = file
    this.start = start
    this.end = end
  }

  /** As it is written in the file. */
  get source(): string {
    return this.file.text.slice(this.start, this.end)
  }
}

export class MapValue extends Located {
  readonly kind = 'map'
  /** Written in braces on one or more lines, not as indented lines. */
  readonly flow: boolean
  /** In the order of the file; what a merge key brings comes last. */
  readonly entries: readonly Entry[]
  /** Where the last thing in it ends, without what follows: blanks, comments, the closing brace. */
  readonly contentEnd: number

  constructor(spot: Spot, entries: readonly Entry[], flow = false, contentEnd?: number) {
    super(spot)
    this.entries = entries
    this.flow = flow
    this.contentEnd = contentEnd ?? entries.at(-1)?.value.end ?? spot.start + 1
  }

  entry(key: string): Entry | undefined {
    return this.entries.find((entry) => entry.key.text === key)
  }

  get(key: string): Value | undefined {
    return this.entry(key)?.value
  }

  map(key: string): MapValue | undefined {
    const value = this.get(key)
    return value?.kind === 'map' ? value : undefined
  }

  list(key: string): ListValue | undefined {
    const value = this.get(key)
    return value?.kind === 'list' ? value : undefined
  }

  scalar(key: string): ScalarValue | undefined {
    const value = this.get(key)
    return value?.kind === 'scalar' ? value : undefined
  }

  /** The text of a scalar that is there and not null. */
  text(key: string): string | undefined {
    const scalar = this.scalar(key)
    return scalar === undefined || scalar.value === null ? undefined : scalar.text
  }
}

export class ListValue extends Located {
  readonly kind = 'list'
  readonly flow: boolean
  readonly items: readonly Value[]
  /** As in a map. */
  readonly contentEnd: number

  constructor(spot: Spot, items: readonly Value[], flow = false, contentEnd?: number) {
    super(spot)
    this.items = items
    this.flow = flow
    this.contentEnd = contentEnd ?? items.at(-1)?.end ?? spot.start + 1
  }
}

export type ScalarStyle = 'plain' | 'quoted' | 'literal' | 'folded'

export class ScalarValue extends Located {
  readonly kind = 'scalar'
  readonly value: string | number | boolean | bigint | null
  /** The text behind the value: `3.10` stays `3.10`; empty for null. */
  readonly text: string
  readonly style: ScalarStyle
  #pieces: readonly Piece[] | undefined

  constructor(spot: Spot, value: ScalarValue['value'], text: string, style: ScalarStyle = 'plain') {
    super(spot)
    this.value = value
    this.text = text
    this.style = style
  }

  /** Where a stretch of `text` stands in the file; the whole scalar where escapes hide that. */
  inside(start: number, end: number): Spot {
    const pieces = (this.#pieces ??= piecesOf(this))
    const from = offsetIn(pieces, start)
    const to = end > start ? offsetIn(pieces, end - 1) : from
    if (from === undefined || to === undefined) return { file: this.file, start: this.start, end: this.end }
    return { file: this.file, start: from, end: end > start ? Math.max(from, to + 1) : from }
  }
}

/** A stretch of the text of a scalar that stands in the file as it is. */
interface Piece {
  readonly text: number
  readonly file: number
  readonly length: number
}

// Each line of the file is looked for in the text, blanks around it aside: that holds for literal, folded, plain and quoted ones.
function piecesOf({ file, start, end, style, text }: ScalarValue): readonly Piece[] {
  const block = style === 'literal' || style === 'folded'
  const pieces: Piece[] = []
  const header = file.text.indexOf('\n', start)
  if (block && header === -1) return []
  let from = block ? header + 1 : start + (style === 'quoted' ? 1 : 0)
  const last = style === 'quoted' ? end - 1 : end
  let at = 0
  while (from < last) {
    const newline = file.text.indexOf('\n', from)
    const stop = newline === -1 || newline > last ? last : newline
    const line = file.text.slice(from, stop)
    const content = line.trim()
    if (content !== '') {
      while (/\s/.test(text.charAt(at)) && !text.startsWith(content, at)) at += 1
      if (!text.startsWith(content, at)) return []
      pieces.push({ text: at, file: from + line.indexOf(content), length: content.length })
      at += content.length
    }
    from = stop + 1
  }
  return pieces
}

// Blanks between two pieces belong to the one behind them, as indentation does.
function offsetIn(pieces: readonly Piece[], at: number): number | undefined {
  let low = 0
  let high = pieces.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    const { text, length } = pieces[middle] as Piece
    if (at < text + length) high = middle
    else low = middle + 1
  }
  const piece = pieces[low]
  if (piece === undefined) return undefined
  // An offset of the file before the piece only as far as the text itself goes back.
  return piece.file + Math.min(at - piece.text, piece.length)
}

/** The items of a list, or the one value where a list may be left out; none for null and absent. */
export function listed(value: Value | undefined): readonly Value[] {
  if (value === undefined) return []
  if (value.kind === 'list') return value.items
  return value.kind === 'scalar' && value.value === null ? [] : [value]
}

/** The texts of the scalars of a list, or of the one scalar. */
export function texts(value: Value | undefined): readonly string[] {
  return listed(value).flatMap((each) => (each.kind === 'scalar' ? [each.text] : []))
}

/** Every value that is a scalar, keys not among them; what an anchor repeats comes once. */
export function scalarsOf(root: Value): readonly ScalarValue[] {
  const found: ScalarValue[] = []
  const seen = new Set<Value>()
  const visit = (value: Value): void => {
    if (seen.has(value)) return
    seen.add(value)
    if (value.kind === 'scalar') found.push(value)
    else if (value.kind === 'list') value.items.forEach(visit)
    else for (const entry of value.entries) visit(entry.value)
  }
  visit(root)
  return found
}
