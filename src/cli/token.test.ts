import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exitCodes } from './errors.ts'
import { fakeIo, nowMs, runLine, type FakeIo } from './fakes.ts'

interface Seen {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly fields: Readonly<Record<string, string>>
}

interface Reply {
  readonly status?: number
  readonly body: unknown
}

const given = { access_token: 'a.b.c', token_type: 'Bearer', expires_in: 3600, scope: 'telemetry:read' }

/** An authorization server that answers for its token endpoint what it is told. */
async function authority(reply: Reply = { body: given }, metadata: object = {}) {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const path = request.url ?? ''
      const fields = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
      seen.push({ path, headers: request.headers, fields })
      const found = path.startsWith('/.well-known/')
      const { status = 200, body } = found ? { body: { ...endpoints(url), ...metadata } } : reply
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return {
    url,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function endpoints(issuer: string): object {
  const at = (name: string): string => `${issuer}/v1/oauth/${name}`
  return {
    issuer,
    authorization_endpoint: at('authorize'),
    token_endpoint: at('token'),
    revocation_endpoint: at('revoke'),
  }
}

const ioFor = ({ url }: { readonly url: string }, env: Readonly<Record<string, string>> = {}): FakeIo =>
  fakeIo({
    env: { PORTCULLIS_URL: url, PORTCULLIS_CLIENT_ID: 'app_1', PORTCULLIS_CLIENT_SECRET: 'pcs_secret', ...env },
  })
const folder = mkdtempSync(join(tmpdir(), 'portcullis-token-'))
const file = join(folder, 'secret')
writeFileSync(file, 'pcs_of-a-file\n', { mode: 0o600 })

describe('portcullis token get', () => {
  it('A5: prints the token alone, asked for where the server says, with the secret in a header', async () => {
    await using server = await authority()
    const { code, out, err } = await runLine('token get', ioFor(server))
    expect([code, out, err]).toEqual([0, 'a.b.c\n', ''])
    const [discovery, asked] = server.seen
    expect([discovery?.path, asked?.path]).toEqual(['/.well-known/oauth-authorization-server', '/v1/oauth/token'])
    expect(asked?.headers.authorization).toBe(`Basic ${btoa('app_1:pcs_secret')}`)
    expect(asked?.fields).toEqual({ grant_type: 'client_credentials' })
  })

  it('A5: takes the secret of a file before that of a variable, sends it as a field where asked, and says when the token ends', async () => {
    await using server = await authority()
    const line = `token get --client app_2 --secret-file ${file} --auth post --scope telemetry:read,tasks:read --json`
    const { out } = await runLine(line, ioFor(server))
    expect(server.seen[1]?.fields).toEqual({
      grant_type: 'client_credentials',
      scope: 'telemetry:read tasks:read',
      client_id: 'app_2',
      client_secret: 'pcs_of-a-file',
    })
    expect(server.seen[1]?.headers.authorization).toBeUndefined()
    expect(JSON.parse(out)).toEqual({
      accessToken: 'a.b.c',
      tokenType: 'Bearer',
      expiresIn: 3600,
      expiresAt: new Date(nowMs + 3_600_000).toISOString(),
      scope: 'telemetry:read',
    })
  })

  it('A5: has no option for the secret itself, and never repeats it', async () => {
    await using server = await authority({ status: 401, body: { error: 'invalid_client' } })
    const { code, err } = await runLine('token get --secret pcs_secret', ioFor(server))
    expect([code, server.seen]).toEqual([exitCodes.usage, []])
    const wrong = await runLine('token get', ioFor(server))
    expect(wrong.code).toBe(exitCodes.refused)
    expect(`${wrong.out}${wrong.err}${err}`).not.toContain('pcs_secret')
    expect(wrong.err).toContain('[invalid_client]')
    expect(wrong.err).toContain('rotate-secret')
  })

  it.each<readonly [string, Record<string, string>, string]>([
    ['token get', { PORTCULLIS_CLIENT_ID: '' }, '--client'],
    ['token get', { PORTCULLIS_CLIENT_SECRET: '' }, '--secret-file'],
    ['token get', { PORTCULLIS_CLIENT_SECRET: 'two words' }, 'one word'],
    ['token get --secret-file /nowhere/at/all', {}, 'cannot be read'],
    ['token get --auth magic', {}, 'basic'],
  ])('U1: `%s` with %j is refused with what to do', async (line, env, said) => {
    await using server = await authority()
    const { code, err } = await runLine(line, ioFor(server, env))
    expect([code, server.seen]).toEqual([exitCodes.usage, []])
    expect(err).toContain(said)
  })

  it.each<readonly [string, Reply, number, string]>([
    ['no JSON', { body: '<html>' }, exitCodes.unavailable, 'cli.no_token'],
    ['a fault', { status: 500, body: {} }, exitCodes.unavailable, 'cli.no_token'],
    ['no token', { body: { token_type: 'Bearer', expires_in: 1 } }, exitCodes.unavailable, 'cli.no_token'],
    ['a token with a line break', { body: { ...given, access_token: 'a\nb' } }, exitCodes.unavailable, 'cli.no_token'],
    ['too much', { body: 'x'.repeat(300_000) }, exitCodes.unavailable, 'cli.no_token'],
    ['a scope too many', { status: 400, body: { error: 'invalid_scope' } }, exitCodes.refused, 'invalid_scope'],
    ['a redirect', { status: 302, body: {} }, exitCodes.unavailable, 'cli.no_token'],
  ])('U1: a server that answers with %s is told as what it is', async (_what, reply, exit, said) => {
    await using server = await authority(reply)
    const { code, out } = await runLine('token get --json', ioFor(server))
    expect([code, JSON.parse(out).error.code]).toEqual([exit, said])
  })

  it('A5: sends the secret to no other server than the one that was named', async () => {
    await using other = await authority()
    await using server = await authority(undefined, { token_endpoint: `${other.url}/token` })
    const { code } = await runLine('token get', ioFor(server))
    expect([code, other.seen]).toEqual([exitCodes.unavailable, []])
  })
})
