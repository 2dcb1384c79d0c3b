import { gzipSync } from 'node:zlib'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ErrorInfoSchema, ListRunsRequestSchema, ListRunsResponseSchema } from '@portcullis/contract'
import { refusals } from '#core'
import { startInstance, type TestInstance } from './harness/instance.ts'
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

/** Status and code of a problem document, which names the same request id as its header. */
function problemOf(answer: RawAnswer): readonly [number, string] {
  const { code, status, type, title, requestId } = JSON.parse(answer.text)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect([status, requestId]).toEqual([answer.status, answer.headers['x-request-id']])
  expect([type.endsWith(`/problems/${code}`), title]).toEqual([true, refusals[code as keyof typeof refusals].say])
  return [answer.status, code]
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

describe('bodies', () => {
  const cases: readonly (readonly [string, string | Uint8Array, number, string])[] = [
    ['bytes that are not UTF-8', Buffer.from('{"workflow":"\xff\xfe"}', 'latin1'), 400, 'input.malformed'],
    [
      'an overlong form of UTF-8',
      Buffer.from([...Buffer.from('{"workflow":"'), 0xc0, 0xaf, ...Buffer.from('"}')]),
      400,
      'input.malformed',
    ],
    ['UTF-16', Buffer.from('{"workflow":"w"}', 'utf16le'), 400, 'input.malformed'],
    ['a NUL in a text', '{"workflow":"a\\u0000b"}', 400, 'input.invalid'],
    ['a bare NUL', '{"workflow":"a\0b"}', 400, 'input.malformed'],
    ['a lone surrogate', '{"workflow":"\\ud800"}', 400, 'input.malformed'],
    ['a negative number', '{"workflow":"w","maxRetries":-1}', 400, 'input.invalid'],
    ['an absurd number', '{"workflow":"w","maxRetries":2147483647}', 400, 'input.invalid'],
    ['a number beyond its type', '{"workflow":"w","maxRetries":1e99}', 400, 'input.malformed'],
    ['a fraction', '{"workflow":"w","maxRetries":1.5}', 400, 'input.malformed'],
    ['NaN', '{"workflow":"w","maxRetries":"NaN"}', 400, 'input.malformed'],
    ['an unknown field', '{"workflow":"w","nothing":1}', 400, 'input.malformed'],
    ['a field named __proto__', '{"workflow":"w","__proto__":{"workflow":"x"}}', 400, 'input.malformed'],
    ['a field named constructor', '{"workflow":"w","constructor":{}}', 400, 'input.malformed'],
    ['an object for a text', '{"workflow":{"a":1}}', 400, 'input.malformed'],
    ['100,000 nested lists', `{"workflow":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 400, 'input.malformed'],
    [
      '100,000 nested objects in an unknown field',
      `{"x":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
      400,
      'input.malformed',
    ],
    ['100,000 lists that never end', '['.repeat(100_000), 400, 'input.malformed'],
    ['two documents', '{"workflow":"w"}{}', 400, 'input.malformed'],
    ['a comment', '{"workflow":"w"/*x*/}', 400, 'input.malformed'],
    ['a text longer than its bound', JSON.stringify({ workflow: 'x'.repeat(201) }), 400, 'input.invalid'],
    ['a required field that is empty', '{"workflow":""}', 400, 'input.invalid'],
  ]
  it.each(cases)('C2: %s is refused', async (_name, body, status, code) => {
    const answer = await post(startRun, body)
    expect(problemOf(answer)).toEqual([status, code])
    expect(answer.text).not.toMatch(/RangeError|call stack|\.js|\n\s+at /)
  })

  it.each([
    ['an unknown enum name', { status: 'nope' }, 'input.malformed'],
    ['an unknown enum number', { status: 99 }, 'input.invalid'],
    ['a name of Object.prototype', { status: 'constructor' }, 'input.malformed'],
    ['a state that ends nothing', { status: 'working' }, 'input.invalid'],
    ['no state', {}, 'input.invalid'],
  ])('C2: %s is refused', async (_name, body, code) => {
    const { body: made } = await instance.call('HubService/StartRun', { workflow: 'w' })
    const answer = await post('/portcullis.v1.HubService/FinishRun', JSON.stringify({ runId: made.run.id, ...body }))
    expect(problemOf(answer)).toEqual([400, code])
  })

  it.each(['completed', 'COMPLETED', 'Failed', 'TASK_STATE_CANCELED', 7])(
    'C2: the state may be written %s',
    async (status) => {
      const { body: made } = await instance.call('HubService/StartRun', { workflow: 'w' })
      const answer = await instance.call('HubService/FinishRun', { runId: made.run.id, status })
      expect(answer.status).toBe(200)
      expect(answer.body.run.status).toMatch(/^TASK_STATE_/)
    },
  )

  it('L3: what could not be read is in the ledger without its values', async () => {
    const secret = 'pc_verysecretvalue'
    for (const body of [
      `{"workflow": ${secret}}`,
      JSON.stringify({ workflow: 'w', maxRetries: secret }),
      JSON.stringify({ [secret]: 1 }),
    ]) {
      const answer = await post(startRun, body)
      const { body: found } = await instance.call('LedgerService/Query', { requestId: answer.headers['x-request-id'] })
      expect(found.entries).toHaveLength(1)
      expect(found.entries[0].entryJson).toContain('input.malformed')
      expect(found.entries[0].entryJson).not.toContain('pc_very')
    }
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
      expect(problemOf(await post(`${listRuns}?${name}=${instance.adminKey}`, '{}'))).toEqual(ambiguous)
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
    ['GET', listRuns],
    ['PUT', listRuns],
    ['DELETE', listRuns],
    ['OPTIONS', listRuns],
    ['GET', '/problems/no.such'],
    ['GET', '/.env'],
  ])('G2: %s %s is 404', async (method, path) => {
    const answer = await sendRaw(instance.url, { method, path, headers: { authorization } })
    expect(problemOf(answer)).toEqual([404, 'method.unknown'])
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

describe('pages', () => {
  it('C4: a page token of another list, of other filters or of nothing is refused', async () => {
    for (const name of ['page-a', 'page-b']) await instance.call('IdentityService/CreateAgent', { name })
    for (const workflow of ['page', 'page', 'other']) await instance.call('HubService/StartRun', { workflow })
    const runs = await instance.call('HubService/ListRuns', { pageSize: 1, workflow: 'page' })
    const agents = await instance.call('IdentityService/ListAgents', { pageSize: 1 })
    const token: string = runs.body.nextPageToken
    expect(
      (await instance.call('HubService/ListRuns', { pageSize: 1, workflow: 'page', pageToken: token })).status,
    ).toBe(200)
    const [digest] = Buffer.from(token, 'base64url').toString().split(' ')
    const forged = Buffer.from(`${digest} not-a-uuid`).toString('base64url')
    for (const [method, body] of [
      ['HubService/ListRuns', { workflow: 'other', pageToken: token }],
      ['HubService/ListRuns', { pageToken: token }],
      ['HubService/ListRuns', { workflow: 'page', pageToken: agents.body.nextPageToken }],
      ['IdentityService/ListAgents', { pageToken: token }],
      ['HubService/ListRuns', { workflow: 'page', pageToken: 'nonsense' }],
      ['HubService/ListRuns', { workflow: 'page', pageToken: forged }],
      ['HubService/ListRuns', { workflow: 'page', pageToken: Buffer.from(`${digest} 0123-`).toString('base64url') }],
      ['HubService/ListRuns', { workflow: 'page', pageToken: 'x'.repeat(100_000) }],
      ['HubService/ListRuns', { workflow: 'page', pageToken: '\u0000' }],
    ] as const) {
      const answer = await instance.call(method, body)
      expect([body, answer.status, answer.body.code]).toEqual([body, 400, 'input.page_token'])
    }
  })

  it.each([-1, 1001])('C4: a page size of %i is refused', async (pageSize) => {
    const answer = await instance.call('HubService/ListRuns', { pageSize })
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([
      400,
      'input.invalid',
      'pageSize must be between 0 and 1000',
    ])
  })

  it('C4: a page holds a thousand at most and by default fifty', async () => {
    expect((await instance.call('HubService/ListRuns', { pageSize: 1000 })).status).toBe(200)
  })
})

describe('idempotency', () => {
  it('G15: the same key with another payload is 422, in flight or done', async () => {
    const send = (workflow: string) =>
      instance.call('HubService/StartRun', { workflow }, { headers: { 'idempotency-key': 'one-key' } })
    const first = await send('w')
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    const again = await send('w')
    expect([again.body.run.id, again.headers.get('idempotency-replayed')]).toEqual([first.body.run.id, 'true'])
    const other = await send('v')
    expect([other.status, other.body.code]).toEqual([422, 'idempotency.payload_mismatch'])
  })

  it.each(['', ' ', 'with space', 'x'.repeat(201), 'é'])(
    'G15: the key "%s" in the header is refused, or is none',
    async (key) => {
      const answer = await post(startRun, '{"workflow":"w"}', { 'idempotency-key': key })
      expect(problemOf(answer)).toEqual([400, 'input.invalid'])
    },
  )

  it('G15: two keys are refused', async () => {
    const field = await post(startRun, '{"workflow":"w","idempotencyKey":"a"}', { 'idempotency-key': 'b' })
    expect(problemOf(field)).toEqual([400, 'input.invalid'])
    const doubled = await post(startRun, '{"workflow":"w"}', { 'idempotency-key': ['a', 'b'] })
    expect(problemOf(doubled)).toEqual([400, 'input.invalid'])
  })

  it('G15: one key of two callers is two keys', async () => {
    const [one, two] = await Promise.all(
      ['first-caller', 'second-caller'].map((name) => instance.agent(name, ['telemetry:write'])),
    )
    const send = (key: string | undefined) =>
      instance.call('HubService/StartRun', { workflow: 'w' }, { key, headers: { 'idempotency-key': 'shared' } })
    const answers = [await send(one?.key), await send(two?.key)]
    expect(new Set(answers.map(({ body }) => body.run.id)).size).toBe(2)
  })
})
