import { parse, type ParsedScript } from 'unbash'

// No script that people read has as many.
const scriptCharsMax = 1024 * 1024
const nestedMax = 200
const backticksMax = 5000

/** The tree of a script. Throws a RangeError where it is so long, or so deeply nested, that it would take minutes or all memory. */
export function parseScript(text: string): ParsedScript {
  if (text.length > scriptCharsMax) throw new RangeError('The script is too long to be read.')
  let depth = 0
  let quotes = 0
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]
    // Each opening one is looked through up to its end, and again by all that it is in.
    if (char === '(' || (char === '{' && text[at - 1] === '$')) depth += 1
    else if ((char === ')' || char === '}') && depth > 0) depth -= 1
    else if (char === '`') quotes += 1
    if (depth > nestedMax || quotes > backticksMax) throw new RangeError('The script is nested too deeply to be read.')
  }
  return parse(text)
}
