import type { Edit, Fix } from '../evidence.ts'
import type { AppliedWaiver, Finding } from '../fingerprint.ts'
import type { Outcome, Severity } from '../outcome.ts'
import type { Result } from '../run.ts'
import { plain, uriOf } from './plain.ts'
import type { FixedFinding, ReportTarget } from './report.ts'
import { levelOf, type Rule, type SarifLevel } from './sarif-rules.ts'

/** What every relative address is relative to: the folder that was looked at. */
export const rootId = '%SRCROOT%'

/** One result for each finding that a reader has to do something about; silence about a declared rule that ran is its PASS. */
export function sarifResults(
  results: readonly Result[],
  rules: ReadonlyMap<string, Rule>,
  target: ReportTarget,
  compared: boolean,
): readonly object[] {
  return results
    .flatMap((result) =>
      result.evidence.flatMap((finding) => {
        const kind = kinds[finding.waiver?.outcome ?? finding.outcome]
        if (kind === undefined) return []
        const level = kind === 'fail' ? failLevel(result.severity, finding) : 'none'
        return [{ level, sarif: sarifResult(result, finding, kind, level, { rules, target, compared }) }]
      }),
    )
    .toSorted((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level))
    .map(({ sarif }) => sarif)
}

/** A finding of the baseline that is gone. */
export function absentResult(
  { check, fingerprint, detail, path }: FixedFinding,
  rules: ReadonlyMap<string, Rule>,
  target: ReportTarget,
): object {
  return {
    ruleId: check,
    ruleIndex: rules.get(check)?.index,
    kind: 'fail',
    level: 'none',
    message: messageOf(detail),
    locations: [locationOf({ source: 'repo', path }, target)],
    partialFingerprints: { [fingerprintName]: fingerprint },
    suppressions: [],
    baselineState: 'absent',
  }
}

/** A place for code scanning, which refuses results without a file and a line; without a file it is the folder. */
export function locationOf(
  { source, path, line = 1, column, endLine, endColumn }: Located,
  { config, url }: ReportTarget,
): object {
  const region = { startLine: line, startColumn: column, endLine, endColumn }
  const artifactLocation = source === 'config' ? namedFile(path ?? config ?? '.') : fileOfRoot(path ?? '.')
  const place = { physicalLocation: { artifactLocation, region } }
  if (source !== 'live' || url === undefined) return place
  return { ...place, logicalLocations: [{ fullyQualifiedName: plain(url), kind: 'resource' }] }
}

type Located = Pick<Finding, 'source' | 'line' | 'column' | 'endLine' | 'endColumn'> & {
  readonly path?: string | undefined
}

/** A file as it was named on the command line: relative to no folder that is known here. */
export function namedFile(path: string): object {
  return { uri: path.startsWith('/') ? `file://${uriOf(path)}` : uriOf(path) }
}

function fileOfRoot(path: string): object {
  return { uri: uriOf(path), uriBaseId: rootId }
}

/** Text without what SARIF takes for a link (3.11.6). */
export function messageOf(text: string): { readonly text: string } {
  return { text: plain(text).replaceAll('](', '] (') }
}

const fingerprintName = 'portcullis/v1'
const levels: readonly SarifLevel[] = ['error', 'warning', 'note', 'none']

// 3.27.9. What holds or does not apply gives no result: code scanning would open an alert for it.
const kinds: Readonly<Partial<Record<Outcome, 'fail' | 'open' | 'review'>>> = {
  FAIL: 'fail',
  CONFLICT: 'fail',
  WARN: 'fail',
  WAIVED: 'fail',
  ERROR: 'open',
  UNKNOWN: 'open',
  MANUAL: 'review',
}

interface Around {
  readonly rules: ReadonlyMap<string, Rule>
  readonly target: ReportTarget
  /** A baseline was read: then every result says how it stands to it (3.27.24). */
  readonly compared: boolean
}

function sarifResult(
  { check, control, severity }: Result,
  finding: Finding,
  kind: string,
  level: SarifLevel,
  { rules, target, compared }: Around,
): object {
  const { outcome, confidence, waiver, drift, fix, fingerprint } = finding
  return {
    ruleId: check.id,
    ruleIndex: rules.get(check.id)?.index,
    kind,
    level,
    message: messageOf(finding.detail),
    locations: [locationOf(finding, target)],
    partialFingerprints: { [fingerprintName]: fingerprint },
    // For all of them or for none (3.27.23): an empty list says that nobody accepted it.
    suppressions: waiver === undefined ? [] : [suppressionOf(waiver)],
    ...(compared ? { baselineState: drift === 'open' ? 'unchanged' : 'new' } : {}),
    ...(fix === undefined ? {} : { fixes: [fixOf(fix)] }),
    properties: { outcome, severity, confidence, control: control.id, ...(drift === undefined ? {} : { drift }) },
  }
}

// What may be fine is one level below what is not.
function failLevel(severity: Severity, { outcome, waiver }: Finding): SarifLevel {
  const level = levelOf(severity)
  if ((waiver?.outcome ?? outcome) !== 'WARN') return level
  return level === 'error' ? 'warning' : 'note'
}

function suppressionOf({ reason, approver, expires, ticket }: AppliedWaiver): object {
  const by = `Accepted by ${plain(approver)} until ${expires}${ticket === undefined ? '' : ` (${plain(ticket)})`}`
  return {
    kind: 'external',
    status: 'accepted',
    justification: `${plain(reason)} ${by}.`,
    properties: { approver, expires, ...(ticket === undefined ? {} : { ticket }) },
  }
}

function fixOf({ safety, description, risk, edits }: Fix): object {
  const said = risk === undefined ? description : `${description}. ${risk}`
  return {
    description: messageOf(said),
    artifactChanges: [...Map.groupBy(edits, ({ path }) => path)].map(([path, own]) => ({
      artifactLocation: fileOfRoot(path),
      replacements: own.map(replacementOf),
    })),
    properties: { safety },
  }
}

function replacementOf({ start, end, text }: Edit): object {
  return { deletedRegion: { charOffset: start, charLength: end - start }, insertedContent: { text } }
}
