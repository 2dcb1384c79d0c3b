import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, runLine, type Answer, type FakeIo, type FakeServer } from './fakes.ts'
import { unreachable } from './failures.ts'

const refusal = (status: number, code: string, more: object = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/problem+json' },
  body: { type: `/problems/${code}`, title: 'No.', status, code, requestId: 'req_7', ...more },
})

function ioFor(server: FakeServer, env: Record<string, string> = {}): FakeIo {
  return fakeIo({ env: { PORTCULLIS_URL: server.url, PORTCULLIS_KEY: 'pc_hunter2', ...env } })
}

describe('requests', () => {
  it('U1: a call is a POST of JSON with the key as bearer and an idempotency key', async () => {
    await using server = await fakeServer(() => ({ body: { status: 'ok' } }))
    const { code, out } = await runLine('call GetHealth --json', ioFor(server))
    expect([code, out]).toEqual([0, '{"status":"ok"}\n'])
    expect(server.seen[0]).toMatchObject({
      path: '/portcullis.v1.HubService/GetHealth',
      message: {},
      headers: {
        authorization: 'Bearer pc_hunter2',
        'content-type': 'application/json',
        'idempotency-key': expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    })
  })

  it('U1: without a key no credential is sent, and a refusal says where to get one', async () => {
    await using server = await fakeServer(() => refusal(401, 'auth.credential_missing'))
    const { code, err } = await runLine('agent list', ioFor(server, { PORTCULLIS_KEY: '' }))
    expect(code).toBe(1)
    expect(err).toContain('Set PORTCULLIS_KEY')
    expect(server.seen[0]?.headers).not.toHaveProperty('authorization')
  })

  it('U1: --key goes before PORTCULLIS_KEY, and --key-file holds one line', async () => {
    await using server = await fakeServer(() => ({}))
    const folder = await mkdtemp(join(tmpdir(), 'portcullis-cli-'))
    try {
      writeFileSync(join(folder, 'key'), 'pc_file\n', { mode: 0o600 })
      await runLine(`call GetHealth --key-file ${folder}/key`, ioFor(server))
      await runLine('call GetHealth --key pc_flag', ioFor(server))
    } finally {
      await rm(folder, { recursive: true })
    }
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer pc_file', 'Bearer pc_flag'])
  })

  it('U1: a message comes from the argument, a file or standard input, byte for byte', async () => {
    await using server = await fakeServer(() => ({}))
    const text = '{"costNanoUsd":9007199254740993,"workflow":"a"}'
    await runLine(`call HubService/StartRun ${text}`, ioFor(server))
    await runLine(
      'call portcullis.v1.HubService/StartRun -',
      fakeIo({ input: text, env: { PORTCULLIS_URL: server.url } }),
    )
    expect(server.seen.map(({ headers }) => headers['content-length'])).toEqual([
      String(text.length),
      String(text.length),
    ])
  })

  it('G15: a message with its own idempotency key gets no second one', async () => {
    await using server = await fakeServer(() => ({}))
    await runLine('call StartRun {"idempotencyKey":"k1"}', ioFor(server))
    expect(server.seen[0]?.headers).not.toHaveProperty('idempotency-key')
  })

  it('G15: an unknown outcome is settled by a repetition with the same idempotency key', async () => {
    await using server = await fakeServer((_, count) =>
      count === 1 ? refusal(503, 'outcome.unknown') : count === 2 ? 'destroy' : { body: { done: true } },
    )
    const io = ioFor(server)
    expect(await runLine('call StartRun --json', io)).toMatchObject({ code: 0, out: '{"done":true}\n' })
    expect(new Set(server.seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
    expect(io.slept).toHaveLength(2)
  })

  it('U1: a plain refusal is not repeated', async () => {
    await using server = await fakeServer(() => refusal(403, 'auth.scope_missing', { detail: 'ledger:read' }))
    const { code, err } = await runLine('ledger tail', ioFor(server))
    expect([code, server.seen.length]).toEqual([1, 1])
    expect(err).toBe(
      'error: No. ledger:read [auth.scope_missing]\n  to do: Use a key that has the scope named in the reply.\n  request: req_7\n',
    )
  })

  it('U1: the key goes nowhere else: redirects are not followed, and output never shows it', async () => {
    await using other = await fakeServer(() => ({}))
    await using server = await fakeServer(() => ({ status: 307, headers: { location: other.url } }))
    const { code, out, err } = await runLine('agent list', ioFor(server))
    expect([code, other.seen.length]).toEqual([3, 0])
    expect(out + err).not.toContain('hunter2')
  })

  it('U1: a key for another machine over plain http raises a warning', async () => {
    const io = fakeIo({ env: { PORTCULLIS_URL: 'http://portcullis.invalid', PORTCULLIS_KEY: 'pc_hunter2' } })
    const { code, err } = await runLine('agent list', io)
    expect(code).toBe(3)
    expect(err).toContain('the key goes to portcullis.invalid unencrypted')
    expect(err).not.toContain('hunter2')
  })
})

describe('failures', () => {
  it('U1: no server ends with 3 and says how to start one', async () => {
    const server = await fakeServer(() => ({}))
    await server[Symbol.asyncDispose]()
    const { code, err } = await runLine('agent list', ioFor(server))
    expect(code).toBe(3)
    expect(err).toBe(
      `error: No server answers at ${server.url} (connection refused).\n  to do: Start one with \`portcullis up\`, or name another with PORTCULLIS_URL or --url.\n`,
    )
  })

  it('U1: https to a server without TLS is said so, in words', async () => {
    await using server = await fakeServer(() => ({}))
    const url = server.url.replace('http:', 'https:')
    const { code, err } = await runLine(`agent list --url ${url}`, ioFor(server))
    expect([code, err.split('\n')[0]]).toEqual([
      3,
      `error: No server answers at ${url} (it does not speak TLS; write http:// if that is meant).`,
    ])
  })

  it('U1: with --json a refusal is one document on stdout and the exit code tells', async () => {
    await using server = await fakeServer(() => refusal(409, 'object.exists'))
    const { code, out, err } = await runLine('agent create a --json', ioFor(server))
    expect([code, err]).toEqual([1, ''])
    expect(JSON.parse(out)).toEqual({
      error: { code: 'object.exists', message: 'No.', todo: 'Choose another name.', requestId: 'req_7' },
    })
  })

  it.each([
    ['a page of something else', { body: '<html>' }],
    ['an error of something else', { status: 502, body: '<html>' }],
    ['a reply of another form', { body: { agents: [{ name: 7 }] } }],
    ['a page that repeats', { body: { agents: [], nextPageToken: 'again' } }],
    ['more than 4 MiB', { body: 'x'.repeat(4 * 1024 * 1024 + 1) }],
  ] satisfies [string, Answer][])('U1: %s ends with 3 and no stack', async (_, answer) => {
    await using server = await fakeServer(() => answer)
    const { code, out, err } = await runLine('agent list', ioFor(server))
    expect([code, out]).toEqual([3, ''])
    expect(err).toMatch(/^error: .+\n {2}to do: .+\n/)
    expect(err).not.toContain('    at ')
  })

  it('U1: a server that is silent too long is told apart from none', () => {
    const error = unreachable('http://x', new DOMException('too long', 'TimeoutError'), 15_000)
    expect(error).toMatchObject({ code: 'cli.deadline', message: 'http://x did not answer within 15 s.' })
  })

  it('U1: a method that the server does not know brings the one that was meant', async () => {
    await using server = await fakeServer(() => refusal(404, 'method.unknown'))
    const { code, err } = await runLine('call HubService/StartRn', ioFor(server))
    expect(code).toBe(1)
    expect(err).toContain('Did you mean HubService/StartRun?')
  })

  it('U1: text from a server cannot steer the terminal', async () => {
    await using server = await fakeServer(() => refusal(400, 'input.invalid', { detail: '\u001B]0;evil\u0007' }))
    const { err } = await runLine('agent list', ioFor(server))
    expect(err).toContain('No. \\u{1b}]0;evil\\u{7} [input.invalid]')
  })
})
