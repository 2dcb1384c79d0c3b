import type { SourceFile, Spot } from './source-file.ts'

/** One node of a YAML, JSON or TOML file with where it stands; aliases and merge keys are followed. */
export type Value = MapValue | ListValue | ScalarValue

export interface Entry {
  readonly key: ScalarValue
  readonly value: Value
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

  constructor(spot: Spot, entries: readonly Entry[], flow = false) {
    super(spot)
    this.entries = entries
    this.flow = flow
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

  constructor(spot: Spot, items: readonly Value[], flow = false) {
    super(spot)
    this.items = items
    this.flow = flow
  }
}

export type ScalarStyle = 'plain' | 'quoted' | 'literal' | 'folded'

export class ScalarValue extends Located {
  readonly kind = 'scalar'
  readonly value: string | number | boolean | bigint | null
  /** The text behind the value: `3.10` stays `3.10`; empty for null. */
  readonly text: string
  readonly style: ScalarStyle

  constructor(spot: Spot, value: ScalarValue['value'], text: string, style: ScalarStyle = 'plain') {
    super(spot)
    this.value = value
    this.text = text
    this.style = style
  }

  /** Where a stretch of `text` stands in the file; the whole scalar where folding or escapes hide that. */
  inside(start: number, end: number): Spot {
    const whole: Spot = { file: this.file, start: this.start, end: this.end }
    if (this.style === 'literal') return this.#insideLiteral(start, end) ?? whole
    if (this.style === 'folded') return whole
    const from = this.start + (this.style === 'quoted' ? 1 : 0)
    return this.file.text.startsWith(this.text, from)
      ? { file: this.file, start: from + start, end: from + end }
      : whole
  }

  // A literal block has one line of the file for each line of the text, indented by the same number of spaces.
  #insideLiteral(start: number, end: number): Spot | undefined {
    const source = this.file.text
    const before = this.text.slice(0, start)
    const line = before.split('\n').length
    let at = this.start
    for (let passed = 0; passed < line; passed += 1) at = source.indexOf('\n', at) + 1
    const text = this.text.split('\n')[line - 1] ?? ''
    const indented = text === '' ? 0 : source.slice(at).search(/[^ ]/) - (text.length - text.trimStart().length)
    const column = start - (before.lastIndexOf('\n') + 1)
    const from = at + Math.max(0, indented) + column
    if (!source.startsWith(text.slice(column), from)) return undefined
    return { file: this.file, start: from, end: Math.min(from + (end - start), this.end) }
  }
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
