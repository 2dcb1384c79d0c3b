import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser, type Page } from './harness/browser.ts'
import { Command } from './harness/command.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { Portcullis, type Exit } from './harness/portcullis.ts'

const password = 'a lantern over water'
let instance: TestInstance
let folder: string
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-login-'))
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: '1000',
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: '100000',
    PORTCULLIS__LOG__LEVEL: 'error',
  })
})
afterAll(async () => {
  await instance.stop()
  await rm(folder, { recursive: true, force: true })
})

interface Person {
  readonly id: string
  readonly name: string
  readonly browser: Browser
  /** Where the command line keeps what is theirs. */
  readonly home: string
}

async function settle(role: string, key?: string): Promise<Person> {
  const name = `person-${(count += 1)}`
  const { body } = await instance.call(
    'IdentityService/CreateOperator',
    { name, role },
    key === undefined ? {} : { key },
  )
  const browser = new Browser(instance.url)
  await browser.submit(await browser.get(body.signInUrl), { password, again: password })
  return { id: body.operator.id, name, browser, home: join(folder, name) }
}

function command(home: string, ...args: readonly string[]): Command {
  return new Command(args, { PORTCULLIS_URL: instance.url, XDG_CONFIG_HOME: home })
}

/** The same as a process of its own. */
function binary(home: string, ...args: readonly string[]): Portcullis {
  return new Portcullis(args, { PORTCULLIS_URL: instance.url, XDG_CONFIG_HOME: home })
}

/** Begins `login`, and answers with the address that it prints. */
async function begin(home: string, ...args: readonly string[]): Promise<{ process: Command; address: URL }> {
  const process = command(home, 'login', ...args)
  await expect.poll(() => process.stderr, { timeout: 30_000 }).toMatch(/^http:.*\n/m)
  return { process, address: new URL(/^http:\S+/m.exec(process.stderr)?.[0] ?? '') }
}

/** Signs in on the command line, and allows it in the browser of the person. */
async function login({ home, browser }: Person, ...args: readonly string[]): Promise<{ exit: Exit; consent: Page }> {
  const { process, address } = await begin(home, ...args)
  const consent = await browser.follow(await browser.get(address.href))
  const done = await browser.follow(await browser.submit(consent, { decision: 'allow' }))
  const back = await fetch(done.location ?? '')
  expect([back.status, await back.text()]).toEqual([200, expect.stringContaining('Signed in')])
  return { exit: await process.exited, consent }
}

