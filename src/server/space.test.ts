import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { HubService, IdentityService, LedgerService, methodOf, methods } from '@portcullis/contract'
import { Space } from './space.ts'

const write = methodOf(HubService.method.startRun)
const read = methodOf(LedgerService.method.query)
const revoke = methodOf(IdentityService.method.revokeKey)

function space(free: { bytes: number | Error }, freeBytesMin: number, dir: string | undefined) {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line).event) })
  const freeBytes = () => (free.bytes instanceof Error ? Promise.reject(free.bytes) : Promise.resolve(free.bytes))
  return { space: new Space({ dir, freeBytesMin, freeBytes }, log), lines }
}

describe('free space', () => {
  it('O14: below the mark writes are refused, reads and what takes power away go on until a quarter of it', async () => {
    const free = { bytes: 1000 as number | Error }
    const { space: made, lines } = space(free, 1000, '/data')
    const refused = async (bytes: number) => {
      free.bytes = bytes
      await made.look()
      return [write, revoke, read].map((method) => made.refusal(method)?.code)
    }
    expect(made.refusal(write)).toBeUndefined()
    expect(await refused(1000)).toEqual([undefined, undefined, undefined])
    expect(await refused(999)).toEqual(['store.full', undefined, undefined])
    expect(await refused(250)).toEqual(['store.full', undefined, undefined])
    expect(await refused(249)).toEqual(['store.full', 'store.full', 'store.full'])
    expect(await refused(5000)).toEqual([undefined, undefined, undefined])
    expect(lines).toEqual(['space.short', 'space.enough'])
    made.close()
  })

  it('O14: what ends something or keeps it alive, or takes power away, is shed last, and nothing else', () => {
    const last = [...methods.values()].filter(({ shedLast }) => shedLast).map(({ path }) => path.split('.').at(-1))
    expect(last).toEqual([
      'BudgetService/Settle',
      'BudgetService/Extend',
      'BudgetService/Release',
      'HubService/FinishRun',
      'IdentityService/DisableAgent',
      'IdentityService/RevokeKey',
      'IdentityService/DisableApp',
      'IdentityService/DisableOperator',
      'IdentityService/RevokeSession',
      'IdentityService/RevokeCertificate',
      'IdentityService/RevokeSigningKey',
      'JobsService/Cancel',
      'KillService/Engage',
      'KillService/Release',
      'TenantService/Disable',
    ])
  })

  it('O14: where nobody knows how much is free, or no mark is set, nothing is refused', async () => {
    for (const [bytes, mark, dir] of [
      [new Error('no such folder'), 1000, '/data'],
      [0, 0, '/data'],
      [0, 1000, undefined],
    ] as const) {
      const { space: made } = space({ bytes }, mark, dir)
      await made.look()
      expect(made.refusal(write)).toBeUndefined()
      made.close()
    }
  })
})
