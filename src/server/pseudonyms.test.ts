import { createSecretKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Tenant } from '#core'
import type { PseudonymKey, PseudonymKeys } from '#store'
import { Pseudonyms } from './pseudonyms.ts'

const acme: Tenant = { id: 'ten_1', name: 'acme' }
const other: Tenant = { id: 'ten_2', name: 'other' }

/** Keys in memory instead of the database. */
function fakeKeys() {
  const rows: PseudonymKey[] = []
  const state = { away: false, created: 0 }
  const key = (tenant: Tenant, version: number): PseudonymKey => ({
    tenant,
    version,
    key: createSecretKey(Buffer.alloc(32, version)),
    createdAtMs: 0,
    destroyedAtMs: undefined,
  })
  const destroy = (tenant: Tenant, version: number): void => {
    const at = rows.findIndex((row) => row.tenant.id === tenant.id && row.version === version)
    rows[at] = { ...key(tenant, version), key: undefined, destroyedAtMs: 1 }
  }
  const port: PseudonymKeys = {
    load: () => (state.away ? Promise.reject(new Error('away')) : Promise.resolve({ keys: [...rows], changed: true })),
    create: (tenant) => {
      state.created += 1
      const made = key(tenant, 1 + rows.filter((row) => row.tenant.id === tenant.id).length)
      rows.push(made)
      return Promise.resolve(made)
    },
    destroy: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  }
  return { port, state, destroy }
}

async function started() {
  const keys = fakeKeys()
  const failures: unknown[] = []
  const clock = { ms: 0 }
  const pseudonyms = new Pseudonyms({ failed: (error) => failures.push(error), monotonic: () => clock.ms })
  await pseudonyms.start(keys.port)
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  return { ...keys, pseudonyms, failures, clock, settle }
}

describe('pseudonyms of tenants', () => {
  it('L3: a tenant gets its key with its first personal value, which is masked; what follows has its pseudonym', async () => {
    const { pseudonyms, settle, state } = await started()
    const first = Array.from({ length: 100 }, () => pseudonyms.of(acme)('a@example.com'))
    expect(new Set(first)).toEqual(new Set([undefined]))
    await settle()
    expect(state.created).toBe(1)
    expect(pseudonyms.of(acme)('a@example.com')).toMatch(/^h1:1:[\w-]{22}$/)
    expect(pseudonyms.all(other)).toEqual([])
    await pseudonyms.close()
  })

  it('L3: a destroyed key makes nothing any more, and the next version takes its place', async () => {
    const { pseudonyms, settle, destroy } = await started()
    pseudonyms.of(acme)('a@example.com')
    await settle()
    const before = pseudonyms.of(acme)('a@example.com')
    destroy(acme, 1)
    pseudonyms.wake()
    await settle()
    expect(pseudonyms.all(acme)).toEqual([])
    expect(pseudonyms.of(acme)('a@example.com')).toBeUndefined()
    await settle()
    const after = pseudonyms.of(acme)('a@example.com')
    expect(after).toMatch(/^h1:2:/)
    expect(after).not.toBe(before)
    await pseudonyms.close()
  })

  it('L3: a store that is away is asked once a minute for a key, and nothing waits for it', async () => {
    const { pseudonyms, settle, state, failures, clock } = await started()
    state.away = true
    for (let value = 0; value < 1000; value += 1) expect(pseudonyms.of(acme)('a@example.com')).toBeUndefined()
    await settle()
    expect(failures).toHaveLength(1)
    state.away = false
    pseudonyms.of(acme)('a@example.com')
    await settle()
    expect(state.created).toBe(0)
    clock.ms = 60_000
    pseudonyms.of(acme)('a@example.com')
    await settle()
    expect(state.created).toBe(1)
    await pseudonyms.close()
  })
})
