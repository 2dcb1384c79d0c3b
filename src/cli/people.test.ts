import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import {
  fakeIo,
  fakeServer,
  fakeServerRoom,
  nowMs,
  runLine,
  type Answer,
  type FakeIo,
  type FakeServer,
  type Seen,
} from './fakes.ts'
import { SavedSignIns, type SavedSignIn } from './saved-sign-in.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-people-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let home = ''
let count = 0
beforeEach(() => {
  home = join(folder, String((count += 1)))
})

const io = (server: Pick<FakeServer, 'url'>, env: Readonly<Record<string, string>> = {}): FakeIo =>
  fakeIo({ env: { XDG_CONFIG_HOME: home, PORTCULLIS_URL: server.url, ...env } })

const saved = (expiresInMs: number, accessToken = 'access-1'): SavedSignIn => ({
  accessToken,
  refreshToken: 'refresh-1',
  expiresAtMs: nowMs + expiresInMs,
  scope: 'tasks:read',
  operatorId: 'opr_1',
})

async function keep(url: string, one: SavedSignIn): Promise<string> {
  const all = new SavedSignIns(fakeIo({ env: { XDG_CONFIG_HOME: home } }))
  await all.change(url, async () => ({ keep: one, result: undefined }))
  return all.file
}

const operator = {
  id: 'opr_1',
  name: 'ada',
  role: 'OPERATOR_ROLE_ADMIN',
  hasPassword: false,
  createdAt: '2026-11-21T11:00:00Z',
}

describe('operator and session', () => {
  it('A9: a password comes from the terminal, twice, or from stdin, and from no argument', async () => {
    const given: unknown[] = []
    const server = fakeServerRoom({
      setPassword: (_, person) => Promise.resolve(String(given.push(person))),
      setPasswordWith: ({ configFile }, person) => Promise.resolve(String(given.push({ configFile, ...person }))),
    })
    const set = (line: string, more: Parameters<typeof fakeIo>[0]) =>
      runLine(`operator password ${line}`, fakeIo({ server: () => Promise.resolve(server), ...more }))
    expect(await set('ada', { input: 'from a pipe\nand more' })).toMatchObject({ code: 0 })
    expect((await set('ada', { askSecret: () => Promise.resolve('typed in twice') })).code).toBe(0)
    expect((await set('ada --tenant clinic --config p.yaml', { input: 'of another\n' })).code).toBe(0)
    expect(given).toEqual([
      { tenant: 'main', name: 'ada', password: 'from a pipe' },
      { tenant: 'main', name: 'ada', password: 'typed in twice' },
      { configFile: 'p.yaml', tenant: 'clinic', name: 'ada', password: 'of another' },
    ])
    const said = ['one', 'another']
    const differs = await set('ada', { askSecret: () => Promise.resolve(said.shift() ?? '') })
    expect(differs).toMatchObject({ code: 2, err: expect.stringContaining('not the same') })
    expect((await set('ada', { input: 'x'.repeat(5000) })).code).toBe(2)
    expect((await set('ada a-password', { input: '' })).code).toBe(2)
    expect(given).toHaveLength(3)
  })

  it('A9: make an operator, and show the link once', async () => {
    const answer: Answer = { body: { operator, signInUrl: 'http://a.example/set-password?code=x' } }
    await using server = await fakeServer(() => answer)
    const ran = await runLine('operator create ada --role admin', io(server, { PORTCULLIS_KEY: 'k' }))
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(ran.out).toContain('http://a.example/set-password?code=x')
    expect(server.seen[0]?.message).toMatchObject({ name: 'ada', role: 'OPERATOR_ROLE_ADMIN' })
    expect((await runLine('operator create ada --role king', io(server))).code).toBe(2)
  })

  it('A9: list and end sessions', async () => {
    const session = {
      id: 'ses_1',
      operatorId: 'opr_1',
      createdAt: '2026-11-21T11:00:00Z',
      expiresAt: '2026-11-21T23:00:00Z',
    }
    await using server = await fakeServer(({ path }) =>
      path.endsWith('ListSessions')
        ? { body: { sessions: [session] } }
        : { body: { session: { ...session, revokedAt: '2026-11-21T12:00:00Z' } } },
    )
    const listed = await runLine('session list --operator opr_00000000-0000-7000-8000-000000000000', io(server))
    expect(listed.out).toContain('browser')
    expect(server.seen[0]?.message).toMatchObject({ operatorId: 'opr_00000000-0000-7000-8000-000000000000' })
    expect((await runLine('session revoke ses_1', io(server))).out).toContain('has ended')
  })
})

