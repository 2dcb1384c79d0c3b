const form = /^([1-9]\d{0,8})([smhdw])$/
const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** Milliseconds of `90s`, `15m`, `24h`, `7d` or `2w`; undefined where it is none. */
export function durationMsOf(text: string): number | undefined {
  const [, count, unit] = form.exec(text) ?? []
  return count === undefined || unit === undefined ? undefined : Number(count) * (unitMs[unit] ?? Number.NaN)
}
