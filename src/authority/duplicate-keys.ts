const stringForm = /"(?:[^"\\]|\\.)*"/y
const blank = /[ \t\r\n]*/y

/**
 * Whether an object in a text of JSON, which MUST be one that `JSON.parse` takes, has the same name twice: parsers disagree on
 * which of the two counts, and so would we and the signer.
 */
export function hasDuplicateKeys(text: string): boolean {
  const open: Set<string>[] = []
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    if (char === '{' || char === '[') open.push(new Set())
    else if (char === '}' || char === ']') open.pop()
    else if (char === '"') {
      stringForm.lastIndex = at
      const literal = stringForm.exec(text)?.[0] ?? '"'
      blank.lastIndex = at + literal.length
      const next = blank.lastIndex + (blank.exec(text)?.[0].length ?? 0)
      // In JSON only the name of a member is followed by a colon.
      if (text[next] === ':' && isAgain(literal, open.at(-1))) return true
      at += literal.length - 1
    }
  }
  return false
}

function isAgain(literal: string, names: Set<string> | undefined): boolean {
  // Unescaped: the same name can be written in many ways.
  const name = String(JSON.parse(literal))
  if (names?.has(name) === true) return true
  names?.add(name)
  return false
}