describe('what login keeps', () => {
  it('A9: is in a file of this user alone', async () => {
    const file = await keep('http://a.example', saved(3_600_000))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(home, 'portcullis')).mode & 0o777).toBe(0o700)
    expect(existsSync(`${file}.lock`)).toBe(false)
  })

  it('A9: stands in for a key where none is given, and only at its server', async () => {
    await using server = await fakeServer(() => ({ body: { operators: [] } }))
    await using other = await fakeServer(() => ({ body: { operators: [] } }))
    await keep(server.url, saved(3_600_000))
    await runLine('operator list', io(server))
    await runLine('operator list', io(server, { PORTCULLIS_KEY: 'mine' }))
    await runLine('operator list', io(other))
    const sent = [...server.seen, ...other.seen].map(({ headers }) => headers.authorization)
    expect(sent).toEqual(['Bearer access-1', 'Bearer mine', undefined])
  })

  it('A9: is not used where others could have read it, or where it is not ours', async () => {
    await using server = await fakeServer(() => ({ body: {} }))
    const file = await keep(server.url, saved(3_600_000))
    chmodSync(file, 0o644)
    expect(await runLine('operator list', io(server))).toMatchObject({
      code: 2,
      err: expect.stringContaining('chmod 600'),
    })
    writeFileSync(file, '{"version":2}')
    chmodSync(file, 0o600)
    expect(await runLine('operator list', io(server))).toMatchObject({
      code: 2,
      err: expect.stringContaining('portcullis login'),
    })
    expect(server.seen).toEqual([])
  })

  it('A9: is renewed before it ends, once', async () => {
    await using server = await authority(() => ({ body: { operators: [] } }))
    const file = await keep(server.url, saved(30_000))
    const sleep = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))
    const ran = await Promise.all([1, 2].map(() => runLine('operator list', { ...io(server), sleep })))
    expect(ran.map(({ code }) => code)).toEqual([0, 0])
    const exchanged = server.seen.filter(({ path }) => path === '/v1/oauth/token')
    expect(exchanged).toHaveLength(1)
    expect(JSON.parse(readFileSync(file, 'utf8')).servers[server.url]).toMatchObject({
      accessToken: 'access-2',
      refreshToken: 'refresh-2',
    })
  })

  it('A9: a lock that a dead command left does not last', async () => {
    await using server = await authority(() => ({ body: { operators: [] } }))
    const file = await keep(server.url, saved(30_000))
    mkdirSync(`${file}.lock`)
    const { utimesSync } = await import('node:fs')
    utimesSync(`${file}.lock`, 0, 0)
    expect((await runLine('operator list', io(server))).code).toBe(0)
  })

  it('A9: says so where the sign-in has ended', async () => {
    const ended = { status: 400, body: { error: 'invalid_grant', error_description: 'grant request is invalid' } }
    await using server = await authority(() => ended)
    await keep(server.url, saved(30_000))
    const ran = await runLine('operator list', io(server))
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('portcullis login') })
  })
})

describe('login', () => {
  it('A9: goes to no other server than the one that was named', async () => {
    for (const change of [{ issuer: 'https://evil.example' }, { token_endpoint: 'https://evil.example/token' }]) {
      await using server = await fakeServer(({ headers }) => ({
        body: { ...metadata(`http://${headers.host}`), ...change },
      }))
      const ran = await runLine('login --json', io(server))
      expect([ran.code, JSON.parse(ran.out).error.code]).toEqual([3, 'cli.other_issuer'])
    }
  })

  it('A9: says where a server signs nobody in', async () => {
    await using server = await fakeServer(() => ({ status: 404, body: {} }))
    const ran = await runLine('login --json', io(server))
    expect([ran.code, JSON.parse(ran.out).error.code]).toEqual([3, 'cli.no_authority'])
    expect((await runLine('login --scope no-such:scope', io(server))).code).toBe(2)
  })

  it('A9: logout forgets also where the server cannot be told', async () => {
    const file = await keep('http://127.0.0.1:9', saved(3_600_000))
    const ran = await runLine('logout --url http://127.0.0.1:9 --json', io({ url: '' }))
    expect([ran.code, JSON.parse(ran.out).error.code]).toEqual([3, 'cli.logout_here_only'])
    expect(JSON.parse(readFileSync(file, 'utf8')).servers).toEqual({})
  })
})

function metadata(issuer: string): object {
  const path = (name: string): string => `${issuer}/v1/oauth/${name}`
  return {
    issuer,
    authorization_endpoint: path('authorize'),
    token_endpoint: path('token'),
    revocation_endpoint: path('revoke'),
  }
}

/** An authorization server that renews; `answer` is for all else, and for the token endpoint where it has a status. */
function authority(answer: (seen: Seen) => Answer): Promise<FakeServer> {
  return fakeServer((seen) => {
    if (seen.path.startsWith('/.well-known/')) return { body: metadata(`http://${seen.headers.host}`) }
    const given = answer(seen)
    if (seen.path !== '/v1/oauth/token' || given.status !== undefined) return given
    const body = { access_token: 'access-2', refresh_token: 'refresh-2', expires_in: 3600, token_type: 'Bearer' }
    return { body }
  })
}
