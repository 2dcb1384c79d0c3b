import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { loadConfig } from '#config'
import { sendRaw } from '../../test/harness/raw-http.ts'
import { debugToken, listenDebug } from './debug.ts'
import { TrustedProxies } from './trusted-proxies.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())))

async function listen(env: 'production' | 'development', token?: string) {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-debug-'))
  stops.push(() => rm(dir, { recursive: true }))
  const tokenFile = join(dir, 'token')
  if (token !== undefined) {
    await writeFile(tokenFile, token)
    await chmod(tokenFile, 0o600)
  }
  const loaded = loadConfig({
    mode: 'serve',
    env: {},
    overrides: {
      env,
      database: { url: 'postgres://portcullis_app:x@127.0.0.1:5432/portcullis' },
      debug: { port: 0, ...(token === undefined ? {} : { tokenFile }) },
    },
  })
  if (!loaded.ok) throw new Error(`the settings are good: ${JSON.stringify(loaded.problems)}`)
  const { config } = loaded
  const lines: { readonly event?: string; readonly level: number }[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const listener = await listenDebug({
    config,
    log,
    proxies: new TrustedProxies([]),
    port: 0,
    token: debugToken(config),
  })
  stops.push(() => listener.stop(1000))
  const get = (path: string, sent?: string) =>
    fetch(`http://${listener.address}${path}`, sent === undefined ? {} : { headers: { 'x-debug-token': sent } })
  return { listener, lines, get }
}

const comparable = async (reply: Response): Promise<unknown> => {
  const { requestId: _ignored, instance: _same, ...body } = (await reply.json()) as Record<string, unknown>
  return [reply.status, body]
}

describe('the debug listener', () => {
  it('O3: in production a request without the right token gets the answer of a page that is not there', async () => {
    const { get, lines } = await listen('production', 'right-token-of-the-operator')
    const nothing = await comparable(await get('/nothing', 'right-token-of-the-operator'))
    for (const sent of [undefined, '', 'wrong', 'right-token-of-the-operato', 'RIGHT-TOKEN-OF-THE-OPERATOR']) {
      for (const path of [
        '/debug/pprof/',
        '/debug/pprof/stats',
        '/debug/pprof/heap',
        '/debug/pprof/profile?seconds=1',
      ]) {
        expect(await comparable(await get(path, sent))).toEqual(nothing)
      }
    }
    expect(nothing).toMatchObject([404, { code: 'method.unknown' }])
    expect((await get('/debug/pprof/', 'right-token-of-the-operator')).status).toBe(200)
    expect(lines.filter(({ level }) => level >= 40)).toEqual([])
  })

  it('O3: in production without a token, or with an empty one, nobody is let in and the start warns', async () => {
    for (const token of [undefined, '', '\n']) {
      const { get, lines } = await listen('production', token)
      for (const sent of [undefined, '', '\n'.trim()]) expect((await get('/debug/pprof/', sent)).status).toBe(404)
      expect(lines.map(({ event, level }) => [event, level])).toEqual([['debug.no_token', 40]])
    }
  })

  it('O3: elsewhere nobody needs a token; it is on 127.0.0.1', async () => {
    const { listener, get } = await listen('development')
    expect(listener.address).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(await (await get('/debug/pprof/')).text()).toContain('/debug/pprof/profile?seconds=N')
    expect(await (await get('/debug/pprof/stats')).json()).toMatchObject({
      eventLoopDelayMs: {},
      activeResources: {},
      memory: { heapUsed: expect.any(Number) },
    })
  })

  it('O3: elsewhere too a request that names another host is answered as a page that is not there', async () => {
    const { listener } = await listen('development')
    const port = listener.address.split(':')[1] ?? ''
    const status = async (host: string): Promise<number> =>
      (await sendRaw(`http://${listener.address}`, { method: 'GET', path: '/debug/pprof/', headers: { host } })).status
    for (const host of [
      'rebound.example',
      `rebound.example:${port}`,
      '127.0.0.1.example',
      'localhost.example',
      '::1',
      '@127.0.0.1',
      ' ',
    ])
      expect(await status(host), host).toBe(404)
    for (const host of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, '[::1]', `[::1]:${port}`, 'LOCALHOST'])
      expect(await status(host), host).toBe(200)
  })

  it('O3: a CPU profile takes 1 to 60 seconds, one at a time, and a stop ends it early', async () => {
    const { listener, get } = await listen('development')
    for (const seconds of ['0', '61', '-1', '1.5', 'ten', '', '1&seconds=2']) {
      expect((await get(`/debug/pprof/profile?seconds=${seconds}`)).status, seconds).toBe(400)
    }
    const long = get('/debug/pprof/profile?seconds=60')
    // The one that came first is under way once another is refused.
    await expect.poll(async () => (await get('/debug/pprof/profile?seconds=1')).status, { timeout: 20_000 }).toBe(412)
    await listener.stop(5000)
    const profile = (await (await long).json()) as { nodes: unknown[] }
    expect(profile.nodes.length).toBeGreaterThan(0)
  })

  it('O3: a heap snapshot is streamed', async () => {
    const { get } = await listen('development')
    const reply = await get('/debug/pprof/heap')
    const reader = reply.body?.getReader()
    const first = await reader?.read()
    expect(new TextDecoder().decode(first?.value as Uint8Array).slice(0, 12)).toBe('{"snapshot":')
    await reader?.cancel()
  })
})
