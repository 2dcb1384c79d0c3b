import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { basic, makeApp, post, token, type TestApp } from './harness/oauth.ts'

let instance: TestInstance
let app: TestApp

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: '20',
    PORTCULLIS__LIMITS__RATE__KEY__PER_SECOND: '1',
    PORTCULLIS__LIMITS__RATE__KEY__BURST: '50',
  })
  app = await makeApp(instance, { name: 'worker' })
})

afterAll(async () => instance.stop())

const alone = { grant_type: 'client_credentials' }

describe('the bounds of the authorization server', () => {
  it('A1: an app that asks too often waits, and others do not', async () => {
    const busy = await makeApp(instance, { name: 'busy' })
    const replies = await Promise.all(Array.from({ length: 60 }, () => token(instance.url, busy, alone)))
    const waits = replies.filter(({ status }) => status === 429)
    expect(waits.length).toBeGreaterThan(0)
    expect(waits[0]?.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(replies.every(({ status }) => status === 200 || status === 429)).toBe(true)
    expect((await token(instance.url, app, alone)).status).toBe(200)
  })

  it('L14: an address that fails again and again is refused before its secret is looked at, and fills nothing', async () => {
    const wrong = { ...app, secret: 'pcs_wrong' }
    const replies: number[] = []
    for (let turn = 0; turn < 40; turn += 1) replies.push((await token(instance.url, wrong, alone)).status)
    expect(new Set(replies)).toEqual(new Set([401, 429]))
    // Also for the right secret: whoever guesses must not learn that it was right.
    await expect
      .poll(async () => {
        // A token that came back meanwhile is used up by a wrong one first.
        while ((await token(instance.url, wrong, alone)).status !== 429);
        return (await post(instance.url, '/v1/oauth/token', alone, basic(app))).status
      })
      .toBe(429)
    const admin = await instance.connect('postgres')
    const { rows } = await admin.query<{ many: string }>(
      `select count(*) as many from audits.entries where action = 'token.refused' and log = 'system'`,
    )
    expect(Number(rows[0]?.many)).toBeLessThanOrEqual(25)
    await admin.end()
  })
})
