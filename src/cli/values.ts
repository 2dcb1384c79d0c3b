import { InvalidArgumentError } from 'commander'

export { integerBetween } from './integers.ts'

const unitMs = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 604_800_000],
])
const timePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/
const latestMs = Date.UTC(9999, 11, 31)
const expiryHelp = 'Write how long from now, such as 30d, 12h or 45m, or a time such as 2027-01-31T00:00:00Z.'

/** The time at which something expires, RFC 3339 in UTC: from a duration (`30d`) or a time with its zone. */
export function parseExpiry(text: string, nowMs: number): string {
  const atMs = fromNow(text, nowMs) ?? fromTime(text)
  if (atMs === undefined) throw new InvalidArgumentError(expiryHelp)
  if (atMs <= nowMs) throw new InvalidArgumentError(`That is in the past. ${expiryHelp}`)
  if (atMs > latestMs) throw new InvalidArgumentError(`That is after the year 9999. ${expiryHelp}`)
  return new Date(atMs).toISOString()
}

/** Whole seconds of a duration such as `24h`; `0` is none. */
export function parseDuration(maxSeconds: number): (text: string) => number {
  return (text) => {
    const seconds = text === '0' ? 0 : (fromNow(text, 0) ?? Number.NaN) / 1000
    if (seconds <= maxSeconds) return seconds
    throw new InvalidArgumentError(
      `Write how long, such as 24h or 45m, at most ${maxSeconds / 86_400}d; 0 is not at all.`,
    )
  }
}

/** A time with its zone, RFC 3339 in UTC. */
export function parseMoment(text: string): string {
  const ms = fromTime(text)
  if (ms === undefined) throw new InvalidArgumentError('Write a time with its zone, such as 2026-11-21T18:45:29Z.')
  return new Date(ms).toISOString()
}

/** `name=value`, once per option. */
export function parseLabel(
  text: string,
  earlier: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Write name=value, such as team=search.')
  const name = text.slice(0, at)
  if (Object.hasOwn(earlier, name)) throw new InvalidArgumentError(`The label ${name} is given twice.`)
  return Object.fromEntries([...Object.entries(earlier), [name, text.slice(at + 1)]])
}

export function collect(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text]
}

/** A whole number as decimal text, for the 64-bit numbers of the contract. */
export function wholeText(text: string): string {
  if (/^\d{1,18}$/.test(text)) return String(BigInt(text))
  throw new InvalidArgumentError('Write a whole number of at most 18 digits.')
}

export function integerText(text: string): number {
  if (/^-?\d{1,7}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a whole number of at most 7 digits.')
}

/** Milliseconds of a duration such as `1500ms` or `30s`, as decimal text; `0` is none. */
export function parseMilliseconds(text: string): string {
  const ms = /^(\d{1,12})ms$/.exec(text)?.[1] ?? (text === '0' ? '0' : fromNow(text, 0))
  if (ms === undefined) throw new InvalidArgumentError('Write how long, such as 1500ms, 30s or 5m.')
  return String(ms)
}

function fromNow(text: string, nowMs: number): number | undefined {
  const [, count, unit = ''] = /^([1-9]\d{0,8})([a-z])$/.exec(text) ?? []
  const ms = unitMs.get(unit)
  return ms === undefined ? undefined : nowMs + Number(count) * ms
}

function fromTime(text: string): number | undefined {
  if (!timePattern.test(text)) return undefined
  // Date.parse takes 30 February for 2 March; the day alone, read back, shows it.
  const day = text.slice(0, 10)
  const dayMs = Date.parse(`${day}T00:00:00Z`)
  const ms = Date.parse(text)
  return Number.isNaN(ms) || Number.isNaN(dayMs) || new Date(dayMs).toISOString().slice(0, 10) !== day ? undefined : ms
}
