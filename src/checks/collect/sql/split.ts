/** One statement of a script, without its semicolon. */
export interface Piece {
  readonly start: number
  readonly end: number
  /** It takes back what the file does, and runs only when somebody goes back. */
  readonly undo: boolean
}

const undoMark = /^--\s*(?:\+(?:goose|migrate)\s+down|migrate:down|\/\/@undo|rollback\b|down\b\s*$)/i
const doMark = /^--\s*(?:\+(?:goose|migrate)\s+up|migrate:up|changeset\b|up\b\s*$)/i
const copyFromInput = /^copy\b[^;]{0,2000}\bfrom\s+stdin\b/i

/**
 * Cuts a script of psql into statements: quotes, dollar quotes, nested comments, `begin atomic` bodies, meta-commands (`\i`, `\connect`) and the
 * rows behind `copy … from stdin` are no ends of statements. Linear, and never fails: what is open at the end ends there.
 */
export function splitSql(text: string): readonly Piece[] {
  const pieces: Piece[] = []
  let undo = false
  let start = -1
  let at = 0
  let atomic = 0
  let parentheses = 0
  const close = (end: number): void => {
    if (start !== -1) pieces.push({ start, end: trimmedEnd(text, start, end), undo })
    start = -1
    atomic = 0
    parentheses = 0
  }
  while (at < text.length) {
    const char = text.charAt(at)
    if (char === '-' && text[at + 1] === '-') {
      const end = lineEnd(text, at)
      const comment = text.slice(at, Math.min(end, at + 200)).trim()
      if (undoMark.test(comment)) undo = true
      else if (doMark.test(comment)) undo = false
      at = end
    } else if (char === '/' && text[at + 1] === '*') at = commentEnd(text, at)
    else if (char === ';' && atomic === 0 && parentheses <= 0) {
      const isCopy = start !== -1 && copyFromInput.test(text.slice(start, Math.min(at, start + 2100)))
      close(at)
      at = isCopy ? rowsEnd(text, at) : at + 1
    } else if (char === '\\' && (start === -1 || text[at + 1] === 'g')) {
      // A meta-command takes its line; \g and \gexec send what stands before them.
      close(at)
      at = lineEnd(text, at)
    } else if (char <= ' ' || char === '\u00A0') at += 1
    else {
      if (start === -1) start = at
      if (char === '(') parentheses += 1
      else if (char === ')') parentheses -= 1
      const [next, word] = tokenEnd(text, at)
      if (word === 'atomic' || (word === 'case' && atomic > 0)) atomic += 1
      else if (word === 'end' && atomic > 0) atomic -= 1
      at = next
    }
  }
  close(text.length)
  return pieces
}

const wordStart = /[A-Za-z_\u0080-\uFFFF]/
const word = /[\w$\u0080-\uFFFF]*/y

/** The end of the quoted text, the word or the character at an offset, and the word. */
function tokenEnd(text: string, at: number): readonly [number, string?] {
  const char = text.charAt(at)
  if (char === '"') return [quoteEnd(text, at, false)]
  if (char === "'") return [quoteEnd(text, at, /[eE]/.test(text.charAt(at - 1)) && !/\w/.test(text.charAt(at - 2)))]
  if (char === '$') return [dollarEnd(text, at)]
  if (!wordStart.test(char)) return [at + 1]
  word.lastIndex = at
  word.test(text)
  // The word before a quote may be its prefix, as in e'…'.
  return [word.lastIndex, text.slice(at, Math.min(word.lastIndex, at + 20)).toLowerCase()]
}

function quoteEnd(text: string, start: number, escapes: boolean): number {
  const quote = text.charAt(start)
  for (let at = start + 1; at < text.length; at += 1) {
    if (escapes && text[at] === '\\') at += 1
    else if (text[at] === quote) {
      if (text[at + 1] !== quote) return at + 1
      at += 1
    }
  }
  return text.length
}

function dollarEnd(text: string, at: number): number {
  const [tag] = /^\$(?:[A-Za-z_\u0080-\uFFFF][\w\u0080-\uFFFF]{0,62})?\$/.exec(text.slice(at, at + 66)) ?? []
  if (tag === undefined) return at + 1
  const end = text.indexOf(tag, at + tag.length)
  return end === -1 ? text.length : end + tag.length
}

function commentEnd(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    if (text[at] === '/' && text[at + 1] === '*') {
      depth += 1
      at += 2
    } else if (text[at] === '*' && text[at + 1] === '/') {
      depth -= 1
      at += 2
      if (depth === 0) return at
    } else at += 1
  }
  return text.length
}

// The rows end with a line of `\.`.
function rowsEnd(text: string, from: number): number {
  const end = /^\\\.\r?$/gm
  end.lastIndex = from
  return end.test(text) ? end.lastIndex : text.length
}

function lineEnd(text: string, from: number): number {
  const newline = text.indexOf('\n', from)
  return newline === -1 ? text.length : newline
}

function trimmedEnd(text: string, start: number, end: number): number {
  let at = end
  while (at > start && /\s/.test(text.charAt(at - 1))) at -= 1
  return at
}
