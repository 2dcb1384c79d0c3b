import { usage } from '../errors.ts'

export interface CsvRow {
  /** Of the file, from 1 on; that of its first character. */
  readonly line: number
  readonly cells: readonly string[]
}

/** Rows of RFC 4180, with either end of line and with or without a mark at the beginning. */
export function* csvRows(text: string): Generator<CsvRow> {
  const end = text.length
  let at = text.startsWith('\ufeff') ? 1 : 0
  let line = 1
  while (at < end) {
    const begin = line
    const cells: string[] = []
    for (;;) {
      let value = ''
      if (text[at] === '"') {
        const close = closing(text, at + 1, begin)
        value = text.slice(at + 1, close).replaceAll('""', '"')
        line += value.split('\n').length - 1
        at = close + 1
      }
      const stop = unquotedEnd(text, at)
      cells.push(value + text.slice(at, stop))
      at = stop
      if (text[at] !== ',') break
      at += 1
    }
    if (text[at] === '\r') at += 1
    if (text[at] === '\n') at += 1
    line += 1
    if (cells.length > 1 || cells[0]?.trim() !== '') yield { line: begin, cells }
  }
}

function closing(text: string, from: number, line: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at
  }
  throw usage(`A quote that opens on line ${line} is never closed.`, 'Export the table again, as CSV.')
}

function unquotedEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== ',' && text[at] !== '\n' && text[at] !== '\r') at += 1
  return at
}
