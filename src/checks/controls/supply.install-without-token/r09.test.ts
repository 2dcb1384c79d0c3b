import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const outcomes = async (text: string, path = 'install.sh'): Promise<readonly string[]> =>
  (await judged('R09', { [path]: text })).evidence.map(({ outcome, line }) => `${outcome} ${line}`)
const warns = 'case "$scopes" in *repo*|*admin:*) echo "broad: X-OAuth-Scopes" >&2 ;; esac\n'

describe('R09', () => {
  it.each([
    ['no token is used', 'set -eu\ncurl -fsSL https://example.com/x.tgz | tar xz\n'],
    [
      'the token is optional',
      `set -eu\nif [ -n "\${GITHUB_TOKEN:-}" ]; then\n  printf 'header = "Authorization: Bearer %s"' "$GITHUB_TOKEN" | curl -K - https://x\nfi\n${warns}`,
    ],
    [
      'an empty one is filled in',
      `set -u\nGITHUB_TOKEN="\${GITHUB_TOKEN:-}"\n[ -z "$GITHUB_TOKEN" ] && echo "INFO no token"\n${warns}`,
    ],
    ['it says so and goes on', `if [ -z "$GITHUB_TOKEN" ]; then echo "no token"; fi\n${warns}`],
    ['it ends well without one', `if [ -z "$GITHUB_TOKEN" ]; then echo "nothing to do"; exit 0; fi\n${warns}`],
    [
      'it leaves a function without one',
      `auth() {\n  [ -z "$GITHUB_TOKEN" ] && return 0\n  printf 'x' | curl -K - "https://x?$GITHUB_TOKEN_NAME"\n}\n${warns}`,
    ],
    ['only comments speak of it', '# needs ${GITHUB_TOKEN:?}\necho ok\n'],
  ])('R09: holds where %s', async (_, text) => {
    expect(await outcomes(text)).toEqual([])
  })

  it.each([
    ['it is demanded', `: "\${GITHUB_TOKEN:?set it}"\n${warns}`, ['FAIL 1']],
    ['the script ends without one', `if [ -z "$GITHUB_TOKEN" ]; then\n  echo no\n  exit 1\nfi\n${warns}`, ['FAIL 1']],
    ['the script ends without one, in short', `[ -n "\${GH_TOKEN:-}" ] || { echo no; exit 2; }\n${warns}`, ['FAIL 1']],
    [
      'the script ends without one, in tests of bash',
      `[[ -z "$GITHUB_TOKEN" ]] && die "no token"\n${warns}`,
      ['FAIL 1'],
    ],
    [
      'the script ends in the other branch',
      `if [ -n "$GITHUB_TOKEN" ]; then echo ok; else exit 1; fi\n${warns}`,
      ['FAIL 1'],
    ],
    ['an unset variable ends it', `set -euo pipefail\necho "$GITHUB_TOKEN" > f\n${warns}`, ['FAIL 2']],
    [
      'the header is always sent',
      `curl -H "Authorization: Bearer $GITHUB_TOKEN" https://x\n${warns}`,
      ['FAIL 1', 'WARN 1'],
    ],
    [
      'the token is an argument',
      `if [ -n "$GITHUB_TOKEN" ]; then curl -H "Authorization: Bearer $GITHUB_TOKEN" https://x; fi\n${warns}`,
      ['WARN 1'],
    ],
    [
      'it is demanded before it is sent',
      `[[ -n $GITHUB_TOKEN ]] || { echo >&2 no; exit 1; }\ncurl -H "Authorization: token $GITHUB_TOKEN" https://x\n${warns}`,
      ['FAIL 1', 'WARN 2'],
    ],
    [
      'it is sent under another name',
      `token="$GITHUB_TOKEN"\ncurl -u "x:$token" https://x\n${warns}`,
      ['FAIL 2', 'WARN 2'],
    ],
    ['scopes are not read', `if [ -n "$GITHUB_TOKEN" ]; then printf %s "$GITHUB_TOKEN" | curl -K -; fi\n`, ['FAIL 1']],
    [
      'no broad scope is named',
      `if [ -n "$GITHUB_TOKEN" ]; then curl -I https://x | grep -i x-oauth-scopes; fi\n`,
      ['WARN 1'],
    ],
  ])('R09: says so where %s', async (_, text, expected) => {
    expect(await outcomes(text)).toEqual(expected)
    expect(await outcomes(text, 'scripts/install-tool.sh')).toEqual(expected)
  })

  it.each([
    [
      'it is optional',
      '# $env:GITHUB_TOKEN\nif ($env:GITHUB_TOKEN) {\n  $h = @{ Authorization = "Bearer $env:GITHUB_TOKEN" }\n  $s = $r.Headers["X-OAuth-Scopes"]\n  if ($s -match "repo|admin:") { Write-Warning "broad" }\n}\n',
      [],
    ],
    ['nothing is used', "Write-Host 'It''s done' <# $env:GITHUB_TOKEN #>\n", []],
    ['it throws', 'if (-not $env:GITHUB_TOKEN) { throw "no token" }\n$s = "X-OAuth-Scopes repo"\n', ['FAIL 1']],
    ['it is mandatory', 'param([Parameter(Mandatory = $true)][string]$Token)\n', ['FAIL 1']],
    [
      'it is always sent',
      '$t = $env:GITHUB_TOKEN\n$h = @{ Authorization = "Bearer $t" }\n$s = "X-OAuth-Scopes repo"\n',
      ['WARN 2'],
    ],
  ])('R09: in PowerShell, %s', async (_, text, expected) => {
    expect(await outcomes(text, 'install.ps1')).toEqual(expected)
  })

  it('R09: a script that cannot be read is an error at its place', async () => {
    expect(places(await judged('R09', { 'install.sh': 'echo ok\nif true; then\n' }))[0]).toContain('ERROR')
    expect(await outcomes('$a = "no end\n', 'install.ps1')).toEqual(['ERROR 1'])
  })

  it('R09: does not apply without an install script', async () => {
    expect((await judged('R09', { 'build.sh': ': ${GITHUB_TOKEN:?}' })).outcome).toBe('NOT_APPLICABLE')
  })
})
