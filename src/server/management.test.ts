import { TrustedProxies } from './trusted-proxies.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pino } from 'pino'
import { loadConfig } from '#config'
import type { HttpListener } from './http/server.ts'
import { listenManagement } from './management.ts'
import { Metrics } from './telemetry/metrics.ts'

let listener: HttpListener
let reason: string | undefined
const metrics = new Metrics()

beforeAll(async () => {
  const loaded = loadConfig({ env: { PORTCULLIS__LISTEN__MANAGEMENT: '127.0.0.1:0' }, mode: 'up' })
  if (!loaded.ok) throw new Error('the settings are good')
  listener = await listenManagement({
    config: loaded.config,
    log: pino({ level: 'silent' }),
    proxies: new TrustedProxies([]),
    notReady: () => Promise.resolve(reason),
    metrics: () => metrics.prometheus(),
  })
})
afterAll(() => listener.stop(1000))

describe('the management listener', () => {
  it('G20: is alive whatever the state, and ready only where calls can be decided', async () => {
    for (const [why, status] of [
      [undefined, 200],
      ['the store cannot be reached', 503],
    ] as const) {
      reason = why
      const ready = await fetch(`http://${listener.address}/readyz`)
      expect([ready.status, ((await ready.json()) as { reason?: string }).reason]).toEqual([status, why])
      expect((await fetch(`http://${listener.address}/healthz`)).status).toBe(200)
    }
  })

  it('O4: a scrape answers while the server is not ready yet', async () => {
    reason = 'the credentials in memory are older than their lease'
    const reply = await fetch(`http://${listener.address}/metrics`)
    expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    expect(await reply.text()).toContain('portcullis_ledger_entries_total 0')
  })

  it('C3: anything else is a problem document with a request id', async () => {
    const reply = await fetch(`http://${listener.address}/nothing`, {
      method: 'POST',
      headers: { 'x-request-id': 'management-1' },
    })
    expect([reply.status, reply.headers.get('x-request-id'), await reply.json()]).toEqual([
      404,
      'management-1',
      expect.objectContaining({ code: 'method.unknown', requestId: 'management-1' }),
    ])
    const wrong = await fetch(`http://${listener.address}/healthz`, { method: 'POST' })
    expect([wrong.status, wrong.headers.get('allow'), await wrong.json()]).toEqual([
      405,
      'GET, HEAD',
      expect.objectContaining({ code: 'method.not_allowed' }),
    ])
  })
})
