import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser, type Page } from './harness/browser.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { freePort } from './harness/ports.ts'

const password = 'a lantern over water'
let folder: string
/** People sign in at the issuer, which is another deployment, to use ours. */
let issuer: TestInstance
let ours: TestInstance
let relay: Server
let away = false
let tokenCalls = 0
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-upstream-'))
  const quick = {
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: '1000',
    PORTCULLIS__LIMITS__RATE__ADDRESS__BURST: '100000',
    PORTCULLIS__LOG__LEVEL: 'fatal',
  }
  const [front, http] = [await freePort(), await freePort()]
  const name = `http://127.0.0.1:${front}`
  issuer = await startInstance({ ...quick, PORTCULLIS__OAUTH__ISSUER: name })
  // Between both: it can be away, and it counts what is exchanged.
  relay = createServer((request, response) => {
    if (away) {
      request.socket.destroy()
      return
    }
    if (request.url === '/v1/oauth/token') tokenCalls += 1
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { host: _, connection: _connection, 'content-length': _length, ...headers } = request.headers
      void fetch(`${issuer.url}${request.url}`, {
        method: request.method ?? 'GET',
        headers: headers as Record<string, string>,
        redirect: 'manual',
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
      }).then(async (answer) => {
        const sent = Object.fromEntries(
          [...answer.headers].filter(([key]) => !/^(?:connection|keep-alive|content-length|set-cookie)$/.test(key)),
        )
        response.writeHead(answer.status, { ...sent, 'set-cookie': answer.headers.getSetCookie() })
        response.end(Buffer.from(await answer.arrayBuffer()))
      })
    })
  }).listen(front, '127.0.0.1')
  const { body } = await issuer.call('IdentityService/CreateApp', {
    name: 'ours',
    scopes: ['telemetry:read'],
    grantTypes: ['authorization_code'],
    redirectUris: [`http://127.0.0.1:${http}/sign-in/upstream/callback`],
  })
  const secretFile = join(folder, 'secret')
  await writeFile(secretFile, body.clientSecret, { mode: 0o600 })
  ours = await startInstance({
    ...quick,
    PORTCULLIS__LISTEN__HTTP: `127.0.0.1:${http}`,
    PORTCULLIS__AUTHORITY__ISSUER: name,
    PORTCULLIS__AUTHORITY__CLIENT_ID: body.app.id,
    PORTCULLIS__AUTHORITY__CLIENT_SECRET_FILE: secretFile,
    PORTCULLIS__AUTHORITY__ALLOW_PRIVATE: 'true',
  })
}, 120_000)
afterAll(async () => {
  relay.closeAllConnections()
  relay.close()
  await Promise.all([ours.stop(), issuer.stop()])
  await rm(folder, { recursive: true, force: true })
})

/** Somebody who is signed in at the issuer, whom ours may know by their subject. */
async function person(
  known: boolean,
): Promise<{ readonly at: Browser; readonly subject: string; readonly id: string | undefined }> {
  const name = `person-${(count += 1)}`
  const { body } = await issuer.call('IdentityService/CreateOperator', { name, role: 'OPERATOR_ROLE_VIEWER' })
  const at = new Browser(new URL(body.signInUrl).origin)
  await at.submit(await at.get(body.signInUrl), { password, again: password })
  const subject: string = body.operator.id
  if (!known) return { at, subject, id: undefined }
  const made = await ours.call('IdentityService/CreateOperator', {
    name,
    role: 'OPERATOR_ROLE_VIEWER',
    upstreamSubject: subject,
  })
  expect(made.body.signInUrl).toBe('')
  return { at, subject, id: made.body.operator.id }
}

/** The way from our sign-in page to the issuer, where the person agrees; answers where they are sent back to. */
async function goThrough(browser: Browser, at: Browser, interaction = ''): Promise<URL> {
  const leaving = await browser.get(`/sign-in/upstream${interaction}`)
  expect(leaving.status).toBe(303)
  const consent = await at.follow(await at.get(leaving.location ?? ''))
  const done = await at.follow(await at.submit(consent, { decision: 'allow' }))
  return new URL(done.location ?? '')
}

