import type { Drift, Finding } from './fingerprint.ts'
import { outcomes, type Outcome } from './outcome.ts'
import type { FixedFinding } from './report/report.ts'
import { withFindings, type Result } from './run.ts'

/** More bytes than this are not read of a baseline. */
export const baselineBytesMax = 64 * 1024 * 1024

/** An earlier report, as far as it is compared with. */
export interface Baseline {
  readonly results: readonly BaselineResult[]
}

interface BaselineResult {
  readonly id: string
  readonly outcome: Outcome
  readonly evidence: readonly {
    readonly fingerprint: string
    readonly outcome: Outcome
    readonly detail: string
    readonly path?: string | undefined
  }[]
}

/** What `--format json` wrote in an earlier run; undefined for anything else. A report of a later version may say more. */
export async function readBaseline(text: string): Promise<Baseline | undefined> {
  // Loaded here alone: few runs have a baseline, and every run would wait for it.
  const z = await import('zod')
  const evidence = z.object({
    fingerprint: z.string().max(100),
    outcome: z.enum(outcomes),
    detail: z.string(),
    path: z.string().optional(),
  })
  const result = z.object({
    id: z.string().max(100),
    outcome: z.enum(outcomes),
    evidence: z.array(evidence).max(1_000_000),
  })
  try {
    return z.object({ version: z.literal(1), results: z.array(result).max(10_000) }).safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/**
 * Says of each finding whether it is new, and what of the baseline is gone. Of a check that could not look everywhere this time
 * nothing counts as fixed where it could not look.
 */
export function compare(
  results: readonly Result[],
  baseline: Baseline,
): { readonly results: readonly Result[]; readonly fixed: readonly FixedFinding[] } {
  const before = new Map(baseline.results.map((result) => [result.id, result]))
  const fixed: FixedFinding[] = []
  const after = results.map((result) => {
    const earlier = before.get(result.check.id)
    const known = new Map(earlier?.evidence.map(({ fingerprint, outcome }) => [fingerprint, outcome]))
    fixed.push(...goneFrom(earlier, result))
    return withFindings(
      result,
      result.evidence.map((finding) => {
        const drift = driftOf(finding, earlier?.outcome, known)
        return drift === undefined ? finding : { ...finding, drift }
      }),
    )
  })
  return { results: after, fixed }
}

function driftOf(
  finding: Finding,
  earlier: Outcome | undefined,
  known: ReadonlyMap<string, Outcome>,
): Drift | undefined {
  if (!isFinding(finding.outcome)) return undefined
  const was = known.get(finding.fingerprint)
  // What a waiver accepted then and no waiver accepts now is not an old friend; nor is what only drew a warning.
  if (was !== undefined && (rank(was) <= rank(finding.outcome) || finding.outcome === 'WAIVED')) return 'open'
  return earlier === 'PASS' ? 'regressed' : 'new'
}

function goneFrom(earlier: BaselineResult | undefined, result: Result): readonly FixedFinding[] {
  if (earlier === undefined) return []
  const here = new Set(
    result.evidence.filter(({ outcome }) => isFinding(outcome)).map(({ fingerprint }) => fingerprint),
  )
  const unseen = result.evidence.filter(({ outcome }) => outcome === 'ERROR' || outcome === 'UNKNOWN')
  const unseenPaths = new Set(unseen.map(({ path }) => path))
  return earlier.evidence.flatMap(({ fingerprint, outcome, detail, path }) =>
    !isFinding(outcome) || here.has(fingerprint) || unseenPaths.has(undefined) || unseenPaths.has(path)
      ? []
      : [{ check: result.check.id, fingerprint, detail, ...(path === undefined ? {} : { path }) }],
  )
}

function isFinding(outcome: Outcome): boolean {
  return outcome !== 'PASS' && outcome !== 'NOT_APPLICABLE'
}

function rank(outcome: Outcome): number {
  return outcomes.indexOf(outcome)
}
