import { InvalidArgumentError } from 'commander'
import { describe, expect, it } from 'vitest'
import { CliError } from './errors.ts'
import { checkScopes, parseNetwork, parseScopes } from './grant-values.ts'
import { integerBetween, parseExpiry, parseLabel } from './values.ts'

const nowMs = Date.parse('2026-11-21T12:00:00Z')

describe('parseExpiry', () => {
  it.each([
    ['30s', '2026-11-21T12:00:30.000Z'],
    ['45m', '2026-11-21T12:45:00.000Z'],
    ['12h', '2026-11-22T00:00:00.000Z'],
    ['30d', '2026-12-21T12:00:00.000Z'],
    ['2w', '2026-12-05T12:00:00.000Z'],
    ['2027-01-31T00:00:00Z', '2027-01-31T00:00:00.000Z'],
    ['2027-01-31T00:00:00.5+02:00', '2027-01-30T22:00:00.500Z'],
  ])('U1: %s is %s', (text, expected) => {
    expect(parseExpiry(text, nowMs)).toBe(expected)
  })

  it.each([
    ['', 'Write how long'],
    ['30', 'Write how long'],
    ['0d', 'Write how long'],
    ['1y', 'Write how long'],
    ['-3d', 'Write how long'],
    ['2027-01-31', 'Write how long'],
    ['2027-01-31T00:00:00', 'Write how long'],
    ['2027-02-30T00:00:00Z', 'Write how long'],
    ['2027-01-31T25:00:00Z', 'Write how long'],
    ['2026-11-21T11:59:59Z', 'in the past'],
    ['999999999w', 'after the year 9999'],
  ])('U1: %j is refused with what to write instead', (text, why) => {
    expect(() => parseExpiry(text, nowMs)).toThrow(InvalidArgumentError)
    expect(() => parseExpiry(text, nowMs)).toThrow(why)
  })
})

describe('scopes', () => {
  it('U1: scopes may come as a list, as repeated options and with blanks; each counts once', () => {
    expect(parseScopes('ledger:read', parseScopes('telemetry:read, ledger:read'))).toEqual([
      'telemetry:read',
      'ledger:read',
    ])
  })

  it('U1: a mistyped scope is refused with the one that was meant', async () => {
    const error = await checkScopes(['ledger:read', 'telemetri:read']).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(CliError)
    expect(error).toMatchObject({
      exit: 'usage',
      details: { todo: expect.stringContaining('Did you mean telemetry:read?') },
    })
  })

  it('U1: a scope unlike any other is refused with the list of scopes', async () => {
    await expect(checkScopes([''])).rejects.toMatchObject({
      details: { todo: expect.stringMatching(/^Scopes: admin:read, /) },
    })
  })

  it('U1: known scopes pass', async () => {
    await expect(checkScopes(['admin:read', 'tenants:write'])).resolves.toBeUndefined()
  })
})

describe('other values', () => {
  it('U1: labels are collected, and a value may hold an equals sign', () => {
    expect(parseLabel('b=x=y', parseLabel('a='))).toEqual({ a: '', b: 'x=y' })
    expect(parseLabel('__proto__=x')).toEqual(Object.fromEntries([['__proto__', 'x']]))
  })

  it('U1: a label without a name, without a value or given twice is refused', () => {
    expect(() => parseLabel('=x')).toThrow('name=value')
    expect(() => parseLabel('a')).toThrow('name=value')
    expect(() => parseLabel('a=2', { a: '1' })).toThrow('twice')
  })

  it('U1: a network must be one', () => {
    expect(parseNetwork('fd00::/8', ['10.0.0.0/8'])).toEqual(['10.0.0.0/8', 'fd00::/8'])
    expect(() => parseNetwork('10.0.0.0')).toThrow(InvalidArgumentError)
  })

  it('U1: a number must be whole and within its bounds', () => {
    const parse = integerBetween(1, 1000)
    expect([parse('1'), parse('1000')]).toEqual([1, 1000])
    for (const text of ['0', '1001', '-1', '1.5', '1e2', '', ' 5', '0x10'])
      expect(() => parse(text)).toThrow('from 1 to 1000')
  })
})
