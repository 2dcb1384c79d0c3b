import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isConfirmed, operatorName, redactArgs } from './script-facts.ts'

describe('what is recorded of a script', () => {
  it.each([
    [
      ['--token', 'hunter2'],
      ['--token', '***'],
    ],
    [['--token=hunter2'], ['--token=***']],
    [['DB_PASSWORD=hunter2'], ['DB_PASSWORD=***']],
    [
      ['-api-key', 'hunter2', 'next'],
      ['-api-key', '***', 'next'],
    ],
    [
      ['--auth-file', '--force'],
      ['--auth-file', '--force'],
    ],
    [
      ['--days=30', '/srv/exports'],
      ['--days=30', '/srv/exports'],
    ],
    [['PATH=/usr/bin'], ['PATH=/usr/bin']],
  ])('O5: arguments are kept without what a flag or a variable says is secret: %j', (args, shown) => {
    expect(redactArgs(args)).toEqual(shown)
  })

  it('O5: arguments are kept without what looks like a secret', () => {
    const [url = '', jwt = ''] = redactArgs([
      'postgres://app:hunter2secret@db.example/app',
      'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLXRoaXMtdG9rZW4',
    ])
    expect(url).not.toContain('hunter2secret')
    expect(jwt).not.toContain('c2lnbmF0dXJl')
  })

  it('O5: T2: whatever the arguments, a value behind a secret flag is not in the record', () => {
    const secret = fc.stringMatching(/^[a-z]{4}[A-Z0-9]{12}$/)
    const flag = fc.constantFrom('--password', '--client-secret', '-token', '--aws-secret-access-key', '--passphrase')
    fc.assert(
      fc.property(secret, flag, fc.array(fc.string(), { maxLength: 5 }), fc.boolean(), (value, name, more, joined) => {
        const args = [...more, ...(joined ? [`${name}=${value}`] : [name, value]), ...more]
        expect(JSON.stringify(redactArgs(args))).not.toContain(value)
      }),
    )
  })

  it('O5: arguments are bounded in number and length', () => {
    const shown = redactArgs(Array.from({ length: 1000 }, () => 'x'.repeat(100_000)))
    expect(shown).toHaveLength(65)
    expect(JSON.stringify(shown).length).toBeLessThan(64 * 600)
    expect(shown.at(-1)).toBe('… 936 more')
  })

  it('O5: the operator is OPS_OPERATOR, or the user of the operating system', () => {
    expect(operatorName({ OPS_OPERATOR: ' ada ' })).toBe('ada')
    expect(operatorName({ OPS_OPERATOR: '  ' })).not.toBe('')
    expect(operatorName({})).toMatch(/\S/)
  })

  it('O5: only --confirm and OPS_CONFIRM=1 confirm', () => {
    expect(isConfirmed(true, {})).toBe(true)
    expect(isConfirmed(false, { OPS_CONFIRM: '1' })).toBe(true)
    for (const value of ['', '0', 'false', 'yes', '11']) expect(isConfirmed(false, { OPS_CONFIRM: value })).toBe(false)
  })
})
