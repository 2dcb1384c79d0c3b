import { TrustedProxies } from '../trusted-proxies.ts'
import { fromBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { ErrorInfoSchema } from '@portcullis/contract'
import { loadConfig } from '#config'
import { refusals, refuse, type RefusalCode } from '#core'
import { makeApp, refusalOf } from './app.ts'
import { escape } from './page.ts'
import { sendRefusal } from './problem.ts'

const codes = Object.keys(refusals) as RefusalCode[]
const origin = 'https://example.test'
const log = pino({ level: 'silent' })
let app: FastifyInstance

beforeAll(async () => {
  const loaded = loadConfig({ env: {}, mode: 'up' })
  if (!loaded.ok) throw new Error('the defaults are settings')
  app = makeApp(loaded.config, log, new TrustedProxies([]), () => origin)
  app.get('/fault', () => {
    throw new Error('PRIVATE select * from keys')
  })
  app.setErrorHandler((error: Parameters<typeof refusalOf>[0], request, reply) =>
    sendRefusal(request, reply, refusalOf(error, request, log), origin),
  )
  app.get<{ Params: { code: RefusalCode } }>('/refuse/:code', (request, reply) =>
    sendRefusal(
      request,
      reply,
      refuse(request.params.code, 'PRIVATE', { detail: 'a detail', retryAfterSeconds: 2 }),
      origin,
    ),
  )
  await app.ready()
})
afterAll(() => app.close())

describe('a refusal over HTTP', () => {
  it.each(codes)('C3: %s is a problem document', async (code) => {
    const reply = await app.inject(`/refuse/${code}`)
    const { http, say } = refusals[code]
    expect(reply.statusCode).toBe(http)
    expect(reply.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(reply.json()).toEqual({
      type: `${origin}/problems/${code}`,
      title: say,
      status: http,
      detail: 'a detail',
      code,
      requestId: reply.headers['x-request-id'],
    })
    expect(reply.headers).toMatchObject({ 'retry-after': '2', 'cache-control': 'no-store' })
    expect(reply.headers['www-authenticate'] !== undefined).toBe(http === 401 || code === 'auth.scope_missing')
  })

  // https://connectrpc.com/docs/protocol#error-codes
  const connectStatus: Readonly<Record<string, number>> = {
    invalid_argument: 400,
    failed_precondition: 400,
    unauthenticated: 401,
    permission_denied: 403,
    not_found: 404,
    already_exists: 409,
    aborted: 409,
    resource_exhausted: 429,
    internal: 500,
    unimplemented: 501,
    unavailable: 503,
    deadline_exceeded: 504,
  }
  it.each(codes)('C2: %s is a Connect error for who speaks it', async (code) => {
    const reply = await app.inject({ url: `/refuse/${code}`, headers: { 'connect-protocol-version': '1' } })
    const { grpc, say } = refusals[code]
    expect([reply.statusCode, reply.headers['content-type']]).toEqual([
      connectStatus[grpc],
      'application/json; charset=utf-8',
    ])
    const error = reply.json()
    expect([error.code, error.message]).toEqual([grpc, `${say} (a detail)`])
    const info = fromBinary(ErrorInfoSchema, Buffer.from(error.details[0].value, 'base64'))
    expect(info).toMatchObject({
      reason: code,
      domain: 'portcullis',
      metadata: { detail: 'a detail', requestId: reply.headers['x-request-id'] },
    })
    expect(reply.body).not.toContain('PRIVATE')
  })

  it('G19: a throw is server.internal with the request id, and nothing of the throw', async () => {
    const reply = await app.inject('/fault')
    expect([reply.statusCode, reply.json().code, reply.json().requestId]).toEqual([
      500,
      'server.internal',
      reply.headers['x-request-id'],
    ])
    expect(reply.body).not.toMatch(/PRIVATE|select|Error|at /)
  })
})

describe('pages', () => {
  it('C3: what is shown is escaped', () => {
    expect(escape(`<a href="x" onclick='y'>&</a>`)).toBe(
      '&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;&lt;/a&gt;',
    )
  })
})
