import { createHash } from 'node:crypto'
import type { SourceFile, Spot } from './collect/source-file.ts'
import type { Confidence, Outcome, Source } from './outcome.ts'

/** What one place says about a check. */
export interface Evidence {
  readonly outcome: Outcome
  readonly source: Source
  /** One sentence about this place: what is wrong there, or why it could not be judged. */
  readonly detail: string
  readonly path?: string
  /** From 1. */
  readonly line?: number
  readonly column?: number
  readonly endLine?: number
  readonly endColumn?: number
  readonly confidence: Confidence
  /** What the finding is about, free of line numbers and of names that may change around it: the fingerprint is bound to it. */
  readonly subject: string
  readonly fix?: Fix
}

/** A change that removes the finding. */
export interface Fix {
  /** Safe: nothing that works today stops working. */
  readonly safety: 'safe' | 'unsafe'
  readonly description: string
  /** Of an unsafe one: what it might break. */
  readonly risk?: string
  readonly edits: readonly Edit[]
  /** In how many places of the file the edited text is used, where an anchor makes that more than one. */
  readonly uses?: number
}

/** Replaces a stretch of a file; offsets as in {@link Spot}. An insertion has `start === end`. */
export interface Edit {
  readonly path: string
  readonly start: number
  readonly end: number
  readonly text: string
}

interface Details {
  readonly confidence?: Confidence
  /** Default: the text of the spot. */
  readonly subject?: string
  readonly fix?: Fix | undefined
}

/** It does not hold here. */
export function failing(spot: Spot, detail: string, details: Details = {}): Evidence {
  return located('FAIL', spot, detail, details)
}

/** It holds, and something here is worth a look; or nobody can be sure. */
export function doubtful(spot: Spot, detail: string, details: Details = {}): Evidence {
  return located('WARN', spot, detail, details)
}

/** This place could not be judged. */
export function unjudged(outcome: 'ERROR' | 'UNKNOWN', spot: Spot, detail: string, details: Details = {}): Evidence {
  return located(outcome, spot, detail, details)
}

/** It holds here. Only where saying so helps the reader: silence over all files is a PASS too. */
export function holding(spot: Spot, detail: string): Evidence {
  return located('PASS', spot, detail, {})
}

/** Evidence without a place in a file: from a socket, a reply, an environment. */
export function stated(
  source: Source,
  outcome: Outcome,
  detail: string,
  details: { readonly subject?: string; readonly confidence?: Confidence; readonly path?: string } = {},
): Evidence {
  const { subject = '', confidence = 'high', path } = details
  return {
    outcome,
    source,
    detail: withoutPasswords(detail),
    confidence,
    subject,
    ...(path === undefined ? {} : { path }),
  }
}

function located(outcome: Outcome, spot: Spot, detail: string, details: Details): Evidence {
  const { confidence = 'high', subject, fix } = details
  const from = spot.file.place(spot.start)
  const to = spot.file.place(spot.end)
  return {
    outcome,
    source: 'repo',
    detail: withoutPasswords(detail),
    path: spot.file.path,
    line: from.line,
    column: from.column,
    endLine: to.line,
    endColumn: to.column,
    confidence,
    subject: normalised(subject ?? spot.file.text.slice(spot.start, spot.end)),
    ...(fix === undefined || fix.edits.length === 0 ? {} : { fix: withUses(spot.file, fix) }),
  }
}

function withUses(file: SourceFile, fix: Fix): Fix {
  const uses = Math.max(...fix.edits.map(({ path, start }) => (path === file.path ? file.usesAt(start) : 1)))
  return uses > 1 ? { ...fix, uses } : fix
}

/** A sentence may name an address as it is written: whoever reads reports is not meant to read the password in it. */
function withoutPasswords(text: string): string {
  return text.replaceAll(/:\/\/(?:[^\s/@:]{0,200}:[^\s/@]{1,300}|[^\s/@:]{20,300})@(?!sha\d)/g, '://***@')
}

const subjectCharsMax = 2000

// Indentation, line ends and runs of blanks are not what a finding is about.
function normalised(text: string): string {
  const flat = text.replaceAll(/\s+/g, ' ').trim()
  // What is cut off still counts: a waiver of one is none of another that begins alike.
  return flat.length <= subjectCharsMax ? flat : createHash('sha256').update(flat).digest('hex')
}