const back = (browser: Browser, address: URL): Promise<Page> => browser.get(`${address.pathname}${address.search}`)

describe('signing in at another issuer', () => {
  it('A9: signs in the operator that was made for that subject, and nobody else', async () => {
    const { at, id } = await person(true)
    const browser = new Browser(ours.url)
    expect((await browser.get('/sign-in')).text).toContain('Sign in with 127.0.0.1')
    const page = await back(browser, await goThrough(browser, at))
    expect([page.status, page.location]).toEqual([303, '/'])
    expect((await browser.get('/')).text).toContain('<h1>You are signed in</h1>')
    const { body } = await ours.call('LedgerService/Query', { action: 'console.signed_in' })
    expect(JSON.parse(body.entries[0].entryJson).body).toMatchObject({ caller: { id }, args: { by: 'upstream' } })

    // Who has no password here gets none: it would go on when the issuer says no.
    expect((await browser.get('/')).text).not.toContain('/password')
    expect((await browser.get('/password')).status).toBe(403)
    const csrf = await browser.get('/')
    const [, value = ''] = /name="csrf" value="([^"]+)"/.exec(csrf.text) ?? []
    expect((await browser.post('/password', { csrf: value, password, again: password })).status).toBe(403)

    const stranger = await person(false)
    const other = new Browser(ours.url)
    expect((await back(other, await goThrough(other, stranger.at))).status).toBe(403)
    expect((await other.get('/')).text).toContain('You are not signed in')
  })

  it('A9: compares the state with that of the browser before anything is exchanged', async () => {
    const { at } = await person(true)
    const browser = new Browser(ours.url)
    const address = await goThrough(browser, at)
    const before = tokenCalls
    // Another browser, none that began, and a changed, missing or doubled state.
    const other = new Browser(ours.url)
    await other.get('/sign-in/upstream')
    expect((await back(other, address)).status).toBe(403)
    expect((await back(new Browser(ours.url), address)).status).toBe(403)
    for (const change of ['changed', 'missing', 'doubled']) {
      const again = new Browser(ours.url)
      const good = await goThrough(again, at)
      if (change === 'changed') good.searchParams.set('state', 'x'.repeat(43))
      if (change === 'missing') good.searchParams.delete('state')
      if (change === 'doubled') good.searchParams.append('state', good.searchParams.get('state') ?? '')
      expect([change, (await back(again, good)).status]).toEqual([change, 403])
    }
    expect(tokenCalls).toBe(before)
    // The one that it was for is still good, for once.
    expect((await back(browser, address)).status).toBe(303)
    expect((await back(browser, address)).status).toBe(403)
    expect(tokenCalls).toBe(before + 1)
  })

  it('A9: takes no answer of another issuer, and none without a code', async () => {
    const { at } = await person(true)
    for (const change of ['iss', 'error']) {
      const browser = new Browser(ours.url)
      const address = await goThrough(browser, at)
      if (change === 'iss') address.searchParams.set('iss', 'https://evil.example')
      else {
        address.searchParams.delete('code')
        address.searchParams.set('error', 'access_denied')
      }
      expect([change, (await back(browser, address)).status]).toEqual([change, 403])
    }
  })

  it('A9: a disabled operator is nobody, whatever the issuer says', async () => {
    const { at, id } = await person(true)
    await ours.call('IdentityService/DisableOperator', { operatorId: id })
    const browser = new Browser(ours.url)
    expect((await back(browser, await goThrough(browser, at))).status).toBe(403)
  })

  it('A9: an issuer that is away ends the attempt, not the server, and comes back by itself', async () => {
    const { at } = await person(true)
    const browser = new Browser(ours.url)
    const address = await goThrough(browser, at)
    away = true
    expect((await back(browser, address)).status).toBe(403)
    expect((await browser.get('/sign-in')).status).toBe(200)
    away = false
    expect((await back(browser, await goThrough(browser, at))).status).toBe(303)
  })
})
