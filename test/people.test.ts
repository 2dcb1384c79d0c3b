import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeIo } from '../src/cli/fakes.ts'
import { run } from '../src/cli/main.ts'
import { loadServerRoom } from '../src/cli/server-room.ts'
import { Browser, type Page } from './harness/browser.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { operatorKey, plantSession } from './harness/people.ts'

const password = 'a lantern over water'
let instance: TestInstance
let count = 0

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: '1000',
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: '100000',
    PORTCULLIS__LOG__LEVEL: 'fatal',
  })
})
afterAll(() => instance.stop())

async function make(
  role = 'OPERATOR_ROLE_VIEWER',
  more: object = {},
): Promise<{ id: string; name: string; link: string }> {
  const name = `person-${(count += 1)}`
  const { body } = await instance.call('IdentityService/CreateOperator', { name, role, ...more })
  return { id: body.operator.id, name, link: body.signInUrl }
}

/** A person with a password, in a browser that is signed in. */
async function settle(role?: string): Promise<{ id: string; name: string; browser: Browser }> {
  const { id, name, link } = await make(role)
  const browser = new Browser(instance.url)
  const done = await browser.submit(await browser.get(link), { password, again: password })
  expect([done.status, done.location]).toEqual([303, '/'])
  return { id, name, browser }
}

async function signIn(browser: Browser, name: string, given: string, tenant = 'main'): Promise<Page> {
  return browser.submit(await browser.get('/sign-in'), { name, password: given, tenant })
}

async function entries(filter: object): Promise<readonly Record<string, unknown>[]> {
  const { body } = await instance.call('LedgerService/Query', { pageSize: 1000, ...filter })
  return body.entries.map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body)
}

describe('a new operator', () => {
  it('A9: chooses a password under a link that is good once, and is signed in with it', async () => {
    const { name, link } = await make()
    expect(link).toMatch(new RegExp(`^${instance.url}/set-password\\?code=[A-Za-z0-9_-]{32}$`))
    const browser = new Browser(instance.url)
    const page = await browser.get(link)
    expect(page.text).toContain(name)
    const done = await browser.submit(page, { password, again: password })
    expect(done.status).toBe(303)
    expect((await browser.get('/')).text).toContain('<h1>You are signed in</h1>')
    const other = new Browser(instance.url)
    expect((await other.get(link)).status).toBe(403)
    expect((await browser.submit(page, { password, again: password })).status).toBe(403)
    expect((await signIn(other, name, password)).status).toBe(303)
    const [set] = await entries({ action: 'password.set' })
    expect(set).toMatchObject({ outcome: 'allow', caller: { kind: 'operator' }, method: '/set-password' })
    expect(JSON.stringify(set)).not.toContain(password)
  })

  it('A9: a replayed reply does not hold the link again', async () => {
    const headers = { 'idempotency-key': 'operator-once' }
    const request = { name: 'once', role: 'OPERATOR_ROLE_VIEWER' }
    const first = await instance.call('IdentityService/CreateOperator', request, { headers })
    const second = await instance.call('IdentityService/CreateOperator', request, { headers })
    expect(first.body.signInUrl).not.toBe('')
    expect(second.body.operator.id).toBe(first.body.operator.id)
    expect(second.body.signInUrl).toBe('')
  })

  it('A9: a password that is easy to guess, or not said twice, is not taken, and the link stays good', async () => {
    const { link } = await make()
    const browser = new Browser(instance.url)
    const page = await browser.get(link)
    for (const [first, again] of [
      ['short', 'short'],
      ['passwordpassword', 'passwordpassword'],
      [password, `${password}s`],
    ] as const) {
      const answer = await browser.submit(page, { password: first, again })
      expect(answer.status).toBe(422)
      expect(answer.text).toContain('role="alert"')
      expect(answer.text).not.toContain(password)
    }
    expect((await browser.submit(page, { password, again: password })).status).toBe(303)
  })

  it('A9: is made by operators only, with a role that its maker has', async () => {
    const { key } = await instance.agent('recruiter', ['identity:write'])
    const request = { name: 'by-agent', role: 'OPERATOR_ROLE_VIEWER' }
    expect((await instance.call('IdentityService/CreateOperator', request, { key })).body.code).toBe(
      'identity.scope_exceeds',
    )
    const taken = await make()
    const again = await instance.call('IdentityService/CreateOperator', {
      name: taken.name,
      role: 'OPERATOR_ROLE_VIEWER',
    })
    expect(again.body.code).toBe('object.exists')
    for (const wrong of [
      { name: 'x' },
      { name: 'Capital', role: 'OPERATOR_ROLE_ADMIN' },
      { name: '', role: 'OPERATOR_ROLE_ADMIN' },
    ])
      expect((await instance.call('IdentityService/CreateOperator', wrong)).body.code).toBe('input.invalid')
  })
})

