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
  return summarize(value, { limits, pseudonym }, nameOf(''), false, 0)
}

interface Rules {
  readonly limits: SummaryLimits
  readonly pseudonym: Pseudonym | undefined
}

/** `name` is the member that says what the value is; below a `secret` one only counts of tokens and emptiness stay. */
function summarize(value: Json, rules: Rules, name: Name, secret: boolean, depth: number): Json {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'object') {
    if (depth >= rules.limits.depth) return '…'
    return isList(value)
      ? summarizeList(value, rules, name, secret, depth)
      : summarizeObject(value, rules, name, secret, depth)
  }
  if (secret && value !== '' && !isTokenCount(name.text, value)) return redacted
  if (typeof value === 'number') return Number.isSafeInteger(value) ? maskedNumber(value) : String(value)
  if (name.personal && value.trim() !== '') return personal(value, rules.pseudonym)
  return cut(value, rules)
}

function summarizeList(list: readonly Json[], rules: Rules, name: Name, secret: boolean, depth: number): Json {
  const items = list.slice(0, rules.limits.listItems).map((item) => summarize(item, rules, name, secret, depth + 1))
  return list.length > items.length ? [...items, `… ${list.length - items.length} more`] : items
}

function summarizeObject(
  object: { readonly [key: string]: Json | undefined },
  rules: Rules,
  above: Name,
  secret: boolean,
  depth: number,
): Json {
  const kept: Record<string, Json> = {}
  let members = 0
  for (const key of Object.keys(object)) {
    const value = object[key]
    if (value === undefined) continue
    members += 1
    if (members > rules.limits.members) continue
    const name = nameOf(key)
    // The members of `tokens {input, output}` are counts of tokens too.
    const summary = summarize(value, rules, secret ? above : name, secret || name.secret, depth + 1)
    define(kept, name.plain ? key : cut(key, rules), summary)
  }
  if (members > rules.limits.members) define(kept, '…', `${members - rules.limits.members} more`)
  return kept
}

/** A key named __proto__ is data. */
function define(object: Record<string, Json>, key: string, value: Json): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  else object[key] = value
}

/** What the name of a member says of its value. */
interface Name {
  readonly text: string
  readonly secret: boolean
  readonly personal: boolean
  /** Shown as it is under any limits: short, and with nothing in it to be taken out. */
  readonly plain: boolean
}

// Names of members repeat from call to call. Bounded, because callers may choose names of their own.
const names = new Map<string, Name>()
const namesMax = 1024
const plainName = /^[A-Za-z][A-Za-z_]{0,31}$/

function nameOf(text: string): Name {
  const known = names.get(text)
  if (known !== undefined) return known
  const plain = plainName.test(text) && maskText(text) === text
  const name = { text, secret: isSecretName(text), personal: isPersonalName(text), plain }
  if (plain && names.size < namesMax) names.set(text, name)
  return name
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
