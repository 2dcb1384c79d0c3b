import { gzipSync } from 'node:zlib'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ErrorInfoSchema, ListRunsRequestSchema, ListRunsResponseSchema } from '@portcullis/contract'
import { refusals } from '#core'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { problemOf } from './harness/problem.ts'
import { sendBytes, sendRaw, type RawAnswer } from './harness/raw-http.ts'

const listRuns = '/portcullis.v1.HubService/ListRuns'
const startRun = '/portcullis.v1.HubService/StartRun'
const json = { 'content-type': 'application/json' }
const twoMebibytes = 2 * 1024 * 1024

let instance: TestInstance
let authorization: string
const logged = vi.spyOn(process.stderr, 'write')

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LOG__LEVEL: 'warn',
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: '100000',
    PORTCULLIS__LIMITS__HTTP__HEADERS_TIMEOUT_MS: '200',
    PORTCULLIS__LIMITS__HTTP__REQUEST_TIMEOUT_MS: '1500',
  })
  authorization = `Bearer ${instance.adminKey}`
})
afterAll(async () => {
  await instance.stop()
  vi.restoreAllMocks()
})

async function logOf(work: () => Promise<unknown>): Promise<string> {
  const before = logged.mock.calls.length
  await work()
  return logged.mock.calls
    .slice(before)
    .map(([text]) => String(text))
    .join('')
}

function post(
  path: string,
  body: string | Uint8Array | readonly Uint8Array[],
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): Promise<RawAnswer> {
  return sendRaw(instance.url, { path, body, headers: { ...json, authorization, ...headers } })
}

