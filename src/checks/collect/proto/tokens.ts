import { Unreadable } from '../unreadable.ts'

export interface Token {
  readonly kind: 'word' | 'number' | 'text' | 'symbol' | 'end'
  /** Of a text: what stands between its quotes. */
  readonly text: string
  readonly start: number
  readonly end: number
}

const wordStart = /[A-Za-z_]/
const word = /\w+/y
const number = /[0-9.][\w.]*/y

/** The tokens of a .proto file; comments are left out. The last one has kind `end`. */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < source.length) {
    const char = source.charAt(at)
    if (char <= ' ' || char === '\uFEFF') at += 1
    else if (source.startsWith('//', at)) {
      const newline = source.indexOf('\n', at)
      at = newline === -1 ? source.length : newline
    } else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2)
      if (end === -1) throw new Unreadable(at, 'This comment is never closed.')
      at = end + 2
    } else {
      const token = tokenAt(source, at, char)
      tokens.push(token)
      at = token.end
    }
  }
  return [...tokens, { kind: 'end', text: '', start: source.length, end: source.length }]
}

function tokenAt(source: string, start: number, char: string): Token {
  if (char === '"' || char === "'") {
    const end = quoteEnd(source, start)
    return { kind: 'text', text: source.slice(start + 1, end - 1), start, end }
  }
  const [kind, pattern] = wordStart.test(char) ? (['word', word] as const) : (['number', number] as const)
  pattern.lastIndex = start
  if (!/[\w.]/.test(char) || (char === '.' && !/[0-9]/.test(source.charAt(start + 1))) || !pattern.test(source))
    return { kind: 'symbol', text: char, start, end: start + 1 }
  return { kind, text: source.slice(start, pattern.lastIndex), start, end: pattern.lastIndex }
}

function quoteEnd(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at += 1) {
    const char = source.charAt(at)
    if (char === '\\') at += 1
    else if (char === source.charAt(start)) return at + 1
    else if (char === '\n') break
  }
  throw new Unreadable(start, 'This string is never closed.')
}