describe('an operator of another issuer', () => {
  it('A9: is made in the tenants that the settings name, so that nobody else takes a subject first', async () => {
    const tenant = await instance.call('TenantService/Create', { name: 'squatter' })
    const request = { name: 'ada', role: 'OPERATOR_ROLE_VIEWER', upstreamSubject: '248289761001' }
    const refused = await instance.call('IdentityService/CreateOperator', request, { key: tenant.body.key })
    expect([refused.status, refused.body.code]).toEqual([400, 'input.invalid'])
    expect(refused.body.detail).toContain('upstreamSubject')
    expect((await instance.call('IdentityService/CreateOperator', request)).status).toBe(200)
    const { upstreamSubject: _, ...own } = request
    const made = await instance.call('IdentityService/CreateOperator', own, { key: tenant.body.key })
    expect(made.body.signInUrl).toContain('/set-password')
  })
})

describe('signing in', () => {
  it('A8: gives a new cookie that scripts and other sites do not get', async () => {
    const { name } = await settle()
    const browser = new Browser(instance.url)
    browser.setCookie('portcullis_session', 'A'.repeat(43))
    const page = await signIn(browser, name, password)
    expect(page.status).toBe(303)
    const cookie = page.set.find((text) => text.startsWith('portcullis_session=')) ?? ''
    expect(cookie).toMatch(
      /^portcullis_session=[A-Za-z0-9_-]{43}; Path=\/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax$/,
    )
    expect(browser.cookie('portcullis_session')).not.toBe('A'.repeat(43))
  })

  it('A9: wrong name, wrong password, disabled and without a password look alike', async () => {
    const [known, disabled] = [await settle(), await settle()]
    const fresh = await make()
    await instance.call('IdentityService/DisableOperator', { operatorId: disabled.id })
    const seen = new Set<string>()
    for (const [name, given] of [
      [known.name, 'wrong password here'],
      ['nobody-at-all', password],
      [disabled.name, password],
      [fresh.name, password],
    ] as const) {
      const page = await signIn(new Browser(instance.url), name, given)
      expect([name, page.status]).toEqual([name, 403])
      seen.add(page.text.replaceAll(name, '').replaceAll(/value="[0-9a-f]{64}"/g, ''))
    }
    expect(seen.size).toBe(1)
  })

  it('A9: an unknown name takes the work of a known one', async () => {
    const { name } = await settle()
    const times: Record<string, number[]> = { known: [], unknown: [] }
    for (const [kind, who] of [
      ['known', name],
      ['unknown', `nobody-${name}`],
      ['known', name],
      ['unknown', `nobody-${name}`],
    ] as const) {
      const browser = new Browser(instance.url)
      const page = await browser.get('/sign-in')
      const began = performance.now()
      await browser.submit(page, { name: who, password: 'wrong password here', tenant: 'main' })
      times[kind]?.push(performance.now() - began)
    }
    // Far from exact: without the work it would be a hundredth.
    expect(Math.min(...(times['unknown'] ?? []))).toBeGreaterThan(Math.min(...(times['known'] ?? [])) / 4)
  })

  it('A9: after five failures the name waits, whether it is known or not, and is told for how long', async () => {
    const { name } = await settle()
    for (const who of [name, 'nobody-knows-me']) {
      for (let failure = 0; failure < 5; failure += 1)
        expect((await signIn(new Browser(instance.url), who, 'wrong password here')).status).toBe(403)
      const page = await signIn(new Browser(instance.url), who, password)
      expect(page.status).toBe(429)
      expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(page.text).toContain('Too many attempts')
    }
    const denials = await entries({ log: 'system', code: 'auth.credential_invalid' })
    expect(denials.some(({ method, outcome }) => method === '/sign-in' && outcome === 'deny')).toBe(true)
    expect(JSON.stringify(denials)).not.toContain('wrong password here')
  }, 120_000)
})

