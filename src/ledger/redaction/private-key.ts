import type { Detector } from './detector.ts'

const begin = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d:|AGE-SECRET-KEY-1/g
const signs = ['PRIVATE KEY', 'PuTTY-', 'AGE-SECRET']
// What may stand between the marks: headers, base64 and line ends.
const inside = /[A-Za-z0-9+/=\s:,.()_-]*/y

/** Private keys in PEM, also where the end was cut off, and those of PuTTY and age. */
export const privateKey: Detector = {
  name: 'private_key',
  find: ({ view }, found) => {
    if (!signs.some((sign) => view.includes(sign))) return
    let from = 0
    for (const match of view.matchAll(begin)) {
      if (match.index < from) continue
      inside.lastIndex = match.index + match[0].length
      inside.exec(view)
      // The marks are made of characters that the inside may hold, so that its run ends behind the last of them.
      from = Math.max(inside.lastIndex, match.index + match[0].length)
      found(match.index, trimmedEnd(view, from), '[private key]')
    }
  },
}

/** What stands behind the last mark of a key's end is text again, where there is one. */
function trimmedEnd(view: string, end: number): number {
  let at = end
  while (at > 0 && /\s/.test(view[at - 1] ?? '')) at -= 1
  return at
}
