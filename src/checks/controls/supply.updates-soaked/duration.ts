const unitHours: Readonly<Record<string, number>> = {
  ms: 1 / 3_600_000,
  s: 1 / 3600,
  m: 1 / 60,
  h: 1,
  d: 24,
  w: 24 * 7,
  mo: 24 * 30,
  y: 24 * 365.25,
}
const unitNames: readonly (readonly [RegExp, keyof typeof unitHours])[] = [
  [/^(?:milliseconds?|msecs?|ms)?$/i, 'ms'],
  [/^(?:seconds?|secs?|s)$/i, 's'],
  [/^(?:months?|mo)$/i, 'mo'],
  [/^(?:minutes?|mins?|m)$/, 'm'],
  [/^M$/, 'mo'],
  [/^(?:hours?|hrs?|h)$/i, 'h'],
  [/^(?:days?|d)$/i, 'd'],
  [/^(?:weeks?|w)$/i, 'w'],
  [/^(?:years?|yrs?|y)$/i, 'y'],
]

/**
 * Days of a stretch of time as Renovate reads it: `3 days`, `72h`, `1 week 2 days`; a bare number is milliseconds.
 * Undefined where it is none. After https://github.com/renovatebot/renovate/blob/main/lib/util/pretty-time.ts
 */
export function daysOf(text: string): number | undefined {
  if (text.length > 100 || text.trim() === '') return undefined
  let rest = text.trim()
  let hours = 0
  while (rest !== '') {
    const [part, amount = '', name = ''] = /^(\d{1,9}(?:\.\d{1,9})?) *([a-z]*)\s*/i.exec(rest) ?? []
    const unit = unitNames.find(([pattern]) => pattern.test(name))?.[1]
    if (part === undefined || unit === undefined) return undefined
    hours += Number(amount) * (unitHours[unit] ?? 0)
    rest = rest.slice(part.length)
  }
  return hours / 24
}
