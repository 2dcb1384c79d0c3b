import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EventStream } from './harness/event-stream.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { makeApp, token, type TestApp } from './harness/oauth.ts'

let instance: TestInstance
let app: TestApp
beforeAll(async () => {
  instance = await startInstance()
  app = await makeApp(instance, { name: 'events' })
})
afterAll(() => instance.stop())

const path = '/v1/token-events'
const issue = async (): Promise<void> => {
  expect((await token(instance.url, app, { grant_type: 'client_credentials' })).status).toBe(200)
}
const refuse = async (): Promise<void> => {
  const fields = { grant_type: 'client_credentials', scope: 'tenants:write' }
  expect((await token(instance.url, app, fields)).status).toBe(400)
}

function stream(more: { readonly key?: string; readonly lastId?: string; readonly query?: string } = {}) {
  return EventStream.open(`${instance.url}${path}${more.query ?? ''}`, {
    authorization: `Bearer ${more.key ?? instance.adminKey}`,
    ...(more.lastId === undefined ? {} : { 'last-event-id': more.lastId }),
  })
}

const kinds = ({ heard }: EventStream): readonly string[] => heard.map(({ event }) => event)

describe('the stream of token events', () => {
  it('A11: tells of tokens as they are issued and refused, as they stand in the ledger', async () => {
    const events = await stream()
    expect([events.status, events.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    expect(events.headers.get('cache-control')).toBe('no-store')
    expect(events.headers.get('x-request-id')).toMatch(/^req_/)
    await events.until(({ lastId }) => lastId !== '')
    await issue()
    await refuse()
    await events.until(({ heard }) => heard.length === 2)
    expect(kinds(events)).toEqual(['token.issued', 'token.refused'])
    const [issued, refused] = events.heard.map(({ data }) => data)
    expect(issued.body).toMatchObject({ kind: 'token.issued', outcome: 'allow', args: { client: app.id } })
    expect(refused.body).toMatchObject({ outcome: 'deny', code: 'oauth.invalid_scope' })
    const { body } = await instance.call('LedgerService/Query', { requestId: issued.body.requestId })
    expect(body.entries[0]).toMatchObject({ log: issued.log, seq: String(issued.seq), recordHash: issued.record_hash })
    expect(JSON.stringify(events.heard)).not.toContain(app.secret)
    await events.close()
  })

  it('A11: whoever comes back hears what happened meanwhile, once', async () => {
    const first = await stream()
    await first.until(({ lastId }) => lastId !== '')
    await issue()
    await first.until(({ heard }) => heard.length === 1)
    await first.close()
    await issue()
    await refuse()
    const [again, queried] = [
      await stream({ lastId: first.lastId }),
      await stream({ query: `?cursor=${encodeURIComponent(first.lastId)}` }),
    ]
    await issue()
    for (const events of [again, queried]) {
      await events.until(({ heard }) => heard.length === 3)
      expect(kinds(events)).toEqual(['token.issued', 'token.refused', 'token.issued'])
      expect(new Set(events.heard.map(({ id }) => id)).size).toBe(3)
      await events.close()
    }
    const page = await instance.call('LedgerService/GetTokenEvents', { cursor: first.lastId })
    expect(page.body.events).toHaveLength(3)
    expect(page.body).toMatchObject({ more: false, nextCursor: expect.stringMatching(/^main:\d+$/) })
  })

  it('A11, G11: is of the tenant of the caller', async () => {
    const tenant = await instance.call('TenantService/Create', { name: 'elsewhere' })
    const events = await stream({ key: tenant.body.key, lastId: 'main:0,elsewhere:0' })
    const own = await makeApp(
      { ...instance, call: (method, body, more) => instance.call(method, body, { key: tenant.body.key, ...more }) },
      { name: 'own' },
    )
    await issue()
    expect((await token(instance.url, own, { grant_type: 'client_credentials' })).status).toBe(200)
    await events.until(({ heard }) => heard.length > 0)
    expect(events.heard.map(({ data }) => data.log)).toEqual(['elsewhere'])
    await events.close()
  })

  it('A11: goes through the gate, and opening it is an entry', async () => {
    const none = await fetch(`${instance.url}${path}`)
    expect([none.status, ((await none.json()) as { code: string }).code]).toEqual([401, 'auth.credential_missing'])
    const weak = await instance.agent('weak', ['telemetry:write'])
    expect((await stream({ key: weak.key })).status).toBe(403)
    const events = await stream()
    const requestId = events.headers.get('x-request-id') ?? ''
    const { body } = await instance.call('LedgerService/Query', { requestId })
    expect(JSON.parse(body.entries[0].entryJson).body).toMatchObject({
      method: '/portcullis.v1.LedgerService/GetTokenEvents',
      outcome: 'allow',
    })
    await events.close()
  })

  it.each([
    { lastId: 'nonsense' },
    { lastId: 'main:-1' },
    { lastId: `main:${'9'.repeat(30)}` },
    { lastId: 'main:1,main:2' },
    { lastId: 'MAIN:1' },
    { query: '?cursor=x' },
    { query: '?cursor=main:1&cursor=main:2' },
    { query: '?from=1' },
  ])('A11: refuses what is no cursor: %j', async (wrong) => {
    const response = await fetch(`${instance.url}${path}${wrong.query ?? ''}`, {
      headers: {
        authorization: `Bearer ${instance.adminKey}`,
        ...(wrong.lastId === undefined ? {} : { 'last-event-id': wrong.lastId }),
      },
    })
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, 'input.invalid'])
  })

  it('A10, A11: ends less than a second after its credential was revoked', async () => {
    const auditor = await instance.agent('auditor', ['ledger:read'])
    const events = await stream({ key: auditor.key })
    await events.until(({ lastId }) => lastId !== '')
    const begunAt = performance.now()
    await instance.call('IdentityService/RevokeKey', { keyId: auditor.keyId })
    await events.until(({ ended }) => ended)
    expect(performance.now() - begunAt).toBeLessThan(1000)
    expect(events.heard.at(-1)).toMatchObject({ event: 'end', data: { why: 'credential' } })
    expect((await stream({ key: auditor.key })).status).toBe(401)
  })

  it('A11: a caller has four of them at a time', async () => {
    const reader = await instance.agent('reader', ['ledger:read'])
    const open = await Promise.all([1, 2, 3, 4].map(() => stream({ key: reader.key })))
    expect(open.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const fifth = await stream({ key: reader.key })
    expect([fifth.status, fifth.headers.get('retry-after')]).toEqual([429, '10'])
    await open[0]?.close()
    // The server hears of it a moment later.
    const deadline = AbortSignal.timeout(5000)
    let next = await stream({ key: reader.key })
    while (next.status === 429 && !deadline.aborted) next = await stream({ key: reader.key })
    expect(next.status).toBe(200)
    await Promise.all([...open, next].map((one) => one.close()))
  })
})

describe('a server that stops', () => {
  it('A11: tells the streams that it does, and waits for none of them', async () => {
    const other = await startInstance()
    const events = await EventStream.open(`${other.url}${path}`, { authorization: `Bearer ${other.adminKey}` })
    const begunAt = performance.now()
    await other.stop()
    await events.done
    expect(events.heard.at(-1)).toMatchObject({ event: 'end', data: { why: 'draining' } })
    expect(performance.now() - begunAt).toBeLessThan(9000)
  })
})
