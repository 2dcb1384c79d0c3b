import type { Control } from '../../check.ts'
import { r32 } from './r32.ts'

export const trustedPublishing: Control = {
  id: 'supply.trusted-publishing',
  title: 'Packages are published with an identity of the job, not with a stored token',
  severity: 'high',
  why: 'A stored registry token works from anywhere until someone revokes it: whoever reads it once from a job, a log or a fork publishes packages in your name.',
  remediation:
    'Register the workflow as trusted publisher at the registry (npm, PyPI, crates.io, RubyGems, NuGet, JSR), give the job `id-token: write`, and delete the stored token from the workflow and from the registry.',
  references: [
    'https://docs.zizmor.sh/audits/#use-trusted-publishing',
    'https://docs.npmjs.com/trusted-publishers',
    'https://docs.pypi.org/trusted-publishers/',
    'https://crates.io/docs/trusted-publishing',
    'https://guides.rubygems.org/trusted-publishing/',
    'https://learn.microsoft.com/en-us/nuget/nuget-org/trusted-publishing',
  ],
  rows: ['R32'],
  checks: [r32],
}
