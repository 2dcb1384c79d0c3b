import { connect } from 'node:net'
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { afterEach, expect, it } from 'vitest'
import { loadConfig } from '#config'
import { TrustedProxies } from '../trusted-proxies.ts'
import { makeApp, stopApp } from './app.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())))

function madeApp(limits: object, onFault?: (fault: string) => void): FastifyInstance {
  const loaded = loadConfig({
    mode: 'serve',
    env: {},
    overrides: {
      env: 'development',
      database: { url: 'postgres://portcullis_app:x@127.0.0.1:5432/portcullis' },
      limits,
    },
  })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  const log = pino({ level: 'silent' })
  const app = makeApp(loaded.config, log, new TrustedProxies([]), undefined, undefined, onFault)
  app.get('/there/:name', () => ({}))
  stops.push(() => stopApp(app, 1000))
  return app
}

it('G1: what ends before there is a request is answered, counted by its kind, and nothing else is counted', async () => {
  const faults: string[] = []
  const app = madeApp({ http: { headersTimeoutMs: 100, requestTimeoutMs: 100 } }, (fault) => faults.push(fault))
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const answerTo = async (bytes: string): Promise<string> => {
    const socket = connect({ host: url.hostname, port: Number(url.port) })
    let text = ''
    socket.on('data', (part: Buffer) => (text += part.toString('latin1')))
    socket.on('error', () => undefined)
    socket.write(bytes)
    await once(socket, 'close')
    return text.slice(0, 12)
  }
  const head = 'host: 127.0.0.1\r\nconnection: close\r\n'
  expect(await answerTo(`GET /there/a HTTP/1.1\r\n${head}\r\n`)).toBe('HTTP/1.1 200')
  expect(faults).toEqual([])
  expect(await answerTo('\u0016\u0003\u0001 hello\r\n\r\n')).toBe('HTTP/1.1 400')
  expect(await answerTo(`GET /there/a HTTP/1.1\r\n${head}x: ${'y'.repeat(64 * 1024)}\r\n\r\n`)).toBe('HTTP/1.1 431')
  expect(await answerTo(`GET /there/a HTTP/1.1\r\nhost: 127.0`)).toBe('HTTP/1.1 408')
  expect(await answerTo(`GET /there/%ff HTTP/1.1\r\n${head}\r\n`)).toBe('HTTP/1.1 400')
  expect(faults).toEqual(['unreadable', 'headers_too_large', 'timeout', 'path'])
})

it('C3: what arrives while the listener closes is refused with a code and a request id, not with a bare 503', async () => {
  const app = madeApp({})
  const closing = Promise.withResolvers<undefined>()
  const answered = Promise.withResolvers<undefined>()
  app.addHook('preClose', () => {
    closing.resolve(undefined)
    return answered.promise
  })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const closed = app.close()
  await closing.promise
  const reply = await fetch(`${origin}/there/a`)
  expect(reply.status).toBe(503)
  expect(reply.headers.get('content-type')).toContain('application/problem+json')
  expect(await reply.json()).toMatchObject({ code: 'server.draining', requestId: reply.headers.get('x-request-id') })
  answered.resolve(undefined)
  await closed
})

it('M1: an answer that was under way when the listener closes ends its connection, which nobody would close otherwise', async () => {
  const app = madeApp({})
  const [asked, answered] = [Promise.withResolvers<undefined>(), Promise.withResolvers<object>()]
  app.get('/slow', () => {
    asked.resolve(undefined)
    return answered.promise
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const reply = fetch(`${url}/slow`)
  await asked.promise
  const closed = app.close()
  await expect.poll(() => app.server.listening).toBe(false)
  answered.resolve({})
  expect((await reply).headers.get('connection')).toBe('close')
  expect((await reply).status).toBe(200)
  await closed
})