describe('a form', () => {
  it('A8: is refused where it comes from elsewhere, or without what its page brought', async () => {
    const { name, browser } = await settle()
    const page = await browser.get('/')
    const session = browser.cookie('portcullis_session') ?? ''
    for (const origin of ['https://evil.example', 'null', `${instance.url}.evil.example`, ''])
      expect([origin, (await browser.submit(page, {}, { origin })).status]).toEqual([origin, 403])
    expect((await browser.submit(page, { csrf: 'f'.repeat(64) })).status).toBe(403)
    expect((await browser.post('/sign-out', {})).status).toBe(403)
    // The form of another browser.
    const other = await (await settle()).browser.get('/')
    expect((await browser.submit(other, {})).status).toBe(403)
    expect((await browser.get('/')).text).toContain(name)
    expect(browser.cookie('portcullis_session')).toBe(session)
    const refused = await entries({ log: 'system', code: 'auth.form_foreign' })
    expect(refused[0]).toMatchObject({ outcome: 'deny', code: 'auth.form_foreign' })
  })

  it('A8: is refused with fields twice, too large, or as anything but a form', async () => {
    const browser = new Browser(instance.url)
    const page = await browser.get('/sign-in')
    const [, csrf = ''] = /name="csrf" value="([^"]+)"/.exec(page.text) ?? []
    const cookie = `portcullis_form=${browser.cookie('portcullis_form')}`
    const post = (body: string, type = 'application/x-www-form-urlencoded'): Promise<Response> =>
      fetch(`${instance.url}/sign-in`, {
        method: 'POST',
        body,
        headers: { origin: instance.url, cookie, 'content-type': type },
      })
    expect((await post(`csrf=${csrf}&name=a&name=b&password=x&tenant=main`)).status).toBe(400)
    expect((await post(`csrf=${csrf}&name=${'a'.repeat(20_000)}`)).status).toBe(413)
    expect((await post(JSON.stringify({ csrf }), 'application/json')).status).toBe(415)
    expect((await post(`csrf=${csrf}&name=a%00b&password=x&tenant=main`)).status).toBe(400)
    expect((await post(`csrf=${csrf}&name=${'x'.repeat(5000)}&password=${'y'.repeat(5000)}&tenant=main`)).status).toBe(
      403,
    )
  })

  it('A8: a page loads nothing from elsewhere, runs no script and is kept nowhere', async () => {
    const { browser } = await settle()
    const link = (await make()).link
    for (const path of ['/sign-in', '/', '/password', '/signed-out', link]) {
      const { headers, text } = await browser.get(path)
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'none'; .*form-action 'self'; frame-ancestors 'none'$/,
      )
      expect(headers.get('cache-control')).toBe('no-store')
      expect(text).not.toMatch(/<script|\son\w+=|javascript:|style=|localStorage/i)
      for (const [, id = ''] of text.matchAll(/<label for="([^"]+)"/g)) expect(text).toContain(`id="${id}"`)
    }
  })
})

