import { describe, expect, it } from 'vitest'
import { grpcCodes, isRefusal, refusals, refuse, type RefusalCode } from './refusals.ts'

const codes = Object.keys(refusals) as RefusalCode[]

describe('the table of refusals', () => {
  it.each(codes)('C3: %s has a stable form, statuses that agree, a sentence and advice', (code) => {
    const { grpc, http, say, help } = refusals[code]
    expect(code).toMatch(/^[a-z]+\.[a-z_]+$/)
    expect(Object.keys(grpcCodes)).toContain(grpc)
    expect(http).toBeGreaterThanOrEqual(400)
    expect(http).toBeLessThan(600)
    expect(say).toMatch(/^[A-Z].*\.$/)
    expect(help).toMatch(/^[A-Z].*\.$/s)
    // A caller's mistake is 4xx, ours is 5xx, over both transports alike.
    const oursOverGrpc = ['internal', 'unavailable', 'deadline_exceeded'].includes(grpc)
    if (code !== 'bounds.reply_too_large') expect(http >= 500).toBe(oursOverGrpc)
  })

  it('C3: the statuses are those that were published', () => {
    const published: Readonly<Record<string, readonly number[]>> = {
      unauthenticated: [401],
      permission_denied: [403],
      not_found: [404],
      invalid_argument: [400, 415, 422],
      resource_exhausted: [402, 413, 429, 431, 500],
      aborted: [409],
      already_exists: [409],
      unimplemented: [404, 405],
      failed_precondition: [412],
      deadline_exceeded: [504],
      internal: [500],
      unavailable: [503],
    }
    for (const code of codes)
      expect([code, published[refusals[code].grpc]]).toEqual([code, expect.arrayContaining([refusals[code].http])])
  })

  it('C3: the sentences hold no address, no SQL and no internal name', () => {
    for (const { say, help } of Object.values(refusals)) {
      expect(`${say} ${help}`).not.toMatch(/\d+\.\d+\.\d+\.\d+|select |insert |postgres|\.ts\b|stack|undefined/i)
    }
  })

  it('C3: no two sentences are the same', () => {
    expect(new Set(Object.values(refusals).map(({ say }) => say)).size).toBe(codes.length)
  })

  it('G2: a refusal is told from everything else', () => {
    expect(isRefusal(refuse('rate.limited', 'why', { retryAfterSeconds: 1 }))).toBe(true)
    for (const other of [
      undefined,
      null,
      '',
      'refused',
      {},
      { refused: false },
      { refused: 'true' },
      new Error('no'),
      [],
    ])
      expect(isRefusal(other)).toBe(false)
  })
})
