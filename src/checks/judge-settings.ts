import { failing, doubtful, holding, stated, type Evidence } from './evidence.ts'
import { problemsOf } from './check.ts'
import type { Settings } from './collect/config/settings.ts'
import type { Given } from './collect/config/variables.ts'
import { isReadable, type Parsed } from './collect/source-file.ts'
import type { Confidence } from './outcome.ts'

/**
 * Judges a settings file. What could not be read, and what the server would refuse in the sections that the check reads, is an ERROR
 * at its place; what is there is judged all the same.
 */
export function judgeSettings(
  parsed: Parsed<Settings>,
  sections: readonly string[],
  judge: (settings: Settings) => readonly Evidence[],
): readonly Evidence[] {
  if (!isReadable(parsed)) return asConfig(problemsOf(parsed))
  const problems = parsed.value.problemsOf(...sections)
  return asConfig([...judge(parsed.value), ...problemsOf({ ...parsed, problems })])
}

const makers = { FAIL: failing, WARN: doubtful, PASS: holding } as const

/** Evidence about a value, at its place in the file or, for one of the environment, under its name. */
export function about(
  given: Given,
  outcome: keyof typeof makers,
  detail: string,
  confidence: Confidence = 'high',
): Evidence {
  const { name, spot } = given
  const subject = `${name} ${detail}`
  if (spot === undefined) {
    const said = `${detail} (Set by ${name} in the environment.)`
    return stated('config', outcome, said, { subject, confidence })
  }
  return makers[outcome](spot, detail, { subject, confidence })
}

function asConfig(evidence: readonly Evidence[]): readonly Evidence[] {
  return evidence.map((each) => ({ ...each, source: 'config' }))
}
