const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const plainForm = /^(\d{1,9})(ms|s|m|h|d)$/
const clockForm = /^(?:(\d{1,3})\.)?(\d{2}):([0-5]\d):([0-5]\d)$/
const isoForm = /^P(?:(\d{1,3})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?$/

/** Milliseconds of `10s`, `00:00:10` or `PT10S`. Throws an Error that says what to write. */
export function parseDuration(text: string): number {
  const plain = plainForm.exec(text)
  if (plain) return Number(plain[1]) * (unitMs[plain[2] ?? ''] ?? Number.NaN)
  const parts = clockForm.exec(text) ?? (text.length > 1 ? isoForm.exec(text) : null)
  const [days, hours, minutes, seconds] = (parts ?? []).slice(1).map((part) => Number(part ?? 0))
  if (days === undefined || hours === undefined || minutes === undefined || seconds === undefined)
    throw new Error('This is not a duration: write one such as 500ms, 10s, 5m, 1h, 00:00:10 or PT10S.')
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
}
