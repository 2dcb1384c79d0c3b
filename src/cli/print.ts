import { stripVTControlCharacters, styleText } from 'node:util'

export type Style = (text: string) => string

export interface Paint {
  readonly bold: Style
  readonly dim: Style
  readonly red: Style
  readonly green: Style
  readonly yellow: Style
}

export function paint(colours: boolean): Paint {
  const style =
    (format: Parameters<typeof styleText>[0]): Style =>
    (text) =>
      colours ? styleText(format, text, { validateStream: false }) : text
  return {
    bold: style('bold'),
    dim: style('dim'),
    red: style('red'),
    green: style('green'),
    yellow: style('yellow'),
  }
}

/** Text from a server or a user, made safe: control characters and direction marks would rewrite the terminal around it. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
}

/** Aligned columns under a head; every cell is made printable. The last column is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], { dim }: Paint): string {
  const shown = rows.map((row) => row.map(printable))
  const widths = head.map((title, at) => Math.max(width(title), ...shown.map((row) => width(row[at] ?? ''))))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (at === cells.length - 1 ? cell : pad(cell, widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  return [dim(line(head)), ...shown.map(line), ''].join('\n')
}

export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - width(text)))
}

/** Long lines broken at blanks for a terminal that is so wide; what goes on is set further in. Styles take no room. */
export function wrapped(text: string, columns: number | undefined): string {
  if (columns === undefined || columns < 40) return text
  return text
    .split('\n')
    .map((line) => (width(stripVTControlCharacters(line)) <= columns ? line : broken(line, columns)))
    .join('\n')
}

function broken(line: string, columns: number): string {
  const indent = line.length - line.trimStart().length
  const [first = '', ...words] = line.trimStart().split(' ')
  let text = ' '.repeat(indent) + first
  let used = indent + width(stripVTControlCharacters(first))
  for (const word of words) {
    const room = width(stripVTControlCharacters(word))
    const fits = used + 1 + room <= columns
    text = fits ? `${text} ${word}` : `${text.trimEnd()}\n${' '.repeat(indent + 4)}${word}`
    used = fits ? used + 1 + room : indent + 4 + room
  }
  return text
}

// Each unit with its seconds, and from how many on the next one says it better.
const units = [
  ['second', 1, 60],
  ['minute', 60, 60],
  ['hour', 3600, 48],
  ['day', 86_400, 60],
  ['month', 2_629_746, 24],
  ['year', 31_556_952, Infinity],
] as const

/** `3 minutes ago`, `in 30 days`; `never` for no time at all. */
export function relativeTime(time: string | null, nowMs: number): string {
  if (time === null) return 'never'
  const seconds = (Date.parse(time) - nowMs) / 1000
  if (Number.isNaN(seconds)) return time
  if (Math.abs(seconds) < 5) return 'now'
  for (const [unit, size, countMax] of units) {
    const count = Math.round(Math.abs(seconds) / size)
    if (count >= countMax) continue
    const amount = `${count} ${unit}${count === 1 ? '' : 's'}`
    return seconds > 0 ? `in ${amount}` : `${amount} ago`
  }
  return time
}

/** Characters as people count them; wide scripts are not measured. */
function width(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  graphemes ??= new Intl.Segmenter('en')
  return Array.from(graphemes.segment(text)).length
}

// Made for the first text that needs it: it takes as long as the modules of a small command.
let graphemes: Intl.Segmenter | undefined
