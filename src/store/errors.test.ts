import { describe, expect, it } from 'vitest'
import { DatabaseError } from 'pg'
import { classify, describe as describeError, isFault, sqlState } from './errors.ts'

function answered(state: string): DatabaseError {
  const error = new DatabaseError('said the server', 0, 'error')
  error.code = state
  error.severity = 'ERROR'
  return error
}

describe('classify', () => {
  it.each([
    ['23505', 'statement'],
    ['22021', 'statement'],
    ['LG005', 'statement'],
    ['55P03', 'contended'],
    ['57014', 'contended'],
    ['40P01', 'contended'],
    ['40001', 'contended'],
    ['53300', 'unavailable'],
    ['57P01', 'unavailable'],
    ['25006', 'unavailable'],
    // The server ended the session because nothing came from us in time: no member is to blame.
    ['25P03', 'unavailable'],
    ['25P04', 'unavailable'],
  ])('L5: %s means %s', (state, meaning) => {
    expect(classify(answered(state))).toBe(meaning)
  })

  it('L5: what the server did not answer is an error of the connection, also where it has a code of five letters', () => {
    const broken = Object.assign(new Error('broken'), { code: 'EPIPE' })
    expect([classify(broken), sqlState(broken), describeError(broken)]).toEqual(['unavailable', undefined, 'broken'])
  })

  it('L5: the reason in the ledger names the state', () => {
    expect(describeError(answered('23505'))).toBe('23505 said the server')
  })

  it('G19, G20: a read that fails by a fault of ours is told from a store that is away', () => {
    const asRead = (cause: unknown): Error => new Error('a read of the store failed', { cause })
    const faults = [new TypeError('x is not a function'), asRead(new SyntaxError('no JSON')), asRead(answered('42703'))]
    expect(faults.map(isFault)).toEqual([true, true, true])
    const away = [
      new Error('the connection to the store is closed'),
      asRead(answered('57014')),
      asRead(answered('57P01')),
    ]
    expect(away.map(isFault)).toEqual([false, false, false])
  })
})
