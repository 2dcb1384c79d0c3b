/**
 * The text with the same length, in which escapes of JSON, URLs and terminals are the blanks, quotes and signs that they stand for,
 * so that a value which follows one begins there: in `{"log":"failed\\nsk-…"}` the letter n is no part of the key. Pseudonyms
 * are blanks, because they have been masked already.
 */
export function viewOf(text: string): string {
  if (!escaped.test(text)) return text
  return text.replace(escapes, (found) => standsFor(found).padStart(found.length, ' '))
}

// oxlint-disable-next-line no-control-regex -- colours of a terminal begin with it
const escaped = /[\\%\x1b]|h1:/
// A run of backslashes begins where none stands before it, so that no run is read twice.
const escapes =
  // oxlint-disable-next-line no-control-regex -- as above
  /(?<!\\)\\+(?:[nrtbf"'`/]|u[0-9A-Fa-f]{4})|%(?:0[ADad9]|2[0267Cc]|3[ABDabd]|5[BDbd]|7[BDbd])|\x1b\[[0-9;]{0,16}m|(?<![A-Za-z0-9])h1:\d{1,9}:[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])/g

const signs: ReadonlyMap<string, string> = new Map([
  ['%22', '"'],
  ['%26', '&'],
  ['%27', "'"],
  ['%3a', ':'],
  ['%3d', '='],
])

function standsFor(escape: string): string {
  if (escape.startsWith('%')) return signs.get(escape.toLowerCase()) ?? ' '
  const last = escape.at(-1) ?? ''
  if (escape.startsWith('\\') && quotes.has(last)) return last
  // \u003d and its like: JSON encoders for HTML write = & < > " ' so.
  if (escape.startsWith('\\') && escape.length >= 6) {
    const sign = String.fromCharCode(Number.parseInt(escape.slice(-4), 16))
    return unicodeSigns.has(sign) ? sign : ' '
  }
  return ' '
}

const quotes = new Set(['"', "'", '`', '/'])
const unicodeSigns = new Set(['=', '&', '<', '>', '"', "'"])
