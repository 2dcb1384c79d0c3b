import { expect, it, vi } from 'vitest'
import type { AppRecord } from '#authority'
import { warnOfOld } from './compose-apps.ts'

const day = 86_400_000
const app = { id: 'app_1', name: 'reports', tenant: { id: 'ten_1', name: 'main' } } as AppRecord

it('A5: the log names apps with a secret of more than 90 days, twenty of them at most, and says how many there are', () => {
  const warn = vi.fn()
  const secretsBefore = vi.fn((timeMs: number) => Array.from({ length: 25 }, () => ({ app, sinceMs: timeMs - day })))
  warnOfOld({ secretsBefore }, { now: () => 200 * day, monotonic: () => 0 }, { warn })
  expect(secretsBefore).toHaveBeenCalledWith(110 * day)
  expect(warn).toHaveBeenCalledTimes(20)
  expect(warn.mock.calls[0]?.[0]).toEqual({
    event: 'apps.secret_old',
    app: 'app_1',
    name: 'reports',
    tenant: 'main',
    ageDays: 91,
    old: 25,
  })
})
