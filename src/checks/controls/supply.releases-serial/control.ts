import type { Control } from '../../check.ts'
import { r02 } from './r02.ts'

export const releasesSerial: Control = {
  id: 'supply.releases-serial',
  title: 'Releases run one after another and are never cut off',
  severity: 'medium',
  why: 'Two releases at once, started by an accident or by someone who wants the older build to win, overwrite each other and leave half-published versions that nobody signed off.',
  remediation:
    'Give each workflow that publishes one constant group, `concurrency: { group: release, cancel-in-progress: false }`, without `github.ref`, a commit or an input in it; add `queue: max` where no waiting release may be dropped.',
  references: [
    'https://docs.github.com/en/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency',
    'https://docs.zizmor.sh/audits/#concurrency-limits',
  ],
  rows: ['R02'],
  checks: [r02],
}
