import type { SourceFile, Spot } from '../source-file.ts'

/** A line `key = value` of an INI file. */
export interface IniLine {
  /** The section that it stands in; empty before the first one. */
  readonly section: string
  readonly key: string
  /** Without the quotes around it. */
  readonly value: string
  /** Of the value. */
  readonly spot: Spot
}

/** Reads a file of INI lines, as `.npmrc` and `pip.conf` are: comments begin with `#` or `;`, what is no assignment is skipped. */
export function parseIni(file: SourceFile): readonly IniLine[] {
  const lines: IniLine[] = []
  let section = ''
  let at = 0
  for (const line of file.text.split('\n')) {
    const start = at
    at += line.length + 1
    const text = line.trim()
    if (text === '' || text.startsWith('#') || text.startsWith(';')) continue
    if (text.startsWith('[') && text.endsWith(']')) {
      section = text.slice(1, -1).trim()
      continue
    }
    const sign = line.indexOf('=')
    if (sign === -1) continue
    const written = line.slice(sign + 1)
    const trimmed = written.trim()
    const from = start + sign + 1 + (written.length - written.trimStart().length)
    lines.push({
      section,
      key: line.slice(0, sign).trim(),
      value: /^(["']).*\1$/.test(trimmed) ? trimmed.slice(1, -1) : trimmed,
      spot: { file, start: from, end: from + trimmed.length },
    })
  }
  return lines
}
