import type { Control } from '../../check.ts'
import { r09 } from './r09.ts'

export const installWithoutToken: Control = {
  id: 'supply.install-without-token',
  title: 'Install scripts need no token',
  severity: 'medium',
  why: 'A script that wants a token gets whichever is at hand, one that may write to every repository, and whatever it fetches runs beside it.',
  remediation:
    'Download without a token where there is none (`${GITHUB_TOKEN:-}`, no header). Where there is one, read `X-OAuth-Scopes` first, warn on stderr of `repo`, `admin:*` and `delete_repo`, name a fine-grained token with `contents: read`, and go on. Hand it to curl by `--config -` or `-H @file`, not as an argument.',
  references: [
    'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps',
    'https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens',
    'https://curl.se/docs/manpage.html#-K',
  ],
  rows: ['R09'],
  checks: [r09],
}
