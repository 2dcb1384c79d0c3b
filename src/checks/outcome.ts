/** What a check or control can come out as, worst first (SPEC V1). UNKNOWN is "could not look" and never a PASS. */
export const outcomes = [
  'FAIL',
  'CONFLICT',
  'ERROR',
  'UNKNOWN',
  'WARN',
  'MANUAL',
  'WAIVED',
  'NOT_APPLICABLE',
  'PASS',
] as const
export type Outcome = (typeof outcomes)[number]

export const severities = ['critical', 'high', 'medium', 'low', 'info'] as const
/** How bad it is where the control does not hold; fixed per control. */
export type Severity = (typeof severities)[number]

/** How sure a finding is. */
export type Confidence = 'high' | 'medium' | 'low'

/** Where evidence comes from: files, settings, the wire. */
export type Source = 'repo' | 'config' | 'live'

/** The worst of them; undefined where there is none. */
export function worst(all: Iterable<Outcome>): Outcome | undefined {
  let rank: number = outcomes.length
  for (const outcome of all) rank = Math.min(rank, outcomes.indexOf(outcome))
  return outcomes[rank]
}

export function atLeast(severity: Severity, floor: Severity): boolean {
  return severities.indexOf(severity) <= severities.indexOf(floor)
}

/**
 * The verdict over the checks of one control: the worst outcome, and CONFLICT where one source says that the control holds and
 * another one that it does not.
 */
export function joined(
  results: readonly { readonly source: Source; readonly outcome: Outcome }[],
): Outcome | undefined {
  const found = worst(results.map(({ outcome }) => outcome))
  if (found !== 'FAIL') return found
  const failing = new Set(results.filter(({ outcome }) => outcome === 'FAIL').map(({ source }) => source))
  const holding = results.some(({ source, outcome }) => outcome === 'PASS' && !failing.has(source))
  return holding ? 'CONFLICT' : 'FAIL'
}
