import type { Control } from '../../check.ts'
import { r24 } from './r24.ts'

export const scriptsGuarded: Control = {
  id: 'ops.scripts-guarded',
  title: 'Scripts that destroy something run behind the ops guard',
  severity: 'medium',
  why: 'One wrong argument, or one run against the wrong environment, removes data for good, and nobody can tell afterwards who ran what.',
  remediation:
    'Run it as `portcullis ops run --confirm -- SCRIPT`, which refuses without a confirmation and records intent and outcome; let the script stop where `OPS_CONFIRM` is not 1, as the guard sets it for a confirmed run.',
  references: [
    'https://csrc.nist.gov/pubs/sp/800/53/r5/upd1/final',
    'https://cwe.mitre.org/data/definitions/862.html',
    'https://sre.google/sre-book/automation-at-google/',
  ],
  rows: ['R24'],
  checks: [r24],
}
