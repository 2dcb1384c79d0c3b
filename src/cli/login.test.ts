import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { Callback } from './callback.ts'
import { fakeIo, fakeServer, nowMs, runLine, type Answer, type FakeServer, type Ran, type Seen } from './fakes.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-login-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let home = ''
let count = 0
beforeEach(() => {
  home = join(folder, String((count += 1)))
})

const accessToken = `h.${Buffer.from('{"sub":"opr_1"}').toString('base64url')}.s`
const given = {
  access_token: accessToken,
  refresh_token: 'refresh-1',
  expires_in: 600,
  scope: 'tasks:read ledger:read',
  token_type: 'Bearer',
}

/** A server that signs people in; `token` is what its token endpoint answers. */
function authority(token: Answer = { body: given }): Promise<FakeServer> {
  return fakeServer(({ path, headers }: Seen) => {
    if (path === '/v1/oauth/token') return token
    if (!path.startsWith('/.well-known/')) return { body: {} }
    const issuer = `http://${headers.host}`
    const endpoint = (name: string): string => `${issuer}/v1/oauth/${name}`
    return {
      body: {
        issuer,
        authorization_endpoint: endpoint('authorize'),
        token_endpoint: endpoint('token'),
        revocation_endpoint: endpoint('revoke'),
      },
    }
  })
}

const credentials = (): { readonly servers: object } =>
  JSON.parse(readFileSync(join(home, 'portcullis', 'credentials.json'), 'utf8'))

/** Runs `login` and comes back as a browser does; `answer` is what the server has sent it back with. */
async function login(
  line: string,
  server: FakeServer,
  answer: Readonly<Record<string, string>>,
): Promise<{ readonly ran: Ran; readonly asked: URLSearchParams; readonly page: Response }> {
  const io = fakeIo({ env: { XDG_CONFIG_HOME: home, PORTCULLIS_URL: server.url } })
  const ran = runLine(line, io)
  await expect.poll(() => io.written.err, { interval: 5, timeout: 10_000 }).toMatch(/^http:.*\n/m)
  const asked = new URL(/^http:\S+/m.exec(io.written.err)?.[0] ?? '').searchParams
  const back = new URLSearchParams({ state: asked.get('state') ?? '', iss: server.url, ...answer })
  const page = await fetch(`${asked.get('redirect_uri')}?${back.toString()}`)
  return { ran: await ran, asked, page }
}

describe('login through a browser', () => {
  it('A9: exchanges the code with its verifier, keeps the tokens, and says who is signed in', async () => {
    await using server = await authority()
    const { ran, asked, page } = await login('login --scope tasks:read,ledger:read', server, { code: 'c1' })
    expect([ran.code, ran.out]).toEqual([
      0,
      `You are signed in at ${server.url} as opr_1.\nAllowed: tasks:read ledger:read\n`,
    ])
    expect(await page.text()).toContain('Signed in')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: 'code',
      client_id: 'portcullis-cli',
      scope: 'tasks:read ledger:read',
      code_challenge_method: 'S256',
    })
    expect(server.seen.at(-1)?.message).toMatchObject({
      grant_type: 'authorization_code',
      code: 'c1',
      redirect_uri: asked.get('redirect_uri'),
      code_verifier: expect.stringMatching(/^[\w-]{43}$/),
    })
    expect(credentials().servers).toEqual({
      [server.url]: {
        accessToken,
        refreshToken: 'refresh-1',
        expiresAtMs: nowMs + 600_000,
        scope: 'tasks:read ledger:read',
        operatorId: 'opr_1',
      },
    })
  })

  it('A9: logout tells the server, forgets, and says so; again, nobody was signed in', async () => {
    await using server = await authority()
    const { ran } = await login('login --json', server, { code: 'c1' })
    expect(JSON.parse(ran.out)).toEqual({
      url: server.url,
      operatorId: 'opr_1',
      scopes: ['tasks:read', 'ledger:read'],
      expiresAt: '2026-11-21T12:10:00.000Z',
    })
    const io = () => fakeIo({ env: { XDG_CONFIG_HOME: home } })
    expect((await runLine(`logout --url ${server.url}`, io())).out).toBe(`You are signed out at ${server.url}.\n`)
    expect(server.seen.at(-1)).toMatchObject({ path: '/v1/oauth/revoke', message: { token: 'refresh-1' } })
    expect(credentials().servers).toEqual({})
    const again = await runLine(`logout --url ${server.url} --json`, io())
    expect(JSON.parse(again.out)).toEqual({ url: server.url, signedOut: false })
  })

  it.each([
    ['another issuer', { code: 'c1', iss: 'https://evil.example' }, 'cli.other_issuer'],
    ['a denial', { error: 'access_denied' }, 'access_denied'],
    ['no code', { error: 'server_error', error_description: 'try later' }, 'server_error'],
    ['nothing at all', {}, 'cli.no_code'],
  ])('A9: an answer with %s signs nobody in', async (_, answer, code) => {
    await using server = await authority()
    const { ran } = await login('login --json', server, answer)
    expect([ran.code, JSON.parse(ran.out).error.code]).toEqual([1, code])
    // Nothing was exchanged.
    expect(server.seen.filter(({ path }) => path === '/v1/oauth/token')).toEqual([])
  })

  it('A9: a code that the server does not take is said with its reason', async () => {
    await using server = await authority({ status: 400, body: { error: 'invalid_grant', error_description: 'used' } })
    const { ran } = await login('login', server, { code: 'c1' })
    expect(ran.code).toBe(1)
    expect(ran.err).toContain(`${server.url} gave no token: used. [invalid_grant]`)
    expect(ran.err).toContain('to do: Sign in again')
  })
})

describe('the listener for the answer', () => {
  it('A9: turns others away and goes on waiting, until nobody comes in time', async () => {
    const callback = await Callback.open((answer) => answer.get('state') === 's')
    const status = async (path: string, init: RequestInit = {}): Promise<number> =>
      (await fetch(new URL(path, callback.redirectUri), init)).status
    expect(await status('/')).toBe(404)
    expect(await status('/callback?state=s', { method: 'POST' })).toBe(404)
    expect(await status('/callback?state=s&state=s')).toBe(404)
    expect(await status('/callback?state=other')).toBe(400)
    expect(await callback.wait(1)).toBeUndefined()
    expect(await status('/callback?state=s&code=c')).toBe(200)
    expect((await callback.wait(10_000))?.get('code')).toBe('c')
    callback.close()
    await expect(fetch(callback.redirectUri)).rejects.toThrow('fetch failed')
  })
})
