import type { Check, Control } from '../check.ts'
import type { Severity } from '../outcome.ts'

export type SarifLevel = 'error' | 'warning' | 'note' | 'none'

/** Each check is a rule of this number in `tool.driver.rules`, whether or not it ran. */
export interface Rule {
  readonly control: Control
  readonly check: Check
  readonly index: number
}

export function rulesOf(controls: Iterable<Control>): ReadonlyMap<string, Rule> {
  const rules = new Map<string, Rule>()
  for (const control of controls)
    for (const check of control.checks)
      if (!rules.has(check.id)) rules.set(check.id, { control, check, index: rules.size })
  return rules
}

/** What code scanning shows for it: `security-severity` is a CVSS score, from which GitHub names critical, high, medium and low. */
const bySeverity: Readonly<Record<Severity, { readonly level: SarifLevel; readonly score?: string }>> = {
  critical: { level: 'error', score: '9.5' },
  high: { level: 'error', score: '8.0' },
  medium: { level: 'warning', score: '5.5' },
  low: { level: 'note', score: '3.0' },
  info: { level: 'note' },
}

export function levelOf(severity: Severity): SarifLevel {
  return bySeverity[severity].level
}

// Code scanning keeps ten tags of a rule.
const tagsMax = 10

/** The rule as a `reportingDescriptor` (SARIF 2.1.0, 3.49). */
export function descriptorOf({ control, check }: Rule): object {
  const { level, score } = bySeverity[control.severity]
  const tags = ['security', check.source, control.id.split('.', 1)[0] ?? '', control.id, ...control.rows]
  return {
    id: check.id,
    name: nameOf(control.id, check.id),
    shortDescription: { text: `${check.title}.` },
    fullDescription: { text: `${control.title}. ${control.why}` },
    help: helpOf(control, check),
    helpUri: control.references[0],
    defaultConfiguration: { enabled: true, level },
    properties: {
      tags: [...new Set(tags)].slice(0, tagsMax),
      precision: 'high',
      'problem.severity': level === 'note' ? 'recommendation' : level,
      ...(score === undefined ? {} : { 'security-severity': score }),
    },
  }
}

// `supply.no-checkout-credentials` and R01 make SupplyCheckoutCredentialsR01: the names of rules should be Pascal case (3.49.7).
function nameOf(controlId: string, checkId: string): string {
  const words = controlId.split(/[.-]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return words.join('') + checkId
}

function helpOf({ id, why, remediation, references }: Control, { fixes }: Check): object {
  const fix = fixes === undefined ? [] : [fixSentences[fixes]]
  return {
    text: [why, remediation, ...fix, ...references].join('\n'),
    markdown: [
      why,
      `**What to do.** ${remediation}`,
      ...fix,
      `Control \`${id}\`.`,
      references.map((reference) => `- <${reference}>`).join('\n'),
    ].join('\n\n'),
  }
}

export const fixSentences = {
  safe: '`portcullis verify --fix` mends it.',
  unsafe: '`portcullis verify --fix=unsafe` mends it and says what that might break.',
  both: '`portcullis verify --fix` mends some of it, `--fix=unsafe` more, and says what that might break.',
} as const
