import { expect } from 'vitest'
import { refusals } from '#core'
import type { RawAnswer } from './raw-http.ts'

/** Status and code of a problem document, which names the same request id as its header. */
export function problemOf(answer: RawAnswer): readonly [number, string] {
  const { code, status, type, title, requestId } = JSON.parse(answer.text)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect([status, requestId]).toEqual([answer.status, answer.headers['x-request-id']])
  expect([type.endsWith(`/problems/${code}`), title]).toEqual([true, refusals[code as keyof typeof refusals].say])
  return [answer.status, code]
}
