import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { webhookEvents } from '#config'
import { Secret, signWebhook, webhookKey } from '#core'

const page = readFileSync('docs/webhooks.md', 'utf8')
const dir = mkdtempSync(join(tmpdir(), 'portcullis-verify-'))
afterAll(() => rmSync(dir, { recursive: true }))

it('O11: the page shows how to verify a delivery', async () => {
  const file = join(dir, 'verify.mjs')
  writeFileSync(file, /```js\n([\s\S]+?)```/.exec(page)?.[1] ?? '')
  const { verify } = (await import(file)) as {
    readonly verify: (secret: string, headers: object, body: string, nowMs: number) => boolean
  }
  const secret = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
  const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
  const keys = [other, secret].flatMap((text) => webhookKey(new Secret(text)) ?? [])
  const headers = signWebhook('ent_1', 1_700_000_000, '{"a":1}', keys)
  const nowMs = 1_700_000_010_000
  expect(verify(secret, headers, '{"a":1}', nowMs)).toBe(true)
  expect(verify(other, headers, '{"a":1}', nowMs)).toBe(true)
  expect(verify(secret, headers, '{"a":2}', nowMs)).toBe(false)
  expect(verify(secret, { ...headers, 'webhook-id': 'ent_2' }, '{"a":1}', nowMs)).toBe(false)
  expect(verify(secret, headers, '{"a":1}', nowMs + 600_000)).toBe(false)
  expect(verify(`whsec_${Buffer.alloc(32, 7).toString('base64')}`, headers, '{"a":1}', nowMs)).toBe(false)
  expect(verify(secret, {}, '{"a":1}', nowMs)).toBe(false)
})

it('O11: the page names every event', () => {
  for (const event of webhookEvents) expect(page).toContain(`\`${event}\``)
})
