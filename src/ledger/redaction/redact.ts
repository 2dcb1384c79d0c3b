import { apiKeys } from './api-keys.ts'
import { card } from './card.ts'
import type { Detector, DetectorName } from './detector.ts'
import { email } from './email.ts'
import { namedSecret } from './named-secret.ts'
import { phone } from './phone.ts'
import { privateKey } from './private-key.ts'
import type { Pseudonym } from './pseudonym.ts'
import { signedUrl } from './signed-url.ts'
import { bearer, jwt, urlPassword } from './tokens.ts'
import { vendorToken } from './vendor-token.ts'
import { viewOf } from './view.ts'

export interface Redacted {
  readonly text: string
  /** What was found, in the order of the detectors, once for each place. */
  readonly hits: readonly DetectorName[]
}

interface Span {
  readonly start: number
  readonly end: number
  readonly mask: string
}

/**
 * Takes secrets and personal data out of text by their form (SPEC L3), in linear time; doing it twice changes nothing more. With
 * a `pseudonym`, e-mail addresses and phone numbers become that instead of a mark.
 */
export function redactText(text: string, pseudonym?: Pseudonym): Redacted {
  if (isClean(text)) return { text, hits: none }
  const hits: DetectorName[] = []
  const spans: Span[] = []
  let view = viewOf(text)
  for (const { name, personal, find } of detectors) {
    const own: Span[] = []
    find({ text, view }, (start, end, mask) => {
      if (end <= start) return
      own.push({ start, end, mask: (personal && pseudonym?.(text.slice(start, end))) ?? mask })
    })
    const kept = apart(own, view)
    for (const span of kept) {
      hits.push(name)
      spans.push(span)
    }
    view = without(view, kept)
  }
  if (spans.length > 0) return { text: replaced(text, spans), hits }
  if (text.length <= cleanChars) rememberClean(text)
  return { text, hits }
}

// Short texts that hold nothing and look as if they might come again and again: digests of prompts, names of versions.
const clean = new Set<string>()
const cleanMax = 1024
const cleanChars = 128

function isClean(text: string): boolean {
  return !mayHold(text) || clean.has(text)
}

function rememberClean(text: string): void {
  if (clean.size >= cleanMax) clean.clear()
  clean.add(text)
}

/** The text as it may be shown or logged. */
export function maskText(text: string, pseudonym?: Pseudonym): string {
  return isClean(text) ? text : redactText(text, pseudonym).text
}

// The order matters: what is specific comes before what could take a part of it.
const detectors: readonly Detector[] = [
  privateKey,
  urlPassword,
  signedUrl,
  jwt,
  apiKeys,
  bearer,
  namedSecret,
  vendorToken,
  email,
  card,
  phone,
]
const none: readonly DetectorName[] = []
/** Stands for what has been found: part of no value, and no blank. */
const taken = '\u0001'

/** In order, without those that overlap one before them or what an earlier detector has found. */
function apart(found: readonly Span[], view: string): readonly Span[] {
  if (found.length === 0) return found
  let until = 0
  return found
    .toSorted((a, b) => a.start - b.start)
    .filter(({ start, end }) => {
      if (start < until || view[start] === taken) return false
      until = end
      return true
    })
}

function without(view: string, spans: readonly Span[]): string {
  if (spans.length === 0) return view
  let rest = ''
  let from = 0
  for (const { start, end } of spans) {
    rest += view.slice(from, start) + taken.repeat(end - start)
    from = end
  }
  return rest + view.slice(from)
}

function replaced(text: string, spans: readonly Span[]): string {
  let masked = ''
  let from = 0
  for (const { start, end, mask } of spans.toSorted((a, b) => a.start - b.start)) {
    if (start < from) continue
    masked += text.slice(from, start) + mask
    from = end
  }
  return masked + text.slice(from)
}

// Most strings are ids and names: ids of ours are known at a glance, a text of words and dashes holds nothing, and something of
// the signs is in all that a detector finds.
const something = /[\d@:=%"'<>\\~+]|--|A[KS]IA|[Bb]ea|BEA|[Bb]as|BAS|[Tt]ok|TOK/
// A long text nearly always has one of the signs.
const longChars = 256
const ownId = /^[a-z]{2,4}_[0-9a-f-]{36}$/
const sign =
  /[@+~]|%40|:\/\/|eyJ|[?&;][Ss]ig|Signature|k_(?:live|test)_|(?<![\w.-])\(?\d[\d ()./\u00a0-]{7}|:AA|[A-Z0-9]{16}|[A-Za-z0-9]{20}|(?:sk|xox[a-z]|xapp|gl[a-z]{2,5}|whsec|gh[a-z]|dp|SG|hv[a-z])[_.-]|AKIA|ASIA|[Pp]ass|PASS|[Pp][Ww][Dd]|PGP|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[a-zA-Z][_ -]?(?:[Kk]ey|KEY)|[Cc]redential|CREDENTIAL|[Bb][Ee][Aa][Rr][Ee][Rr]|[Bb][Aa][Ss][Ii][Cc]|[Nn]egotiate|D[Pp][Oo][Pp]|BEGIN |PuTTY|AGE-/

function mayHold(text: string): boolean {
  if (text.length < 7 || !something.test(text) || ownId.test(text)) return false
  return text.length > longChars || sign.test(text)
}
