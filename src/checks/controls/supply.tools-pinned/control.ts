import type { Control } from '../../check.ts'
import { r03 } from './r03.ts'

export const toolsPinned: Control = {
  id: 'supply.tools-pinned',
  title: 'Tools are installed at exact versions',
  severity: 'medium',
  why: 'Whoever gets to publish the next version of a tool, or to move its `latest`, runs code in the next job or on the next laptop, and no commit shows it.',
  remediation:
    'Name the whole version: `version: v2.3.4` instead of `~> v2` or `latest`, `npx tool@1.2.3` or a tool of the lock file, `go install path@v1.2.3`, `cargo install tool --version 1.2.3 --locked`, an address with a version instead of `latest/download`. A language may be named by its release line (`22`, `3.12`). Let an updater raise them (R08).',
  references: [
    'https://github.com/ossf/scorecard/blob/main/docs/checks.md#pinned-dependencies',
    'https://goreleaser.com/ci/actions/',
    'https://doc.rust-lang.org/cargo/commands/cargo-install.html',
    'https://docs.npmjs.com/cli/v11/commands/npx',
  ],
  rows: ['R03'],
  checks: [r03],
}
