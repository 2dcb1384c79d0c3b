/** A text in which `{$NAME:default}` is its default, with where each stretch came from. */
export interface Filled {
  readonly text: string
  /** The place in the file of a place in `text`. */
  origin(at: number): number
}

/**
 * Puts the defaults of variables in, as Caddy does before it reads anything else. A variable without one stays as it is written: what
 * it will be is not known.
 */
export function fillEnvironment(source: string): Filled {
  const parts: string[] = []
  const shifts: { readonly from: number; readonly by: number }[] = []
  let at = 0
  let length = 0
  for (;;) {
    const open = source.indexOf('{$', at)
    const close = open === -1 ? -1 : source.indexOf('}', open)
    if (close === -1) break
    const inner = source.slice(open + 2, close)
    const colon = inner.indexOf(':')
    const put = colon === -1 || inner === '' ? source.slice(open, close + 1) : inner.slice(colon + 1)
    parts.push(source.slice(at, open), put)
    length += open - at + put.length
    at = close + 1
    shifts.push({ from: length, by: at - length })
  }
  parts.push(source.slice(at))
  return { text: parts.join(''), origin: (place) => place + shiftAt(shifts, place) }
}

/** Whether a word holds a variable that has no default, or a placeholder of a request. */
export function isDynamic(word: string): boolean {
  return /\{[$\w.[\]-]/.test(word)
}

function shiftAt(shifts: readonly { readonly from: number; readonly by: number }[], place: number): number {
  let low = 0
  let high = shifts.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((shifts[middle]?.from ?? 0) <= place) low = middle + 1
    else high = middle
  }
  return shifts[low - 1]?.by ?? 0
}
