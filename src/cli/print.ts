import { styleText } from 'node:util'

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

const steps = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Infinity],
] as const

/** `3 minutes ago`, `in 29 days`; `never` for no time at all. */
export function relativeTime(time: string | null, nowMs: number): string {
  if (time === null) return 'never'
  const ms = Date.parse(time)
  if (Number.isNaN(ms)) return time
  let amount = Math.abs(ms - nowMs) / 1000
  for (const [unit, size] of steps) {
    const count = Math.floor(amount)
    if (count < size) return phrase(count, unit, ms > nowMs)
    amount /= size
  }
  return time
}

function phrase(count: number, unit: string, isFuture: boolean): string {
  if (unit === 'second' && count < 5) return 'now'
  const amount = `${count} ${unit}${count === 1 ? '' : 's'}`
  return isFuture ? `in ${amount}` : `${amount} ago`
}

/** Characters as people count them; wide scripts are not measured. */
function width(text: string): number {
  return [...text].length
}
