import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { publicId, sha256, uuidv7, type Caller } from '#core'
import type { ServiceGuard } from '#gate'
import { tokenCalls } from './token-calls.ts'

const guard: ServiceGuard = {
  service: 'HubService',
  mode: 'allow',
  digests: [sha256('a token')],
  scopes: new Set(),
}

const callerWith = (id: string): Caller => ({
  kind: 'service',
  id,
  tenant: { id: 'ten_1', name: 'main' },
  scopes: new Set(),
  credential: { kind: 'api_key', id: 'key_1' },
})

function watched() {
  let nowMs = 0
  const counted: string[] = []
  const warned: Record<string, unknown>[] = []
  const log = pino({ base: {} }, { write: (line: string) => void warned.push(JSON.parse(line)) })
  const saw = tokenCalls({
    count: (...labels) => void counted.push(labels.join(' ')),
    clock: { now: () => 0, monotonic: () => nowMs },
    log,
  })
  return { saw, counted, warned, later: (ms: number) => void (nowMs += ms) }
}

describe('calls of guarded services', () => {
  it('G9: are counted by caller, and by (none) where nobody is known', () => {
    const { saw, counted } = watched()
    const id = publicId('agt', uuidv7())
    saw(guard, callerWith(id), 'right')
    saw(guard, callerWith('bypass'), 'none')
    saw(guard, undefined, 'wrong')
    expect(counted).toEqual([`HubService ${id} right`, 'HubService bypass none', 'HubService (none) wrong'])
  })

  it('G9, O4: are counted by 1,000 callers of a service, and no label is text from outside', () => {
    const { saw, counted } = watched()
    for (let at = 0; at < 1001; at += 1) saw(guard, callerWith(`agt_${at}`), 'right')
    saw(guard, callerWith('agt_0'), 'right')
    saw({ ...guard, service: 'OpsService' }, callerWith('ada@example.com'), 'right')
    expect(counted.slice(999)).toEqual([
      'HubService agt_999 right',
      'HubService (others) right',
      'HubService agt_0 right',
      'OpsService (others) right',
    ])
  })

  it('G9: under allow warn of who would be refused, once a minute for each service', () => {
    const { saw, warned, later } = watched()
    saw(guard, callerWith('agt_1'), 'right')
    expect(warned).toEqual([])
    saw(guard, callerWith('agt_1'), 'wrong')
    for (let at = 0; at < 5; at += 1) saw(guard, undefined, 'none')
    saw({ ...guard, service: 'OpsService' }, undefined, 'none')
    later(60_000)
    saw(guard, undefined, 'none')
    expect(warned.map(({ service, caller, result, unsaid }) => [service, caller, result, unsaid])).toEqual([
      ['HubService', 'agt_1', 'wrong', 0],
      ['OpsService', '(none)', 'none', 0],
      ['HubService', '(none)', 'none', 5],
    ])
    expect(warned[0]).toMatchObject({ level: 40, event: 'service_token.let_in' })
  })

  it('G9: under enforce are refused and need no warning; without a token only those that sent none are told', () => {
    const { saw, warned } = watched()
    saw({ ...guard, mode: 'enforce' }, undefined, 'wrong')
    saw({ ...guard, mode: 'enforce', digests: [] }, undefined, 'present')
    expect(warned).toEqual([])
    saw({ ...guard, mode: 'enforce', digests: [] }, undefined, 'absent')
    expect(warned).toHaveLength(1)
  })
})