describe('portcullis login', () => {
  it('A9: signs a person in through a browser, and other commands act for them, renewing what ends', async () => {
    const person = await settle('OPERATOR_ROLE_VIEWER')
    const { exit, consent } = await login(person, '--json')
    expect(exit).toMatchObject({ code: 0 })
    const told = JSON.parse(exit.stdout)
    expect(told).toMatchObject({ url: instance.url, operatorId: person.id })
    // No more than the role has, whatever was asked for.
    expect(told.scopes.toSorted()).toEqual([
      'admin:read',
      'identity:read',
      'jobs:read',
      'ledger:read',
      'tasks:read',
      'telemetry:read',
    ])
    expect(consent.text).toContain('Portcullis command line')
    expect(consent.text).toContain('see everything of the tenant')
    expect(consent.headers.get('content-security-policy')).toMatch(/form-action 'self' http:\/\/127\.0\.0\.1:\d+;/)

    const list = await command(person.home, 'agent', 'list', '--json').exited
    expect(list).toMatchObject({ code: 0 })
    const refused = await command(person.home, 'agent', 'create', 'mine', '--json').exited
    expect(JSON.parse(refused.stdout).error.code).toBe('auth.scope_missing')

    const file = join(person.home, 'portcullis', 'credentials.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const before = JSON.parse(await readFile(file, 'utf8'))
    before.servers[instance.url].expiresAtMs = Date.now() + 1000
    const { writeFile } = await import('node:fs/promises')
    await writeFile(file, JSON.stringify(before), { mode: 0o600 })
    // Two at a time: the refresh token is used once.
    const both = await Promise.all([1, 2].map(() => binary(person.home, 'agent', 'list', '--json').exited))
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    const after = JSON.parse(await readFile(file, 'utf8'))
    expect(after.servers[instance.url].refreshToken).not.toBe(before.servers[instance.url].refreshToken)

    // The ledger names the person, and the command line as what acts for them.
    const { body } = await instance.call('LedgerService/Query', { caller: person.id, pageSize: 100 })
    const entries = body.entries.map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body)
    expect(entries).toContainEqual(
      expect.objectContaining({
        method: '/portcullis.v1.IdentityService/ListAgents',
        caller: expect.objectContaining({ id: person.id, kind: 'operator' }),
        client: 'portcullis-cli',
      }),
    )
  }, 120_000)

  it('A9: ends with logout, here and at the server', async () => {
    const person = await settle('OPERATOR_ROLE_VIEWER')
    await login(person)
    const file = join(person.home, 'portcullis', 'credentials.json')
    const [{ accessToken }] = Object.values<{ accessToken: string }>(
      JSON.parse(await readFile(file, 'utf8')).servers,
    ) as [{ accessToken: string }]
    expect((await instance.call('HubService/ListRuns', {}, { key: accessToken })).status).toBe(200)
    expect((await command(person.home, 'logout', '--json').exited).stdout).toContain('"signedOut":true')
    expect(JSON.parse(await readFile(file, 'utf8')).servers).toEqual({})
    await expect
      .poll(async () => (await instance.call('HubService/ListRuns', {}, { key: accessToken })).status)
      .toBe(401)
    const { body } = await instance.call('IdentityService/ListSessions', { operatorId: person.id })
    const app = body.sessions.find(({ appId }: { appId: string }) => appId === 'portcullis-cli')
    expect(app.revokedAt).toMatch(/^20/)
    expect((await command(person.home, 'logout').exited).stdout).toContain('Nobody was signed in')
  }, 120_000)

  it('A10: a session that is revoked, or whose operator is disabled, is over for the command line', async () => {
    for (const end of ['session', 'operator'] as const) {
      const person = await settle('OPERATOR_ROLE_ADMIN')
      await login(person)
      expect((await command(person.home, 'agent', 'list').exited).code).toBe(0)
      const { body } = await instance.call('IdentityService/ListSessions', { operatorId: person.id })
      const app = body.sessions.find(({ appId }: { appId: string }) => appId === 'portcullis-cli')
      if (end === 'session') await instance.call('IdentityService/RevokeSession', { sessionId: app.id })
      else await instance.call('IdentityService/DisableOperator', { operatorId: person.id })
      const list = await command(person.home, 'agent', 'list', '--json').exited
      expect([end, JSON.parse(list.stdout).error.code]).toEqual([end, 'auth.credential_invalid'])
      // Nor does the refresh token give another one.
      const file = join(person.home, 'portcullis', 'credentials.json')
      const kept = JSON.parse(await readFile(file, 'utf8'))
      kept.servers[instance.url].expiresAtMs = 0
      const { writeFile } = await import('node:fs/promises')
      await writeFile(file, JSON.stringify(kept), { mode: 0o600 })
      const again = await command(person.home, 'agent', 'list', '--json').exited
      expect([end, JSON.parse(again.stdout).error.code]).toEqual([end, 'invalid_grant'])
    }
  }, 180_000)

  it('A9: takes no answer with another state, and none that was denied', async () => {
    const person = await settle('OPERATOR_ROLE_VIEWER')
    const { process, address } = await begin(person.home, '--json', '--scope', 'telemetry:read')
    const callback = address.searchParams.get('redirect_uri') ?? ''
    for (const query of ['?code=x&state=wrong', '?code=x', '?code=x&state=a&state=b', ''])
      expect((await fetch(`${callback}${query}`)).status).not.toBe(200)
    expect((await fetch(callback.replace('/callback', '/'))).status).toBe(404)
    const consent = await person.browser.follow(await person.browser.get(address.href))
    const denied = await person.browser.follow(await person.browser.submit(consent, { decision: 'deny' }))
    expect(new URL(denied.location ?? '').searchParams.get('error')).toBe('access_denied')
    await fetch(denied.location ?? '')
    const exit = await process.exited
    expect([exit.code, JSON.parse(exit.stdout).error.code]).toEqual([1, 'access_denied'])
  }, 60_000)

  it('A8: who is not signed in is asked first, and only who is asked can agree', async () => {
    const person = await settle('OPERATOR_ROLE_VIEWER')
    const { process, address } = await begin(person.home)
    const stranger = new Browser(instance.url)
    const page = await stranger.follow(await stranger.get(address.href))
    expect(page.text).toContain('<h1>Sign in</h1>')
    const consent = await stranger.follow(await stranger.submit(page, { name: person.name, password, tenant: 'main' }))
    expect(consent.text).toContain('<h1>Allow Portcullis command line?</h1>')
    // The form of this browser from another page, and the page of this browser in another one.
    expect((await stranger.submit(consent, { decision: 'allow' }, { origin: 'https://evil.example' })).status).toBe(403)
    expect((await person.browser.submit(consent, { decision: 'allow' })).status).toBe(403)
    const [, action = ''] = /action="(\/v1\/oauth\/interaction\/[^"]+)"/.exec(consent.text) ?? []
    expect((await person.browser.get(action)).status).toBe(404)
    const done = await stranger.follow(await stranger.submit(consent, { decision: 'allow' }))
    await fetch(done.location ?? '')
    expect((await process.exited).code).toBe(0)
    // Once.
    expect((await stranger.submit(consent, { decision: 'allow' })).status).toBe(404)
  }, 60_000)
})
