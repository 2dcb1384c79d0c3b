import type { Control } from '../../check.ts'
import { r25 } from './r25.ts'

export const pythonToolsLocked: Control = {
  id: 'supply.python-tools-locked',
  title: 'Python tools in workflows are locked',
  severity: 'medium',
  why: 'A linter or a build tool that is taken at any version runs the newest upload of its maintainers, or of who took their account, next to the secrets of the job.',
  remediation:
    'Put tools into a dependency group of the project and run them with `uv run --locked`, or name the version: `uvx ruff@0.6.1`, `pipx run black==24.8.0`. Give each hook of pre-commit a tag or a commit as `rev`.',
  references: [
    'https://docs.astral.sh/uv/concepts/projects/sync/#automatic-lock-and-sync',
    'https://docs.astral.sh/uv/guides/tools/',
    'https://pre-commit.com/#using-the-latest-version-for-a-repository',
    'https://github.com/ossf/scorecard/blob/main/docs/checks.md#pinned-dependencies',
  ],
  rows: ['R25'],
  checks: [r25],
}
