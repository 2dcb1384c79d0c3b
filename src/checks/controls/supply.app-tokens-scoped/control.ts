import type { Control } from '../../check.ts'
import { r04 } from './r04.ts'

export const appTokensScoped: Control = {
  id: 'supply.app-tokens-scoped',
  title: 'Each app token reaches one repository with the permissions it needs',
  severity: 'high',
  why: 'A token for every repository of an installation, with all its permissions, turns one leaking step into write access to the whole organisation.',
  remediation:
    'Ask for one token per target repository with `actions/create-github-app-token`: name the one in `repositories`, name each `permission-…` input, and keep every token in a variable of its own.',
  references: [
    'https://github.com/actions/create-github-app-token#inputs',
    'https://docs.zizmor.sh/audits/#github-app',
    'https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app',
  ],
  rows: ['R04'],
  checks: [r04],
}
