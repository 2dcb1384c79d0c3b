import { Unreadable } from '../unreadable.ts'

/** A word of a Caddyfile. Offsets are positions in the text that was read. */
export interface Token {
  readonly text: string
  readonly start: number
  readonly end: number
  /** The line that it starts on, from 0, counting as Caddy does: a line end behind a backslash is none. */
  readonly line: number
  /** How many further lines it spans. */
  readonly lines: number
  readonly quote: '' | '"' | '`' | '<'
}

// Each takes memory, and nobody writes as many.
const tokensMax = 200_000

/** Splits a Caddyfile into words as Caddy does: quotes, backticks, heredocs, comments, escaped line ends. */
export function lexCaddyfile(text: string): readonly Token[] {
  const tokens: Token[] = []
  let line = 0
  let at = 0
  while (at < text.length) {
    const char = text[at] ?? ''
    if (char === '\n') {
      line += 1
      at += 1
    } else if (/\s/.test(char)) at += 1
    else if (char === '\\' && /^\\\r?\n/.test(text.slice(at, at + 3))) at = text.indexOf('\n', at) + 1
    else if (char === '#') {
      const end = text.indexOf('\n', at)
      at = end === -1 ? text.length : end
    } else {
      const token = tokenAt(text, at, line)
      tokens.push(token)
      if (tokens.length > tokensMax) throw new Unreadable(at, `It has more than ${tokensMax} words.`)
      line += token.lines
      at = token.end
    }
  }
  return tokens
}

function tokenAt(text: string, start: number, line: number): Token {
  const char = text[start]
  if (char === '"' || char === '`') return quotedAt(text, start, line, char)
  const heredoc = heredocAt(text, start, line)
  return heredoc ?? plainAt(text, start, line)
}

// In quotes `\"` is a quote and every other backslash is one; in backticks nothing is escaped. A quote that is never closed ends with
// the file, as it does for Caddy.
function quotedAt(text: string, start: number, line: number, quote: '"' | '`'): Token {
  let at = start + 1
  const parts: string[] = []
  let from = at
  while (at < text.length && text[at] !== quote) {
    if (quote === '"' && text[at] === '\\' && text[at + 1] === '"') {
      parts.push(text.slice(from, at))
      from = at + 1
      at += 2
    } else at += 1
  }
  parts.push(text.slice(from, at))
  const end = Math.min(at + 1, text.length)
  return { text: parts.join(''), start, end, line, lines: newlines(text, start, end), quote }
}

function heredocAt(text: string, start: number, line: number): Token | undefined {
  if (!text.startsWith('<<', start)) return undefined
  const lineEnd = text.indexOf('\n', start)
  const opening = text.slice(start + 2, lineEnd === -1 ? text.length : lineEnd).replace(/\r$/, '')
  // With a space in it, it is an ordinary word.
  if (lineEnd === -1 || opening.includes(' ')) return undefined
  if (opening === '') throw new Unreadable(start, 'A heredoc needs a marker: `<<END`.')
  if (!/^[A-Za-z0-9_-]+$/.test(opening))
    throw new Unreadable(start, 'The marker of a heredoc is made of letters, digits, dashes and underscores.')
  const closing = new RegExp(`^([^\\S\\n]*)${opening}(?![^\\s])`, 'm')
  const body = text.slice(lineEnd + 1)
  const found = closing.exec(body)
  if (found === null) throw new Unreadable(start, `The heredoc <<${opening} is never closed.`)
  const [, padding = ''] = found
  const lines = body.slice(0, found.index).replaceAll('\r', '').split('\n').slice(0, -1)
  for (const each of lines)
    if (each !== '' && !each.startsWith(padding))
      throw new Unreadable(start, `A line of the heredoc <<${opening} is not indented like its end.`)
  const end = lineEnd + 1 + found.index + padding.length + opening.length
  const content = lines.map((each) => each.slice(padding.length)).join('\n')
  return { text: content, start, end, line, lines: newlines(text, start, end), quote: '<' }
}

// A line end behind a backslash ends the word and no line.
function plainAt(text: string, start: number, line: number): Token {
  let at = start
  while (at < text.length && !/\s/.test(text[at] ?? '')) {
    if (text[at] === '\\' && /^\\\r?\n/.test(text.slice(at, at + 3))) break
    at += 1
  }
  const word = text.slice(start, at)
  // `\<<` is how a word that is no heredoc begins.
  return { text: word.startsWith('\\<') ? word.slice(1) : word, start, end: at, line, lines: 0, quote: '' }
}

function newlines(text: string, start: number, end: number): number {
  return text.slice(start, end).split('\n').length - 1
}
