/** A text file under judgement. Offsets are UTF-16 positions in `text`, which is without byte-order mark. */
export class SourceFile {
  /** Relative to the folder under judgement, with `/` between its parts. */
  readonly path: string
  readonly text: string
  readonly byteOrderMark: boolean
  #lineStarts: readonly number[] | undefined
  readonly #shared = new Map<string, Shared>()
  readonly #before: Before

  /** `before`: what of the file stands before the content, where that is a stretch of it alone. */
  constructor(path: string, content: string, before: Before = { line: 0, column: 0 }) {
    this.path = path
    this.#before = before
    this.byteOrderMark = content.startsWith('\uFEFF')
    this.text = this.byteOrderMark ? content.slice(1) : content
  }

  /** What ends the lines of the file. */
  get lineEnd(): '\r\n' | '\n' {
    const first = this.text.indexOf('\n')
    return first > 0 && this.text[first - 1] === '\r' ? '\r\n' : '\n'
  }

  /** Line and column, both from 1. */
  place(offset: number): Place {
    const starts = (this.#lineStarts ??= lineStartsOf(this.text))
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    const { line, column } = this.#before
    return { line: line + low + 1, column: offset - (starts[low] ?? 0) + 1 + (low === 0 ? column : 0) }
  }

  /** Notes that a stretch is used in several places: it has an anchor, and aliases refer to that. */
  share({ start, end, uses }: Shared): void {
    const newline = this.text.indexOf('\n', end)
    // What is appended to a block stands behind the comment at its end.
    this.#shared.set(`${start}-${end}`, { start, end: newline === -1 ? this.text.length : newline, uses })
  }

  /** How many places of the file a text at this offset is part of; 1 without anchors, never too few with them. */
  usesAt(offset: number): number {
    let uses = 1
    for (const shared of this.#shared.values())
      if (shared.start <= offset && offset <= shared.end) uses = Math.min(uses * shared.uses, usesMax)
    return uses
  }
}

const usesMax = 1_000_000

/** Lines, and characters of the last one. */
interface Before {
  readonly line: number
  readonly column: number
}

interface Shared {
  readonly start: number
  readonly end: number
  readonly uses: number
}

export interface Place {
  readonly line: number
  readonly column: number
}

/** A stretch of a file: `end` is exclusive. */
export interface Spot {
  readonly file: SourceFile
  readonly start: number
  readonly end: number
}

/** A file that was read, or why it could not be and where reading it failed. */
export type Parsed<T> = ParsedFile<T> | UnreadableFile

export interface ParsedFile<T> {
  readonly file: SourceFile
  readonly value: T
  /** What is wrong in the file although it could be read: each is an ERROR with its position. */
  readonly problems?: readonly Problem[]
}

export interface UnreadableFile {
  readonly file: SourceFile
  readonly unreadable: { readonly offset: number; readonly why: string }
}

export interface Problem {
  readonly spot: Spot
  readonly why: string
}

export function isReadable<T>(parsed: Parsed<T>): parsed is ParsedFile<T> {
  return 'value' in parsed
}

function lineStartsOf(text: string): readonly number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
