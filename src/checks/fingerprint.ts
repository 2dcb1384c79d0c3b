import { createHash } from 'node:crypto'
import type { Evidence } from './evidence.ts'
import type { Outcome } from './outcome.ts'

/** Evidence with what recognises it in another run. */
export interface Finding extends Evidence {
  /** 32 hex digits. The same after lines moved and jobs around it were renamed; another one once the place itself changed. */
  readonly fingerprint: string
  /** There where the outcome is WAIVED. */
  readonly waiver?: AppliedWaiver
  /** There where a baseline was read, for all but PASS and NOT_APPLICABLE. */
  readonly drift?: Drift
}

/** Who accepts a finding, why, and until when. */
export interface AppliedWaiver {
  readonly reason: string
  readonly approver: string
  readonly ticket?: string
  /** `2027-01-31`: the last day, in UTC. */
  readonly expires: string
  /** What the finding came out as without the waiver. */
  readonly outcome: Outcome
}

/** Against the baseline: not in it; in it already; the check had passed and does no more. */
export type Drift = 'new' | 'open' | 'regressed'

/** Gives each piece of evidence its fingerprint: check, path, subject, and which of several alike it is, in order. */
export function fingerprinted(checkId: string, evidence: readonly Evidence[]): readonly Finding[] {
  const seen = new Map<string, number>()
  const findings = new Map<string, Finding>()
  const times = new Map<string, number>()
  for (const [index, each] of evidence.entries()) {
    const base = [checkId, each.path ?? '', each.subject].join('\0')
    // The same place reached twice, through an anchor, is one finding.
    const place = each.line === undefined ? `${index}` : [base, each.line, each.column, each.detail].join('\0')
    times.set(place, (times.get(place) ?? 0) + 1)
    if (findings.has(place)) continue
    const nth = seen.get(base) ?? 0
    seen.set(base, nth + 1)
    findings.set(place, { ...each, fingerprint: digest(`${base}\0${nth}`) })
  }
  return [...findings].map(([place, finding]) => heedingAnchors(finding, times.get(place) ?? 1))
}

// An edit to what an anchor shares is as safe as the check says only if the check found fault with every use of it.
function heedingAnchors(finding: Finding, times: number): Finding {
  const { fix } = finding
  if (fix?.uses === undefined || fix.uses <= times) return finding
  const risk = `The edit changes ${fix.uses} places at once, because an anchor is used there, and not all of them are at fault.`
  return { ...finding, fix: { ...fix, safety: 'unsafe', risk: fix.risk === undefined ? risk : `${fix.risk} ${risk}` } }
}

/** Recognises a result as a whole: what it found and how bad each of it is, whatever the order. */
export function resultFingerprint(checkId: string, findings: readonly Finding[]): string {
  const found = findings.flatMap(({ outcome, fingerprint }) => {
    if (outcome === 'PASS') return []
    return outcome === 'FAIL' ? fingerprint : `${fingerprint} ${outcome}`
  })
  return digest([checkId, ...found.toSorted()].join('\0'))
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
