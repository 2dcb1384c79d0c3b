interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  /** Words for its numbers, from `min` on. */
  readonly words?: readonly string[]
}

const fields: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, words: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ') },
  { name: 'day of the week', min: 0, max: 7, words: 'sun mon tue wed thu fri sat'.split(' ') },
]

/** Why the text is no cron expression of five fields: numbers, names, lists, ranges and steps. Undefined where it is one. */
export function cronProblem(text: string): string | undefined {
  const parts = text.trim().split(/\s+/)
  if (parts.length !== fields.length) return `It has ${parts.length} fields; a schedule has five, such as 17 3 * * *.`
  for (const [at, field] of fields.entries()) {
    const wrong = (parts[at] ?? '').split(',').find((part) => !isPart(part, field))
    if (wrong !== undefined) return `${wrong === '' ? 'Nothing' : wrong.slice(0, 20)} is no ${field.name}.`
  }
  return neverComes(parts) ? 'No such month has such a day: it would never run.' : undefined
}

/** Days that none of the months has, where nothing else makes it due. */
function neverComes([, , days = '', months = '', weekdays = '']: readonly string[]): boolean {
  const [, , day, month] = fields
  if (day === undefined || month === undefined || weekdays !== '*' || !/^[\d,]+$/.test(days)) return false
  const named = months.split(',').map((text) => valueOf(text, month))
  const first = Math.min(...days.split(',').map(Number))
  return named.every((one) => one !== undefined && first > (longest[one - 1] ?? 31))
}

const longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

export function timeZoneProblem(name: string): string | undefined {
  try {
    Intl.DateTimeFormat('en', { timeZone: name }).format(0)
    return undefined
  } catch {
    return 'There is no such time zone; one is Europe/Berlin, or UTC.'
  }
}

function isPart(text: string, field: Field): boolean {
  const [range = '', step, ...rest] = text.split('/')
  if (rest.length > 0 || (step !== undefined && !(/^\d{1,2}$/.test(step) && Number(step) > 0))) return false
  if (range === '*') return true
  const ends = range.split('-').map((end) => valueOf(end, field))
  if (ends.length > 2 || ends.some((end) => end === undefined)) return false
  const [first = 0, last = field.max] = ends
  return ends.length === 1 || first <= last
}

function valueOf(text: string, { min, max, words = [] }: Field): number | undefined {
  const word = words.indexOf(text.toLowerCase())
  if (word >= 0) return word + min
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : undefined
}
