import type { Json } from '#core'
import { isPersonalName, isSecretName, isTokenCount, redacted } from './redaction/names.ts'
import { maskedNumber } from './redaction/mask-json.ts'
import type { Pseudonym } from './redaction/pseudonym.ts'
import { maskText } from './redaction/redact.ts'

export interface SummaryLimits {
  readonly stringChars: number
  readonly listItems: number
  readonly members: number
  readonly depth: number
}

export const summaryLimits: SummaryLimits = { stringChars: 256, listItems: 20, members: 64, depth: 6 }

/**
 * Arguments as the ledger keeps them (SPEC L2, L3): secrets taken out by name and by form, personal values as pseudonyms where there
 * is a key, long things cut and marked with `…`. The result is fit for canonicalJson whatever the caller sent: fractions become
 * strings, broken text becomes U+FFFD.
 */
export function summarizeArguments(value: Json, limits: SummaryLimits = summaryLimits, pseudonym?: Pseudonym): Json {
  return summarize(value, { limits, pseudonym }, { name: '', secret: false, depth: 0 })
}

interface Rules {
  readonly limits: SummaryLimits
  readonly pseudonym: Pseudonym | undefined
}

interface Place {
  readonly name: string
  /** Below a member whose name says so; then only counts of tokens and emptiness stay. */
  readonly secret: boolean
  readonly depth: number
}

function summarize(value: Json, rules: Rules, place: Place): Json {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'object') {
    if (place.depth >= rules.limits.depth) return '…'
    return isList(value) ? summarizeList(value, rules, place) : summarizeObject(value, rules, place)
  }
  if (place.secret && value !== '' && !isTokenCount(place.name, value)) return redacted
  if (typeof value === 'number') return Number.isSafeInteger(value) ? maskedNumber(value) : String(value)
  if (isPersonalName(place.name) && value.trim() !== '') return personal(value, rules.pseudonym)
  return cut(value, rules)
}

function summarizeList(list: readonly Json[], rules: Rules, place: Place): Json {
  const below = { ...place, depth: place.depth + 1 }
  const items = list.slice(0, rules.limits.listItems).map((item) => summarize(item, rules, below))
  return list.length > items.length ? [...items, `… ${list.length - items.length} more`] : items
}

function summarizeObject(object: { readonly [key: string]: Json | undefined }, rules: Rules, place: Place): Json {
  const members = Object.entries(object).filter((member): member is [string, Json] => member[1] !== undefined)
  const kept = members.slice(0, rules.limits.members).map(([key, value]): [string, Json] => {
    const { secret, depth } = place
    // The members of `tokens {input, output}` are counts of tokens too.
    const below = { name: secret ? place.name : key, secret: secret || isSecretName(key), depth: depth + 1 }
    return [cut(key, rules), summarize(value, rules, below)]
  })
  if (members.length > kept.length) kept.push(['…', `${members.length - kept.length} more`])
  // fromEntries defines members, so that a key named __proto__ is data.
  return Object.fromEntries(kept)
}

/** A value whose field is marked as personal by its name: whatever its form, nothing of it stays. */
function personal(value: string, pseudonym: Pseudonym | undefined): string {
  return pseudonym?.(value) ?? redacted
}

// A secret that begins before the cut is seen whole, so that no part of it stays.
const lookBehindCutChars = 512

function cut(text: string, { limits, pseudonym }: Rules): string {
  const { stringChars } = limits
  const near = stringChars + lookBehindCutChars
  const masked = maskText(text.length > near ? text.slice(0, near) : text, pseudonym)
  const whole = masked.length <= stringChars && text.length <= near
  const clean = (whole ? masked : masked.slice(0, stringChars)).toWellFormed().replaceAll('\0', '\ufffd')
  return whole ? clean : `${clean}… (${text.length} chars)`
}

// Array.isArray does not narrow readonly arrays.
function isList(value: object): value is readonly Json[] {
  return Array.isArray(value)
}
