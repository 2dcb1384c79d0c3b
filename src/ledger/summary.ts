import type { Json } from '#core'
import { isSecretName, isTokenCount, redacted } from './redaction/names.ts'
import { maskText } from './redaction/redact.ts'

export interface SummaryLimits {
  readonly stringChars: number
  readonly listItems: number
  readonly members: number
  readonly depth: number
}

export const summaryLimits: SummaryLimits = { stringChars: 256, listItems: 20, members: 64, depth: 6 }

/**
 * Arguments as the ledger keeps them (SPEC L2, L3): secrets taken out by name and by form, long things cut and marked with
 * `…`. The result is fit for canonicalJson whatever the caller sent: fractions become strings, broken text becomes U+FFFD.
 */
export function summarizeArguments(value: Json, limits: SummaryLimits = summaryLimits): Json {
  return summarize(value, limits, '', false, 0)
}

/** `secret`: below a member whose name says so; then only counts of tokens and emptiness stay. */
function summarize(value: Json, limits: SummaryLimits, name: string, secret: boolean, depth: number): Json {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'object') {
    if (depth >= limits.depth) return '…'
    return isList(value)
      ? summarizeList(value, limits, name, secret, depth)
      : summarizeObject(value, limits, name, secret, depth)
  }
  if (secret && value !== '' && !isTokenCount(name, value)) return redacted
  if (typeof value === 'number') return Number.isSafeInteger(value) ? maskNumber(value) : String(value)
  return cut(value, limits.stringChars)
}

function summarizeList(
  list: readonly Json[],
  limits: SummaryLimits,
  name: string,
  secret: boolean,
  depth: number,
): Json {
  const items = list.slice(0, limits.listItems).map((item) => summarize(item, limits, name, secret, depth + 1))
  return list.length > items.length ? [...items, `… ${list.length - items.length} more`] : items
}

function summarizeObject(
  object: { readonly [key: string]: Json | undefined },
  limits: SummaryLimits,
  name: string,
  secret: boolean,
  depth: number,
): Json {
  const members = Object.entries(object).filter((member): member is [string, Json] => member[1] !== undefined)
  const kept = members.slice(0, limits.members).map(([key, value]): [string, Json] => {
    // The members of `tokens {input, output}` are counts of tokens too.
    const named = secret ? name : key
    return [cut(key, limits.stringChars), summarize(value, limits, named, secret || isSecretName(key), depth + 1)]
  })
  if (members.length > kept.length) kept.push(['…', `${members.length - kept.length} more`])
  // fromEntries defines members, so that a key named __proto__ is data.
  return Object.fromEntries(kept)
}

// The shortest card number has 13 digits.
const cardLeast = 1e12

function maskNumber(value: number): Json {
  if (value < cardLeast) return value
  const text = String(value)
  const masked = maskText(text)
  return masked === text ? value : masked
}

// A secret that begins before the cut is seen whole, so that no part of it stays.
const lookBehindCutChars = 512

function cut(text: string, chars: number): string {
  const masked = maskText(text.length > chars + lookBehindCutChars ? text.slice(0, chars + lookBehindCutChars) : text)
  const whole = masked.length <= chars && text.length <= chars + lookBehindCutChars
  const clean = (whole ? masked : masked.slice(0, chars)).toWellFormed().replaceAll('\0', '\ufffd')
  return whole ? clean : `${clean}… (${text.length} chars)`
}

// Array.isArray does not narrow readonly arrays.
function isList(value: object): value is readonly Json[] {
  return Array.isArray(value)
}
