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
    replicas: { killWork: () => Promise.resolve(looks.shift() ?? []), killsThrough: () => Promise.resolve([]) },
    writer: { submit },
  })
  canceller.wake(0)
  await vi.waitFor(() => expect(looks).toEqual([]))
  await canceller.close()
  expect(done).toEqual([`spend ${uuid(22)}`, `kill.cancel ${uuid(2)}`, `kill.cancel ${uuid(4)}`])
})

it('K3: whoever finds nothing left says how much was ended in all, though another one ended it', async () => {
  const kill = { killId: uuid(9), tenantId: uuid(2), tenantName: 'main' }
  const through = [[kill, { ...kill, killId: uuid(8) }], [{ ...kill, killId: uuid(7) }]]
  // The last one was finished by another replica meanwhile.
  const rows = [{ runs: '3', reservations: '250' }, { runs: '0', reservations: '0' }, undefined]
  const told: unknown[] = []
  const submit = ({ effect, silent }: WriterMember) => {
    const answer = (effect as Effect).answer(rows.shift())
    if ('code' in answer) throw new Error('a step was refused')
    told.push([silent, (answer.entries ?? []).map(({ body }): unknown => JSON.parse(body).args)])
    return Promise.resolve({ refused: false, reply: undefined, bytes: undefined, replayed: false } as const)
  }
  const canceller = new Canceller({
    clock: { now: () => 1_800_000_000_000, monotonic: () => performance.now() },
    log: pino({ level: 'silent' }),
    replicas: { killWork: () => Promise.resolve([]), killsThrough: () => Promise.resolve(through.shift() ?? []) },
    writer: { submit },
  })
  canceller.wake(0)
  await vi.waitFor(() => expect(told).toHaveLength(3))
  await canceller.close()
  const args = { killId: `kil_${uuid(9)}`, reservations: 250, runs: 3, through: true }
  expect(told).toEqual([
    [true, [args]],
    [true, []],
    [true, []],
  ])
})