describe('sessions', () => {
  it('A8: end with signing out, and the cookie is worth nothing then', async () => {
    const { browser } = await settle()
    const token = browser.cookie('portcullis_session') ?? ''
    const out = await browser.submit(await browser.get('/'), {})
    expect([out.status, out.location]).toEqual([303, '/signed-out'])
    expect(browser.cookie('portcullis_session')).toBeUndefined()
    const thief = new Browser(instance.url)
    thief.setCookie('portcullis_session', token)
    expect((await thief.get('/')).text).toContain('You are not signed in')
    expect((await entries({ action: 'console.signed_out' }))[0]).toMatchObject({ outcome: 'allow' })
  })

  it('A9: are listed and can be ended one by one', async () => {
    const { id, browser } = await settle()
    const { body } = await instance.call('IdentityService/ListSessions', { operatorId: id })
    expect(body.sessions).toHaveLength(1)
    const [session] = body.sessions
    expect(session).toMatchObject({ operatorId: id })
    expect(session.id).toMatch(/^ses_/)
    const ended = await instance.call('IdentityService/RevokeSession', { sessionId: session.id })
    expect(ended.body.session.revokedAt).toMatch(/^20/)
    expect((await browser.get('/')).text).toContain('You are not signed in')
  })

  it('A8: end after an hour without use, and after twelve hours whatever happens', async () => {
    const postgres = await instance.connect('postgres')
    for (const change of [`last_used_at = now() - interval '61 minutes'`, `expires_at = now() - interval '1 second'`]) {
      const { id, browser } = await settle()
      expect((await browser.get('/')).text).toContain('You are signed in')
      await postgres.query(`update portcullis.sessions set ${change} where operator_id = $1`, [id.slice(4)])
      expect([change, (await browser.get('/')).text.includes('You are signed in')]).toEqual([change, false])
    }
  })

  it('A9: a new password ends all other sessions of the person', async () => {
    const { name, browser } = await settle()
    const elsewhere = new Browser(instance.url)
    await signIn(elsewhere, name, password)
    const page = await browser.get('/password')
    const better = 'a lantern over deep water'
    expect((await browser.submit(page, { old: 'not the old one', password: better, again: better })).status).toBe(403)
    expect((await browser.submit(page, { old: password, password: better, again: better })).status).toBe(303)
    expect((await browser.get('/')).text).toContain('You are signed in')
    expect((await elsewhere.get('/')).text).toContain('You are not signed in')
    expect((await signIn(new Browser(instance.url), name, password)).status).toBe(403)
    expect((await signIn(new Browser(instance.url), name, better)).status).toBe(303)
  })

  it('A9: who holds the database gives a new password to one who lost it: what was open ends, and it is an entry', async () => {
    const { id, name, browser } = await settle()
    const given = 'seven quiet herons'
    const set = async (input: string, who = name) => {
      const io = fakeIo({ input: `${input}\n`, server: loadServerRoom })
      const code = await run(['operator', 'password', who, '--dir', instance.dir, '--json'], io)
      return { code, ...io.written }
    }
    const done = await set(given)
    expect([done.code, JSON.parse(done.out)]).toEqual([0, { operator: id }])
    expect((await browser.get('/')).text).not.toContain('<h1>You are signed in</h1>')
    expect((await signIn(new Browser(instance.url), name, password)).status).toBe(403)
    expect((await signIn(new Browser(instance.url), name, given)).status).toBe(303)
    const [entry] = await entries({ action: 'password.set', pageSize: 1 })
    expect(entry).toMatchObject({ outcome: 'allow', method: '(owner role)', args: { operator: id } })
    expect(JSON.stringify([entry, done])).not.toContain(given)
    // Links that nobody has used yet end with it; what is easy to guess, and who is not there, is refused.
    const { name: fresh, link } = await make()
    expect((await set(given, fresh)).code).toBe(0)
    expect((await new Browser(instance.url).get(link)).status).toBe(403)
    const upstream = (await make(undefined, { upstreamSubject: 'somebody' })).name
    for (const [input, who, said] of [
      ['password1234', name, 'not taken'],
      ['', name, 'no password'],
      [given, 'nobody', 'no operator nobody'],
      [given, upstream, 'signs in at the issuer'],
    ] as const) {
      const refused = await set(input, who)
      expect([refused.code === 0, refused.out + refused.err]).toEqual([false, expect.stringContaining(said)])
    }
    expect((await signIn(new Browser(instance.url), name, given)).status).toBe(303)
  })

  it('A10: a disabled operator is out at once, with its sessions and keys', async () => {
    const { id, browser } = await settle('OPERATOR_ROLE_ADMIN')
    const { key } = await operatorKey(instance, id)
    expect((await instance.call('HubService/ListRuns', {}, { key })).status).toBe(200)
    const { body } = await instance.call('IdentityService/DisableOperator', { operatorId: id })
    expect(body.operator.disabledAt).toMatch(/^20/)
    expect((await instance.call('HubService/ListRuns', {}, { key })).body.code).toBe('auth.credential_invalid')
    expect((await browser.get('/')).text).toContain('You are not signed in')
  })

  it('A9: nobody disables themselves, or those who have power over tenants without having it', async () => {
    const { body } = await instance.call('IdentityService/ListOperators', { name: 'admin' })
    const [{ id: first }] = body.operators
    expect((await instance.call('IdentityService/DisableOperator', { operatorId: first })).body.code).toBe(
      'object.state',
    )
    const { id } = await settle('OPERATOR_ROLE_ADMIN')
    const { key } = await operatorKey(instance, id)
    const answer = await instance.call('IdentityService/DisableOperator', { operatorId: first }, { key })
    expect(answer.body.code).toBe('object.not_found')
  })

  it('A9: nobody ends the keys and sessions of those who have power over tenants without having it', async () => {
    const { body } = await instance.call('IdentityService/ListOperators', { name: 'admin' })
    const [{ id: first }] = body.operators
    const { id } = await settle('OPERATOR_ROLE_ADMIN')
    const [{ key }, { keyId }, sessionId] = await Promise.all([
      operatorKey(instance, id),
      operatorKey(instance, first),
      plantSession(instance, first),
    ])
    const publicKeyPem = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' })
    const made = await instance.call('IdentityService/CreateSigningKey', { publicKeyPem })
    const signingKeyId: string = made.body.signingKey.id
    for (const [method, message] of [
      ['IdentityService/RevokeKey', { keyId }],
      ['IdentityService/RevokeSession', { sessionId }],
      ['IdentityService/RevokeSigningKey', { signingKeyId }],
    ] as const) {
      expect([method, (await instance.call(method, message, { key })).body.code]).toEqual([method, 'object.not_found'])
      expect([method, (await instance.call(method, message)).status]).toEqual([method, 200])
    }
    // Their own, and those of others without that power, as ever.
    const other = await settle('OPERATOR_ROLE_ADMIN')
    for (const mine of [await operatorKey(instance, id), await operatorKey(instance, other.id)])
      expect((await instance.call('IdentityService/RevokeKey', { keyId: mine.keyId }, { key })).status).toBe(200)
    const theirs = await plantSession(instance, other.id)
    expect((await instance.call('IdentityService/RevokeSession', { sessionId: theirs }, { key })).status).toBe(200)
  })
})
