import { describe, expect, it } from 'vitest'
import { editDistance, suggest } from './suggest.ts'

describe('suggest', () => {
  it.each([
    ['', '', 0],
    ['abc', '', 3],
    ['kitten', 'sitting', 3],
    ['grcp', 'grpc', 1],
    ['recvByts', 'recvBytes', 1],
    ['ca', 'abc', 3],
  ])('O1: %j is %j after %i edits', (a, b, edits) => {
    expect(editDistance(a, b)).toBe(edits)
    expect(editDistance(b, a)).toBe(edits)
  })

  it('O1: the nearest word is suggested, whatever its case', () => {
    expect(suggest('LISTN', ['limits', 'listen', 'log'])).toBe('listen')
    expect(suggest('grcp', ['http', 'grpc'])).toBe('grpc')
  })

  it('O1: nothing is suggested where nothing is near, or where the word is absurdly long', () => {
    expect(suggest('telemetry', ['listen', 'log'])).toBeUndefined()
    expect(suggest('x'.repeat(10_000), ['x'.repeat(10_000)])).toBeUndefined()
  })
})
