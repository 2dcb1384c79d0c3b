import type { Detector } from './detector.ts'

const begin = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g
// What may stand between the marks: headers, base64, line ends, and line ends as JSON writes them.
const inside = /(?:[A-Za-z0-9+/=\s:,.()_-]|\\[nrt])*/y

/** PEM private keys, also where the end was cut off. */
export const privateKey: Detector = {
  name: 'private_key',
  mask: (text, hit) => {
    let masked = ''
    let from = 0
    for (const match of text.matchAll(begin)) {
      if (match.index < from) continue
      hit()
      inside.lastIndex = match.index + match[0].length
      inside.exec(text)
      const until = inside.lastIndex
      masked += `${text.slice(from, match.index)}[private key]`
      // The marks are made of characters that the inside may hold, so that its run ends behind the last of them.
      from = until
    }
    return masked + text.slice(from)
  },
}
