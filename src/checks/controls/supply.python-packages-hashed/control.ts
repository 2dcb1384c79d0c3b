import type { Control } from '../../check.ts'
import { r07 } from './r07.ts'

export const pythonPackagesHashed: Control = {
  id: 'supply.python-packages-hashed',
  title: 'Python packages are installed by hash',
  severity: 'medium',
  why: 'A version alone does not say which file is installed: an index, a mirror or whoever can upload another file for it puts code into builds and images.',
  remediation:
    'Make the requirements with `uv pip compile --generate-hashes` or `pip-compile --generate-hashes` and install them with `pip install --require-hashes -r requirements.txt`, or use `uv sync --locked`. Install the project itself with `--no-deps`.',
  references: [
    'https://pip.pypa.io/en/stable/topics/secure-installs/',
    'https://docs.astral.sh/uv/pip/compile/',
    'https://github.com/ossf/scorecard/blob/main/docs/checks.md#pinned-dependencies',
  ],
  rows: ['R07'],
  checks: [r07],
}
