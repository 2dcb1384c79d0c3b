import type { Detector } from './detector.ts'

const localMax = 64
const domainMax = 255
// Each runs over a bounded slice beside one `@`.
const localEnd = /[\p{L}\p{N}._%+'-]+$/u
const domainStart = /^[\p{L}\p{N}.-]+/u
const topLevel = /^(?:\p{L}{2,24}|xn--[a-z0-9-]{2,59})$/iu
// `icon@2x.png` is a picture.
const picture = /^[1-9]x\.(?:png|jpe?g|gif|webp|svg|avif)$/i
const percentAt = '%40'

/** E-mail addresses, with letters of any script; also with `%40` for the sign, as URLs have them. */
export const email: Detector = {
  name: 'email',
  personal: true,
  find: ({ view }, found) => {
    let from = 0
    for (const { at, length } of signs(view)) {
      const local = (localEnd.exec(view.slice(Math.max(from, at - localMax), at))?.[0] ?? '').replace(/^['.%-]+/, '')
      const domain = domainOf(view.slice(at + length, at + length + domainMax))
      const start = at - local.length
      // `git@host:path` and `postgres://app@host` name services, not persons.
      const service = local === 'git' || view.startsWith('://', start - 3)
      if (local === '' || service || domain === '') continue
      from = at + length + domain.length
      found(start, from, '[email]')
    }
  },
}

function* signs(view: string): Iterable<{ readonly at: number; readonly length: number }> {
  for (const { index, 0: sign } of view.matchAll(/@|%40/g))
    yield { at: index, length: sign === '@' ? 1 : percentAt.length }
}

/** The longest start of the text that is a domain name with a top level; empty where there is none. */
function domainOf(text: string): string {
  const labels = (domainStart.exec(text)?.[0] ?? '').split('.')
  while (labels.length > 1 && !topLevel.test((labels.at(-1) ?? '').replace(/-+$/, ''))) labels.pop()
  const domain = labels.join('.').replace(/-+$/, '')
  const whole = labels.length > 1 && labels.every((label) => label !== '')
  return whole && !picture.test(domain) ? domain : ''
}
