import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { verifyLog } from './harness/postgres.ts'

const address = ['jane.doe', 'example.com'].join('@')
const form = /^h1:\d+:[\w-]{22}$/

let instance: TestInstance
beforeAll(async () => {
  instance = await startInstance()
})
afterAll(() => instance.stop())

let count = 0
/** What the entry of a run with the address in its name shows. */
async function shownFor(value: string, key = instance.adminKey): Promise<string> {
  count += 1
  const requestId = `req-pseudonyms-${count}`
  await instance.call(
    'HubService/StartRun',
    { workflow: `for ${value}` },
    { key, headers: { 'x-request-id': requestId } },
  )
  const { body } = await instance.call('LedgerService/Query', { requestId }, { key })
  return JSON.parse(body.entries[0].entryJson).body.args.workflow.slice('for '.length)
}

async function keyed(value: string, key = instance.adminKey): Promise<string> {
  return vi.waitFor(
    async () => {
      const shown = await shownFor(value, key)
      expect(shown).toMatch(form)
      return shown
    },
    { timeout: 30_000, interval: 50 },
  )
}

const pseudonymsOf = async (
  value: string,
  key = instance.adminKey,
): Promise<readonly { readonly version: number; readonly pseudonym: string }[]> =>
  (await instance.call('LedgerService/GetPseudonyms', { value }, { key })).body.pseudonyms

describe('pseudonyms', () => {
  it('L3: entries about one person share a pseudonym, which the tenant finds by the value', async () => {
    expect(await shownFor(address)).toBe('[email]')
    const shown = await keyed(address)
    expect(await shownFor(address.toUpperCase())).toBe(shown)
    expect(await shownFor('june.doe@example.com')).not.toBe(shown)
    expect(await pseudonymsOf(address)).toEqual([{ version: 1, pseudonym: shown }])
  })

  it('L3: what was asked for is in the entry as its pseudonym, whatever its form', async () => {
    for (const value of [address, 'Jane Doe of Example Street']) {
      const [found] = await pseudonymsOf(value)
      const { body } = await instance.call('LedgerService/Query', {
        action: '/portcullis.v1.LedgerService/GetPseudonyms',
        pageSize: 1,
      })
      const { args } = JSON.parse(body.entries[0].entryJson).body
      expect(args).toEqual({ personal: found?.pseudonym })
    }
    const wrong = await instance.call('LedgerService/GetPseudonyms', { value: '' })
    expect([wrong.status, wrong.body.code]).toEqual([400, 'input.invalid'])
  })

  it('L3: each tenant has its own key', async () => {
    const { body } = await instance.call('TenantService/Create', { name: 'acme' })
    const theirs = await keyed(address, body.key)
    expect(await pseudonymsOf(address, body.key)).toEqual([{ version: 1, pseudonym: theirs }])
    expect((await pseudonymsOf(address))[0]?.pseudonym).not.toBe(theirs)
    const destroyed = await instance.call('LedgerService/DestroyPseudonymKey', { version: 1 }, { key: body.key })
    expect([destroyed.status, destroyed.body.code]).toEqual([403, 'auth.scope_missing'])
  })

  it('L3: a destroyed key joins nothing any more, the next version begins, and the chain stays valid', async () => {
    const [before] = await pseudonymsOf(address)
    const destroy = { version: before?.version ?? 0 }
    const done = await instance.call('LedgerService/DestroyPseudonymKey', destroy)
    expect(done.status).toBe(200)
    expect(Date.parse(done.body.destroyedAt)).toBeGreaterThan(0)
    await vi.waitFor(async () => expect((await pseudonymsOf(address)).map(({ version }) => version)).not.toContain(1), {
      timeout: 10_000,
    })
    const again = await instance.call('LedgerService/DestroyPseudonymKey', destroy)
    expect([again.status, again.body.code]).toEqual([404, 'object.not_found'])
    const next = await keyed(address)
    expect(next).toMatch(/^h1:2:/)
    expect(next).not.toBe(before?.pseudonym)
    const owner = await instance.connect('postgres')
    const { rows } = await owner.query(
      'select version, envelope is null as gone from portcullis.pseudonym_keys k join portcullis.tenants t on t.id = k.tenant_id where t.name = $1 order by 1',
      ['main'],
    )
    expect(rows).toEqual([
      { version: 1, gone: true },
      { version: 2, gone: false },
    ])
    for (const log of ['main', 'system']) expect(await verifyLog(owner, log)).toMatchObject({ chain_valid: true })
  })
})
