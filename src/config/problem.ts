/** One thing that is wrong with the settings. No field holds a secret. */
export interface Problem {
  /** The setting (`listen.grpc`), the variable, or the place in the file (`portcullis.yaml:3:5`). */
  readonly path: string
  /** The value as given, shortened and redacted. */
  readonly value: string
  readonly why: string
  readonly todo: string
  readonly severity: 'error' | 'warning'
}

export const notShown = '[not shown]'
export const notSet = '(not set)'
export const redacted = '[redacted]'

const shownCharsMax = 80
// A connection string in the wrong place, or the first piece of one: no value that may be shown is a URL.
const mayHoldSecret = /:\/\/|(?:passw(?:or)?d|pwd|secret|token)["']?\s*[=:]/i

/** Text for people: a value that may hold a credential is withheld as a whole, never in part (SPEC S5). */
export function showValue(value: unknown): string {
  if (value === undefined) return notSet
  const text = JSON.stringify(value) ?? typeof value
  return mayHoldSecret.test(text) ? redacted : shorten(text)
}

/** A name from outside (a key, a variable) that goes into a path; withheld where it is not a plain word, or could be a token. */
export function showName(name: string): string {
  return /^\w[\w-]*$/.test(name) && !mayBeToken.test(name) ? shorten(name) : notShown
}

// No setting has digits in its name; a token that slipped to the left of a colon has many.
const mayBeToken = /\d(?:\D*\d){2}/

export function problem(
  path: string,
  value: string,
  why: string,
  todo: string,
  severity: Problem['severity'] = 'error',
): Problem {
  return { path, value, why, todo, severity }
}

/** The problems for a terminal: one aligned block each, errors first. */
export function formatProblems(problems: readonly Problem[]): string {
  const sorted = problems.toSorted((a, b) => a.severity.localeCompare(b.severity))
  return sorted.map((each) => `${formatOne(each)}\n`).join('\n')
}

function formatOne({ severity, path, value, why, todo }: Problem): string {
  const rows = [
    [severity, path],
    ['  value', value],
    ['  why', why],
    ['  to do', todo],
  ] as const
  return rows.map(([label, text]) => `${label.padEnd(9)}${printable(text)}`).join('\n')
}

function shorten(text: string): string {
  const shown = printable(text)
  return shown.length > shownCharsMax ? `${shown.slice(0, shownCharsMax)}… (${shown.length} characters)` : shown
}

/** Control characters and direction marks would let a value rewrite the terminal around it. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
}
