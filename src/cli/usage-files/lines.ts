import { parseNanoUsd, type TokenClasses } from '#core'

/** One line as the server takes it, and where it stood. */
export interface UsageLine {
  /** `line 12`, `page 1, data[3].results[2]`. */
  readonly at: string
  readonly day: string
  readonly provider: string
  readonly model: string
  readonly providerKey: string
  readonly tokens: TokenClasses
  /** Undefined where the line says nothing about money. */
  readonly chargedNanoUsd: bigint | undefined
  readonly currency: string
  readonly requests: bigint
}

export interface BadLine {
  readonly at: string
  readonly why: string
}

/** What a file holds. Lines that cannot be read are named and never sent; the others are. */
export interface UsageFile {
  readonly lines: readonly UsageLine[]
  readonly bad: readonly BadLine[]
  /** The provider says that there is more than this file has. */
  readonly incomplete: boolean
}

/** Of far more lines nobody would read the report. */
export const linesMax = 500_000

export const noTokens: TokenClasses = { input: 0n, cachedRead: 0n, cacheWrite: 0n, output: 0n, reasoning: 0n }

/** Thrown inside one line, and told with its place. */
export class BadValue extends Error {}

export function fail(why: string): never {
  throw new BadValue(why)
}

/** A whole number that is not negative; nothing is 0. */
export function countOf(name: string, value: unknown): bigint {
  if (value === undefined || value === null || value === '') return 0n
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
  if (typeof text !== 'string' || !/^\d{1,16}$/.test(text)) return fail(`${name} must be a whole number from 0 on`)
  return BigInt(text)
}

/** An amount of money, as many `parts` to the dollar (100 for cents), in nano-USD. */
export function amountOf(name: string, value: unknown, parts = 1n): bigint {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string') return fail(`${name} is missing`)
  // OpenAI writes nothing as 0E-6176.
  if (/^0(?:\.0+)?(?:[eE][+-]?\d+)?$/.test(text)) return 0n
  if (text.startsWith('-')) return fail(`${name} is negative: a refund is no use; correct it at the provider's invoice`)
  const nano = parseNanoUsd(text)
  if (nano === undefined) return fail(`${name} must be a decimal such as 12.34`)
  return (nano * 2n + parts) / (parts * 2n)
}

export function dayOf(name: string, value: unknown): string {
  const ms =
    typeof value === 'number' && Number.isSafeInteger(value)
      ? value * 1000
      : typeof value === 'string' && /^\d{4}-\d{2}-\d{2}(?:T|$)/.test(value)
        ? Date.parse(value)
        : NaN
  if (Number.isNaN(ms) || Math.abs(ms) > 8e15) return fail(`${name} must be a day or a time`)
  const day = new Date(ms).toISOString().slice(0, 10)
  // 2026-02-30 would be read as the second of March.
  if (typeof value === 'string' && value.length === 10 && value !== day)
    return fail(`${name} is no day of the calendar`)
  return day
}

export function textOf(name: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') return fail(`${name} must be text`)
  return value.trim()
}

/** Lines of one day, model, key and currency as one: providers split them by tier and by kind of token. */
export function summed(lines: readonly UsageLine[]): readonly UsageLine[] {
  const sums = new Map<string, UsageLine>()
  for (const line of lines) {
    const { day, provider, model, providerKey, currency, chargedNanoUsd } = line
    const name = JSON.stringify([day, provider, model, providerKey, currency, chargedNanoUsd === undefined])
    const known = sums.get(name)
    if (known === undefined) sums.set(name, line)
    else {
      sums.set(name, {
        ...known,
        tokens: {
          input: known.tokens.input + line.tokens.input,
          cachedRead: known.tokens.cachedRead + line.tokens.cachedRead,
          cacheWrite: known.tokens.cacheWrite + line.tokens.cacheWrite,
          output: known.tokens.output + line.tokens.output,
          reasoning: known.tokens.reasoning + line.tokens.reasoning,
        },
        chargedNanoUsd: chargedNanoUsd === undefined ? undefined : (known.chargedNanoUsd ?? 0n) + chargedNanoUsd,
        requests: known.requests + line.requests,
      })
    }
  }
  return [...sums.values()]
}
