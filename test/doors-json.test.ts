import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { problemOf } from './harness/problem.ts'
import { sendRaw, type RawAnswer } from './harness/raw-http.ts'

const startRun = '/portcullis.v1.HubService/StartRun'

let instance: TestInstance

beforeAll(async () => {
  instance = await startInstance()
})
afterAll(() => instance.stop())

function post(
  path: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): Promise<RawAnswer> {
  const usual = { 'content-type': 'application/json', authorization: `Bearer ${instance.adminKey}` }
  return sendRaw(instance.url, { path, body, headers: { ...usual, ...headers } })
}

describe('bodies', () => {
  const objects = (depth: number): string => `{"x":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`
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
    ['40,000 nested lists', `{"workflow":${'['.repeat(40_000)}${']'.repeat(40_000)}}`, 400, 'input.malformed'],
    ['9,000 nested objects in an unknown field', objects(9000), 400, 'input.malformed'],
    ['40,000 lists that never end', '['.repeat(40_000), 400, 'input.malformed'],
    // Counted before they are read.
    ['100,000 nested objects', objects(100_000), 413, 'bounds.message_too_large'],
    ['100,000 lists that never end', '['.repeat(100_000), 413, 'bounds.message_too_large'],
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
