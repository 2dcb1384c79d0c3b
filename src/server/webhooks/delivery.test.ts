import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HttpTarget, misbehave, reply } from '../../../test/fakes/http-target.ts'
import { Delivery, type WebhookSetting } from './delivery.ts'

const dir = mkdtempSync(join(tmpdir(), 'portcullis-delivery-'))
const secretFile = join(dir, 'secret')
afterAll(() => rmSync(dir, { recursive: true }))

let target: HttpTarget
let opened: Delivery[] = []
beforeEach(async () => {
  writeFileSync(secretFile, `whsec_${Buffer.alloc(32, 1).toString('base64')}`, { mode: 0o600 })
  target = await HttpTarget.start(reply(200))
})
afterEach(async () => {
  for (const one of opened) await one.close()
  opened = []
  await target.stop()
})

function open(more: Partial<WebhookSetting> = {}): Delivery {
  const made = new Delivery({
    name: 'pager',
    url: `${target.url}/hook?token=hidden`,
    secretFile,
    events: ['*'],
    timeoutMs: 5000,
    retrySeconds: [1],
    allowPrivate: true,
    ...more,
  })
  opened.push(made)
  return made
}

describe('one delivery', () => {
  it('O11: is an answer of 2xx, and nothing else', async () => {
    const delivery = open()
    expect(await delivery.send('ent_1', '{}', 1000)).toEqual({ ok: true })
    // A kept connection that closes is tried once more on a new one.
    target.next.push(misbehave.redirect, misbehave.tooMany, misbehave.closeBeforeReply, misbehave.closeBeforeReply)
    const after: unknown[] = []
    for (let turn = 0; turn < 3; turn += 1) after.push(await delivery.send('ent_1', '{}', 1000))
    expect(after).toEqual([
      { ok: false, why: 'it answered 307', waitMs: 0 },
      { ok: false, why: 'it answered 429', waitMs: 7000 },
      { ok: false, why: expect.not.stringContaining('hidden'), waitMs: 0 },
    ])
    const late = open({ timeoutMs: 100 })
    target.next.push(misbehave.hang)
    expect(await late.send('ent_1', '{}', 1000)).toMatchObject({ ok: false, why: expect.stringMatching(/deadline/) })
  })

  it('O11: goes to no network of one’s own unless that is allowed', async () => {
    expect(await open({ allowPrivate: false }).send('ent_1', '{}', 1000)).toMatchObject({ ok: false })
    const encrypted = open({ allowPrivate: false, url: target.url.replace('http:', 'https:') })
    expect(await encrypted.send('ent_1', '{}', 1000)).toMatchObject({
      ok: false,
      why: expect.stringContaining('a loopback address'),
    })
    expect(target.received).toEqual([])
  })

  it('O11: is signed with the secret that is in the file now; without one nothing is sent', async () => {
    const delivery = open()
    await delivery.send('ent_1', '{}', 1000)
    writeFileSync(secretFile, `whsec_${Buffer.alloc(40, 2).toString('base64')}`)
    await delivery.send('ent_1', '{}', 1000)
    const signatures = target.received.map(({ headers }) => headers['webhook-signature'])
    expect(new Set(signatures).size).toBe(2)
    for (const text of ['', 'correct horse battery staple']) {
      writeFileSync(secretFile, text)
      const tried = await delivery.send('ent_1', '{}', 1000)
      expect(tried).toMatchObject({ ok: false, why: expect.stringContaining('a file') })
      expect(JSON.stringify(tried)).not.toMatch(/horse|portcullis-delivery/)
    }
    expect(target.received).toHaveLength(2)
  })
})
