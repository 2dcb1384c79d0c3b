import pino from 'pino'
import { expect, it, vi } from 'vitest'
import type { Effect, WriterMember } from '#hub'
import { Canceller } from './canceller.ts'

const uuid = (n: number): string => `0199a3c2-7b1e-7d42-9c55-${String(n).padStart(12, '0')}`
const work = (tenant: number, reservations: readonly string[]) => ({
  killId: uuid(9),
  tenantId: uuid(tenant),
  tenantName: `tenant ${tenant}`,
  runs: true,
  reservations,
})

it('K3: a step that fails holds up neither the others of its tenant nor those of others', async () => {
  const done: string[] = []
  const failing = new Set([`spend ${uuid(21)}`, `kill.cancel ${uuid(3)}`])
  const looks = [[work(2, [uuid(21), uuid(22)]), work(3, []), work(4, [])], []]
  const submit = ({ tenantId = '', effect }: WriterMember) => {
    const one = effect as Effect
    const { operation, key } = one
    const step = `${operation} ${operation === 'spend' ? key : tenantId}`
    if (failing.has(step)) return Promise.reject(new Error(`a fault of ${step}`))
    done.push(step)
    if (operation === 'kill.cancel') one.answer({ cancelled: 1 })
    return Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false } as const)
  }
  const canceller = new Canceller({
    clock: { now: () => 1_800_000_000_000, monotonic: () => performance.now() },
    log: pino({ level: 'silent' }),
    replicas: { killWork: () => Promise.resolve(looks.shift() ?? []) },
    writer: { submit },
  })
  canceller.wake(0)
  await vi.waitFor(() => expect(looks).toEqual([]))
  await canceller.close()
  expect(done).toEqual([`spend ${uuid(22)}`, `kill.cancel ${uuid(2)}`, `kill.cancel ${uuid(4)}`])
})