describe('sizes', () => {
  it('G1: a body declared over 1 MiB is 413 and a WARN with path and declared length, whoever sends it', async () => {
    for (const sender of [authorization, 'Bearer nobody']) {
      const log = await logOf(async () => {
        const answer = await post(startRun, Buffer.alloc(twoMebibytes, ' '), { authorization: sender })
        expect(problemOf(answer)).toEqual([413, 'bounds.message_too_large'])
      })
      expect(log).toContain('warn')
      expect(log).toContain(`path=${startRun}`)
      expect(log).toContain(`declaredBytes=${twoMebibytes}`)
    }
  })

  it('G1: a declared length is not waited for', async () => {
    const answer = await sendBytes(
      instance.running.ready.http,
      `POST ${startRun} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  })

  it('G1: chunks beyond 1 MiB are 413 and a WARN with the path, though no length was declared', async () => {
    const log = await logOf(async () => {
      const chunks = Array.from({ length: 32 }, () => Buffer.alloc(twoMebibytes / 32, ' '))
      expect(problemOf(await post(startRun, chunks))).toEqual([413, 'bounds.message_too_large'])
    })
    expect(log).toContain(`path=${startRun}`)
    expect(log).toContain('declaredBytes=null')
  })

  it('G1: exactly 1 MiB is read', async () => {
    const body = JSON.stringify({ workflow: 'x' }).padEnd(1024 * 1024, ' ')
    expect((await post(startRun, body)).status).toBe(200)
  })

  it('G1: a compressed body is refused, so that nothing is unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '))
    expect(problemOf(await post(startRun, bomb, { 'content-encoding': 'gzip' }))).toEqual([415, 'bounds.content_type'])
    expect((await post(startRun, '{"workflow":"w"}', { 'content-encoding': 'identity' })).status).toBe(200)
  })

  it.each(['http', 'management'] as const)('G1: 10,000 headers are 431 on the listener %s', async (listener) => {
    const many = Array.from({ length: 10_000 }, (_, index) => `h${index}: v\r\n`).join('')
    const answer = await sendBytes(instance.running.ready[listener], `GET /healthz HTTP/1.1\r\nhost: x\r\n${many}\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    expect(answer).toMatch(/^x-request-id: req_/im)
    expect(answer).toContain('bounds.headers_too_large')
  })

  it.each(['http', 'management'] as const)(
    'G1: more headers than the count are 431 on the listener %s, though small',
    async (listener) => {
      const headers = (count: number): Record<string, string> =>
        Object.fromEntries(Array.from({ length: count }, (_, index) => [`h${index}`, 'v']))
      const url = `http://${instance.running.ready[listener]}`
      const few = await sendRaw(url, {
        method: 'GET',
        path: listener === 'http' ? '/problems' : '/healthz',
        headers: headers(90),
      })
      expect(few.status).toBe(200)
      const many = await sendRaw(url, { method: 'GET', path: '/healthz', headers: headers(101) })
      expect(problemOf(many)).toEqual([431, 'bounds.headers_too_large'])
    },
  )

  it('G1: a body over the bound is 413 on the management listener too', async () => {
    const url = `http://${instance.running.ready.management}`
    const answer = await sendRaw(url, { path: '/healthz', headers: json, body: Buffer.alloc(twoMebibytes) })
    expect(problemOf(answer)).toEqual([413, 'bounds.message_too_large'])
  })

  it.each(['http', 'management'] as const)(
    'G1: headers that never end are 408 on the listener %s',
    async (listener) => {
      const answer = await sendBytes(instance.running.ready[listener], 'GET / HTTP/1.1\r\nhost: x\r\n')
      expect(answer).toMatch(/^HTTP\/1\.1 408 /)
      expect(answer).toMatch(/^x-request-id: req_/im)
    },
  )

  it('G1: a body that never comes is 408', async () => {
    const head = `POST ${startRun} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: ${authorization}\r\ncontent-length: 5\r\n\r\n{`
    expect(await sendBytes(instance.running.ready.http, head)).toMatch(/^HTTP\/1\.1 408 /)
  })
})

describe('credentials', () => {
  const ambiguous = [401, 'auth.credential_ambiguous']

  it.each([
    ['two authorization headers', () => ({ authorization: [authorization, authorization] })],
    ['a good and a bad authorization header', () => ({ authorization: ['Bearer bad', authorization] })],
    ['two key headers', () => ({ authorization: [], 'x-portcullis-key': [instance.adminKey, instance.adminKey] })],
    ['one in each header', () => ({ 'x-portcullis-key': instance.adminKey })],
    ['a key and basic authorization', () => ({ authorization: 'Basic YTpi', 'x-portcullis-key': instance.adminKey })],
  ])('G3: %s are refused', async (_name, headers) => {
    const answer = await post(listRuns, '{}', headers())
    expect(problemOf(answer)).toEqual(ambiguous)
    expect(answer.headers['www-authenticate']).toContain('Bearer')
  })

  it.each(['access_token', 'key', 'api_key', 'token', 'x-portcullis-key', 'authorization'])(
    'G3: a credential in the query string as %s is refused, even beside a good header',
    async (name) => {
      const answer = await post(`${listRuns}?${name}=${instance.adminKey}`, '{}')
      expect(problemOf(answer)).toEqual(ambiguous)
      expect(JSON.parse(answer.text).detail).toContain('not in the query string')
      expect(problemOf(await post(`${listRuns}?a=1&${name}=`, '{}', { authorization: [] }))).toEqual(ambiguous)
    },
  )

  it('G3: a credential under an encoded name in the query string is refused', async () => {
    expect(problemOf(await post(`${listRuns}?acces%73_token=${instance.adminKey}`, '{}'))).toEqual(ambiguous)
  })

  it.each(['Basic YTpi', 'Bearer', 'Bearer  ', 'Digest x', ''])(
    'G3: the authorization "%s" is not accepted',
    async (value) => {
      expect(problemOf(await post(listRuns, '{}', { authorization: value }))).toEqual([401, 'auth.credential_invalid'])
    },
  )

  it('G11: two tenant headers are not the tenant of the caller, though one of them is', async () => {
    const { body } = await instance.call('TenantService/List', {})
    const answer = await post(listRuns, '{}', { 'x-tenant-id': [body.tenants[0].name, 'other'] })
    expect(problemOf(answer)).toEqual([403, 'tenant.mismatch'])
  })
})

describe('request ids', () => {
  it('C3: the request id of the caller comes back on answers, refusals and pages', async () => {
    for (const path of [listRuns, '/nowhere', '/problems']) {
      const answer = await sendRaw(instance.url, {
        method: path === '/problems' ? 'GET' : 'POST',
        path,
        body: path === '/problems' ? '' : '{}',
        headers: { ...json, 'x-request-id': 'my-request-1' },
      })
      expect([path, answer.headers['x-request-id']]).toEqual([path, 'my-request-1'])
    }
  })

  it.each(['short', 'x'.repeat(65), 'with space inside', '<b>bold</b>id', '-odd-start', ['doubled-1', 'doubled-2']])(
    'C3: the odd request id %s is replaced',
    async (id) => {
      const answer = await post(listRuns, '{}', { 'x-request-id': id })
      expect([answer.status, answer.headers['x-request-id']]).toEqual([
        200,
        expect.stringMatching(/^req_[0-9a-f-]{36}$/),
      ])
    },
  )

  it('C3: bytes that are no HTTP get a problem with a request id', async () => {
    const answer = await sendBytes(instance.running.ready.http, 'NONSENSE\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toMatch(/^x-request-id: req_/im)
    expect(answer).toContain('"code":"input.malformed"')
  })

  it('C3: a length and chunks together are refused: a proxy may have read them otherwise', async () => {
    const head = `POST ${listRuns} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-type: application/json\r\n`
    for (const both of [
      'content-length: 2\r\ntransfer-encoding: chunked',
      'content-length: 2\r\ncontent-length: 3',
      'transfer-encoding: xchunked',
    ]) {
      expect(await sendBytes(instance.running.ready.http, `${head}${both}\r\n\r\n2\r\n{}\r\n0\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 400 /,
      )
    }
  })
})

describe('methods', () => {
  it.each([
    ['POST', '/portcullis.v1.HubService/DropTables'],
    ['POST', `${listRuns}/`],
    ['POST', `/${listRuns}`],
    ['POST', '/portcullis.v1.HubService/../HubService/ListRuns'],
    ['POST', '/portcullis.v1.HubService/listruns'],
    ['POST', '/portcullis.v1.HubService/%00'],
    ['GET', '/problems/no.such'],
    ['PUT', '/problems/no.such'],
    ['PUT', '/tlog/main/nothing'],
    ['PUT', '/nowhere'],
    ['GET', '/.env'],
  ])('G2: %s %s is 404', async (method, path) => {
    const answer = await sendRaw(instance.url, { method, path, headers: { authorization } })
    expect(problemOf(answer)).toEqual([404, 'method.unknown'])
  })

  it.each([
    ['GET', listRuns, 'POST'],
    ['PUT', listRuns, 'POST'],
    ['DELETE', '/portcullis.v1.HubService/List%52uns', 'POST'],
    ['OPTIONS', `${listRuns}?x=1`, 'POST'],
    ['PROPFIND', listRuns, 'POST'],
    ['PUT', '/jobs/x', 'DELETE, GET, POST'],
    ['HEAD', '/jobs', 'GET'],
    ['GET', '/jobs/x/cancel', 'POST'],
    ['GET', '/v1/traces', 'POST'],
    ['DELETE', '/v1/oauth/apps', 'GET, POST'],
    ['POST', '/v1/audit', 'GET'],
    ['POST', '/tlog/main/checkpoint', 'GET'],
    ['POST', '/problems/method.unknown', 'GET, HEAD'],
    ['DELETE', '/sign-in', 'GET, HEAD, POST'],
  ])('G2: %s %s is 405, and Allow says what the path takes', async (method, path, allow) => {
    const answer = await sendRaw(instance.url, { method, path, headers: { authorization } })
    expect([answer.status, answer.headers.allow]).toEqual([405, allow])
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    if (method !== 'HEAD') expect(problemOf(answer)).toEqual([405, 'method.not_allowed'])
  })

  it('C2, G2: who speaks Connect is told of a wrong verb as all others are, whatever it carries', async () => {
    for (const type of ['application/proto', 'text/xml']) {
      const headers = { 'connect-protocol-version': '1', 'content-type': type, authorization }
      const answer = await sendRaw(instance.url, { method: 'PUT', path: listRuns, headers, body: '<xml/>' })
      expect([problemOf(answer), answer.headers.allow]).toEqual([[405, 'method.not_allowed'], 'POST'])
    }
  })

  it('G2: an unknown method is refused as such whatever it carries', async () => {
    const answer = await post('/portcullis.v1.HubService/DropTables', '<xml/>', { 'content-type': 'text/xml' })
    expect(problemOf(answer)).toEqual([404, 'method.unknown'])
  })

  it('G2: an encoded path reaches a method only as the router decodes it, once, and is decided on as that method', async () => {
    const answer = await post('/portcullis.v1.HubService/List%52uns', '{}', { authorization: [] })
    expect(problemOf(answer)[1]).toMatch(/^(auth\.credential_missing|method\.unknown)$/)
    expect(problemOf(await post('/portcullis.v1.HubService/List%2552uns', '{}'))).toEqual([404, 'method.unknown'])
  })

  it('C3: a path that does not decode is refused', async () => {
    expect(problemOf(await post('/portcullis.v1.HubService/%zz', '{}'))[0]).toBeLessThan(500)
  })

  it('C3: the page behind every problem type exists', async () => {
    for (const code of Object.keys(refusals)) {
      const page = await fetch(`${instance.url}/problems/${code}`)
      expect([code, page.status, (await page.text()).includes(code)]).toEqual([code, 200, true])
    }
  })

  it('C3: every reply has the headers that keep browsers out of it', async () => {
    for (const url of [instance.url, `http://${instance.running.ready.management}`]) {
      for (const path of ['/', '/nowhere', '/healthz']) {
        const answer = await sendRaw(url, { method: 'GET', path })
        expect(answer.headers).toMatchObject({
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'DENY',
          'x-request-id': expect.stringMatching(/^req_/),
        })
      }
    }
  })
})

describe('Connect', () => {
  const connect = { 'connect-protocol-version': '1' }

  it('C2: a caller that speaks Connect gets its errors in that form, with ErrorInfo in base64', async () => {
    const answer = await post(listRuns, '{}', { ...connect, authorization: [] })
    expect([answer.status, answer.headers['content-type']]).toEqual([401, expect.stringMatching(/^application\/json/)])
    const { code, message, details } = JSON.parse(answer.text)
    expect([code, message]).toEqual(['unauthenticated', 'This call needs a credential.'])
    expect(details[0].type).toBe('google.rpc.ErrorInfo')
    expect(details[0].value).not.toContain('=')
    const info = fromBinary(ErrorInfoSchema, Buffer.from(details[0].value, 'base64'))
    expect(info).toMatchObject({
      reason: 'auth.credential_missing',
      domain: 'portcullis',
      metadata: { requestId: answer.headers['x-request-id'] },
    })
  })

  it.each([
    ['invalid_argument', 400, '{"pageSize":-1}', {}],
    ['unauthenticated', 401, '{}', { authorization: 'Bearer bad' }],
    ['permission_denied', 403, '{}', { 'x-tenant-id': 'other' }],
  ])('C2: %s has its Connect status', async (code, status, body, headers) => {
    const answer = await post(listRuns, body, { ...connect, ...headers })
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([status, code])
  })

  it('C2: binary in, binary out, and errors as Connect', async () => {
    const type = { 'content-type': 'application/proto' }
    const good = await post(
      listRuns,
      toBinary(ListRunsRequestSchema, create(ListRunsRequestSchema, { pageSize: 1 })),
      type,
    )
    expect([good.status, good.headers['content-type']]).toEqual([200, 'application/proto'])
    expect(fromBinary(ListRunsResponseSchema, good.bytes).runs).toHaveLength(1)
    const bad = await post(listRuns, Uint8Array.of(0xff), type)
    expect([bad.status, JSON.parse(bad.text).code, JSON.parse(bad.text).details[0].debug.reason]).toEqual([
      400,
      'invalid_argument',
      'input.malformed',
    ])
  })

  it('C2: an unknown method is unimplemented', async () => {
    const answer = await post('/portcullis.v1.HubService/Nope', '{}', connect)
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([501, 'unimplemented'])
  })

  it.each(['-1', 'soon', '1e9', '0', '99999999999999999999'])(
    'C2: the odd timeout %s does no harm',
    async (timeout) => {
      expect((await post(listRuns, '{}', { ...connect, 'connect-timeout-ms': timeout })).status).toBe(200)
    },
  )
})
