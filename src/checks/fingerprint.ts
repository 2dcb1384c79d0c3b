import { createHash } from 'node:crypto'
import type { Evidence } from './evidence.ts'

/** Evidence with what recognises it in another run. */
export interface Finding extends Evidence {
  /** 32 hex digits. The same after lines moved and jobs around it were renamed; another one once the place itself changed. */
  readonly fingerprint: string
}

/** Gives each piece of evidence its fingerprint: check, path, subject, and which of several alike it is, in order. */
export function fingerprinted(checkId: string, evidence: readonly Evidence[]): readonly Finding[] {
  const seen = new Map<string, number>()
  const places = new Set<string>()
  return evidence.flatMap((each) => {
    const base = [checkId, each.path ?? '', each.subject].join('\0')
    // The same place reached twice, through an anchor, is one finding.
    const place = [base, each.line, each.column, each.detail].join('\0')
    if (each.line !== undefined && places.has(place)) return []
    places.add(place)
    const nth = seen.get(base) ?? 0
    seen.set(base, nth + 1)
    return [{ ...each, fingerprint: digest(`${base}\0${nth}`) }]
  })
}

/** Recognises a result as a whole: what it found, whatever the order. */
export function resultFingerprint(checkId: string, findings: readonly Finding[]): string {
  const found = findings.filter(({ outcome }) => outcome !== 'PASS').map(({ fingerprint }) => fingerprint)
  return digest([checkId, ...found.toSorted()].join('\0'))
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
