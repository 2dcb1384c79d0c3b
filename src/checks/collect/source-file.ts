/** A text file under judgement. Offsets are UTF-16 positions in `text`, which is without byte-order mark. */
export class SourceFile {
  /** Relative to the folder under judgement, with `/` between its parts. */
  readonly path: string
  readonly text: string
  readonly byteOrderMark: boolean
  #lineStarts: readonly number[] | undefined

  constructor(path: string, content: string) {
    this.path = path
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
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
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
