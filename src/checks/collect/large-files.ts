import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { SourceFile } from './source-file.ts'

const windowBytes = 1024 * 1024
// A private key of 16,384 bits takes 12 KiB.
const overlapBytes = 16 * 1024

/** A stretch of a file that is too large to be read whole. */
export interface Window {
  /** Its places are those in the whole file. */
  readonly file: SourceFile
  /** What begins here or later is in the next window too, and whole there. */
  readonly until: number
}

/**
 * The text of a regular file in windows that overlap, never through a symbolic link; ends before the first one that is no text. Throws
 * what opening and reading throw.
 */
export function* windowsOf(absolute: string, path: string): Generator<Window, void, undefined> {
  const handle = openSync(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    if (!fstatSync(handle).isFile()) return
    const room = Buffer.allocUnsafe(windowBytes + overlapBytes * 2)
    let [kept, line, column] = [0, 0, 0]
    for (;;) {
      const count = readSync(handle, room, kept, windowBytes, null)
      const content = room.subarray(0, kept + count)
      if (content.includes(0)) return
      const last = count === 0
      const from = last ? content.length : overlapFrom(content)
      // A secret is ASCII: of a letter that is cut in two nothing is missed.
      const text = content.toString('utf8')
      const until = last ? text.length : content.toString('utf8', 0, from).length
      const file = new SourceFile(path, text, { line, column })
      yield { file, until }
      if (last) return
      const next = file.place(until)
      ;[line, column] = [next.line - 1, next.column - 1]
      kept = content.copy(room, 0, from)
    }
  } finally {
    closeSync(handle)
  }
}

// Where a line begins, if that is not far.
function overlapFrom(content: Buffer): number {
  const latest = Math.max(0, content.length - overlapBytes)
  const newline = content.lastIndexOf(10, Math.max(0, latest - 1))
  if (newline !== -1 && latest - newline <= overlapBytes) return newline + 1
  // Not inside of a letter of several bytes.
  let from = latest
  while (from > 0 && ((content[from] ?? 0) & 0xc0) === 0x80) from -= 1
  return from
}
