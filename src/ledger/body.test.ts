import { describe, expect, it } from 'vitest'
import { bodyBytesMax, encodeBody, type EntryBody } from './body.ts'

const body: EntryBody = {
  access: 'write',
  args: { runId: 'run_1' },
  at: '2026-11-21T18:45:29.123Z',
  bypass: false,
  caller: { id: 'agt_1', kind: 'agent' },
  elapsedUs: 231,
  id: 'ent_0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa',
  kind: 'decision',
  method: '/portcullis.v1.HubService/FinishRun',
  outcome: 'allow',
  reason: undefined,
  scopes: ['tasks:write', 'telemetry:write'],
}

describe('encodeBody', () => {
  it('L2: is canonical JSON without what is absent', () => {
    expect(encodeBody(body)).toBe(
      '{"access":"write","args":{"runId":"run_1"},"at":"2026-11-21T18:45:29.123Z","bypass":false,' +
        '"caller":{"id":"agt_1","kind":"agent"},"elapsedUs":231,"id":"ent_0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa",' +
        '"kind":"decision","method":"/portcullis.v1.HubService/FinishRun","outcome":"allow",' +
        '"scopes":["tasks:write","telemetry:write"]}',
    )
  })

  it('L2: replaces arguments by a mark with their size where the body passes 48 KiB', () => {
    const args = { note: 'é'.repeat(30_000) }
    const json = encodeBody({ ...body, args })
    expect(JSON.parse(json)).toMatchObject({ args: { bytes: 60_011, truncated: true }, method: body.method })
  })

  it('L2: keeps arguments up to exactly 48 KiB, counted in bytes', () => {
    const room = bodyBytesMax - Buffer.byteLength(encodeBody({ ...body, args: { note: '' } }))
    const fits = encodeBody({ ...body, args: { note: 'x'.repeat(room) } })
    expect(Buffer.byteLength(fits)).toBe(bodyBytesMax)
    expect(encodeBody({ ...body, args: { note: 'x'.repeat(room + 1) } })).toContain('"truncated":true')
  })

  it('L2: refuses a body that is too large without its arguments', () => {
    expect(() => encodeBody({ ...body, reason: 'x'.repeat(50_000) })).toThrow('bound method, reason and scopes')
  })
})
