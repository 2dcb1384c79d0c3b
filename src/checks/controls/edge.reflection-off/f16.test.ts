import { describe, expect, it } from 'vitest'
import { places } from '../../checks.fixture.ts'
import { judgedSettings } from '../../settings.fixture.ts'

const env = { path: '.env' }
const waived = (expires: string): string =>
  `env: production\nreflection:\n  enabled: true\n  waiver: { reason: Partner tests, owner: ada, expires: '${expires}' }\n`

describe('F16', () => {
  it.each([
    ['unset', 'listen: {}\n'],
    ['off', 'reflection:\n  enabled: false\n'],
    ['off, in braces', 'reflection: {enabled: false}\n'],
  ])('F16: holds where it is %s', async (_, text) => {
    expect((await judgedSettings('F16', text)).outcome).toBe('PASS')
  })

  it.each([
    ['block style', 'reflection:\n  enabled: true\n', '2:12'],
    ['flow style', 'reflection: { enabled: true }\n', '1:24'],
    ['quoted key', '"reflection":\n  "enabled": true\n', '2:14'],
    ['CRLF', 'reflection:\r\n  enabled: true\r\n', '2:12'],
    ['anchored', 'reflection: &r\n  enabled: true\n', '2:12'],
    ['yes', 'reflection:\n  enabled: yes\n', '2:12'],
  ])('F16: is broken where it is on (%s)', async (_, text, place) => {
    expect(places(await judgedSettings('F16', text))).toContain(`portcullis.yaml:${place} FAIL`)
  })

  it.each([
    ['ENABLE_REFLECTION=false', 'PASS'],
    ['ENABLE_REFLECTION=0\r\n', 'PASS'],
    ['OTHER=1', 'NOT_APPLICABLE'],
    ['DATABASE_URL=x\nGRPC_ADDR=127.0.0.1:50051', 'PASS'],
    ['OTHER=1\nexport PORTCULLIS__ENV=production', 'PASS'],
    ['ENABLE_REFLECTION=true', 'FAIL'],
    ['export ENABLE_REFLECTION="1"', 'FAIL'],
    ['ENABLE_REFLECTION=yes # for now', 'FAIL'],
    ['PORTCULLIS__REFLECTION__ENABLED=TRUE', 'FAIL'],
    ['#ENABLE_REFLECTION=true', 'NOT_APPLICABLE'],
    ['ENABLE_REFLECTION=maybe', 'WARN'],
  ])('F16: reads env files: %s is %s', async (text, outcome) => {
    expect((await judgedSettings('F16', text, env)).outcome).toBe(outcome)
  })

  it.each([
    ['2026-12-31', 'WARN'],
    ['2026-11-22', 'WARN'],
    ['2026-11-21', 'FAIL'],
    ['2027-12-31', 'FAIL'],
  ])('F16: a dated waiver of the settings, until %s, makes it %s', async (expires, outcome) => {
    expect((await judgedSettings('F16', waived(expires))).outcome).toBe(outcome)
  })

  it('F16: a database that is missing does not hide that reflection is off', async () => {
    const result = await judgedSettings('F16', 'env: production\nreflection:\n  enabled: false\n')
    expect(result.evidence.map(({ outcome }) => outcome)).toEqual(['PASS'])
  })

  it('F16: the environment turns it on over the file', async () => {
    const result = await judgedSettings('F16', 'reflection:\n  enabled: false\n', {
      env: { ENABLE_REFLECTION: 'true' },
    })
    expect(result.outcome).toBe('FAIL')
  })

  it('F16: settings of another program say nothing', async () => {
    expect((await judgedSettings('F16', 'feedser:\n  a: 1\n')).outcome).toBe('NOT_APPLICABLE')
  })
})
