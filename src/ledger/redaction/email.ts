import type { Detector } from './detector.ts'

const localMax = 64
const domainMax = 255
// Each runs over a bounded slice beside one `@`.
const localEnd = /[\p{L}\p{N}._%+'-]+$/u
const domainStart = /^[\p{L}\p{N}.-]+/u
const topLevel = /^(?:\p{L}{2,24}|xn--[a-z0-9-]{2,59})$/iu
// `icon@2x.png` is a picture.
const picture = /^[1-9]x\.(?:png|jpe?g|gif|webp|svg|avif)$/i

/** E-mail addresses, with letters of any script. */
export const email: Detector = {
  name: 'email',
  mask: (text, hit) => {
    let masked = ''
    let from = 0
    for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
      const found = localEnd.exec(text.slice(Math.max(from, at - localMax), at))?.[0] ?? ''
      // In JSON text a line end is `\\n`, whose letter is not part of the address.
      const local = text[at - found.length - 1] === '\\' ? found.slice(1) : found
      const domain = domainOf(text.slice(at + 1, at + 1 + domainMax))
      const start = at - local.length
      // `git@host:path` and `postgres://app@host` name services, not persons.
      const service = local === 'git' || text.startsWith('://', start - 3)
      if (local === '' || service || domain === '') continue
      hit()
      masked += `${text.slice(from, start)}[email]`
      from = at + 1 + domain.length
    }
    return masked + text.slice(from)
  },
}

/** The longest start of the text that is a domain name with a top level; empty where there is none. */
function domainOf(text: string): string {
  const labels = (domainStart.exec(text)?.[0] ?? '').split('.')
  while (labels.length > 1 && !topLevel.test((labels.at(-1) ?? '').replace(/-+$/, ''))) labels.pop()
  const domain = labels.join('.').replace(/-+$/, '')
  const whole = labels.length > 1 && labels.every((label) => label !== '')
  return whole && !picture.test(domain) ? domain : ''
}
