import { describe, expect, it } from 'vitest'
import { places } from '../../checks.fixture.ts'
import { judgedSettings } from '../../settings.fixture.ts'

const env = { path: '.env' }
const waived = (expires: string): string =>
  `legacyToken:\n  enabled: true\n  tenant: main\n  waiver: { reason: Old scripts, owner: ada, expires: '${expires}' }\n`

describe('F17', () => {
  it.each([
    ['unset', 'listen: {}\n'],
    ['off', 'legacyToken:\n  enabled: false\n'],
    ['there and not enabled, which the server ignores', 'legacyToken: { tenant: main }\n'],
  ])('F17, G8: holds where it is %s', async (_, text) => {
    expect((await judgedSettings('F17', text)).outcome).toBe('PASS')
  })

  it.each([
    ['block style', 'legacyToken:\n  enabled: true\n', '2:12'],
    ['flow style', 'legacyToken: { enabled: true, tenant: main }\n', '1:25'],
    ['quoted key', '"legacyToken":\n  "enabled": true\n', '2:14'],
    ['CRLF', 'legacyToken:\r\n  enabled: true\r\n', '2:12'],
    ['anchored', 'legacyToken: &l\n  enabled: true\n', '2:12'],
  ])('F17, G8: is broken where it is on (%s)', async (_, text, place) => {
    expect(places(await judgedSettings('F17', text))).toContain(`portcullis.yaml:${place} FAIL`)
  })

  it.each([
    ['ALLOW_LEGACY_AUTH_TOKEN=false', 'PASS'],
    ['GRPC_ADDR=127.0.0.1:50051\nAUTH_TOKEN=abc', 'PASS'],
    ['AUTH_TOKEN=abc', 'NOT_APPLICABLE'],
    ['#ALLOW_LEGACY_AUTH_TOKEN=true', 'NOT_APPLICABLE'],
    ['ALLOW_LEGACY_AUTH_TOKEN=true', 'FAIL'],
    ['export ALLOW_LEGACY_AUTH_TOKEN="1" # for now', 'FAIL'],
    ['PORTCULLIS__LEGACY_TOKEN__ENABLED=TRUE', 'FAIL'],
    ['ALLOW_LEGACY_AUTH_TOKEN=maybe', 'WARN'],
  ])('F17, G8: reads env files: %s is %s', async (text, outcome) => {
    expect((await judgedSettings('F17', text, env)).outcome).toBe(outcome)
  })

  it.each([
    ['2026-12-31', 'WARN'],
    ['2026-11-21', 'FAIL'],
    ['2027-12-31', 'FAIL'],
  ])('F17, G8: a dated waiver of the settings, until %s, makes it %s', async (expires, outcome) => {
    const { evidence } = await judgedSettings('F17', waived(expires))
    expect(evidence[0]?.outcome).toBe(outcome)
  })

  it('F17, G8: the environment turns it on over the file', async () => {
    const result = await judgedSettings('F17', 'legacyToken:\n  enabled: false\n', {
      env: { ALLOW_LEGACY_AUTH_TOKEN: 'true' },
    })
    expect(result.outcome).toBe('FAIL')
  })

  it('F17: settings of another program say nothing, and never show a token', async () => {
    const result = await judgedSettings('F17', 'feedser:\n  a: 1\n')
    expect(result.outcome).toBe('NOT_APPLICABLE')
    const shown = await judgedSettings('F17', 'ALLOW_LEGACY_AUTH_TOKEN=true\nAUTH_TOKEN=the-shared-one', env)
    expect(JSON.stringify(shown.evidence)).not.toContain('the-shared-one')
  })
})
