import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../harness/browser.ts'
import { startInstance, type TestInstance } from '../harness/instance.ts'

// Debian's own: another python3 in the path has no Authlib.
const python = '/usr/bin/python3'
const password = 'a lantern over water'
const redirectUri = 'http://127.0.0.1:1/callback'

interface Result {
  // oxlint-disable-next-line typescript/no-explicit-any -- what Authlib made of a reply
  readonly ok?: any
  readonly error?: string
}

/** Authlib in a process of its own, that takes one step at a time. */
class Authlib {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #errors = ''

  constructor(issuer: string) {
    this.#process = spawn(python, [join(import.meta.dirname, 'authlib_client.py')], {
      // Authlib wants to be told that http is meant.
      env: { AUTHLIB_INSECURE_TRANSPORT: '1', PATH: '/usr/bin' },
    })
    this.#process.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()))
    const lines: Interface = createInterface({ input: this.#process.stdout })
    this.#lines = lines[Symbol.asyncIterator]()
    this.#process.stdin.write(`${JSON.stringify({ issuer })}\n`)
  }

  async step(step: string, more: object): Promise<Result> {
    this.#process.stdin.write(`${JSON.stringify({ step, ...more })}\n`)
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error(`Authlib ended: ${this.#errors}`)
    return JSON.parse(value)
  }

  async close(): Promise<void> {
    const ended = once(this.#process, 'close')
    this.#process.stdin.end()
    await ended
  }
}

let instance: TestInstance
let authlib: Authlib
beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__LOG__LEVEL: 'fatal' })
  authlib = new Authlib(instance.url)
})
afterAll(async () => {
  await authlib.close()
  await instance.stop()
})

async function makeApp(
  name: string,
  method: string,
  more: object = {},
): Promise<{ id: string; secret: string; method: string }> {
  const authMethod = `CLIENT_AUTH_METHOD_${method.toUpperCase()}`
  const request = { name, scopes: ['telemetry:read'], authMethod, ...more }
  const { status, body } = await instance.call('IdentityService/CreateApp', request)
  expect([status, body.code]).toEqual([200, undefined])
  return { id: body.app.id, secret: body.clientSecret, method }
}

describe('Authlib as a client', () => {
  it.each(['client_secret_basic', 'client_secret_post', 'private_key_jwt'])(
    'T5: gets a token with %s, calls with it, introspects and revokes it',
    async (method) => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }
      const keyed = method === 'private_key_jwt'
      const made = await makeApp(
        `program-${method}`,
        method,
        keyed ? { jwksJson: JSON.stringify({ keys: [jwk] }) } : {},
      )
      const app = { ...made, kid: 'one', private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) }
      const given = await authlib.step('client_credentials', { app, scope: 'telemetry:read' })
      expect(given).toMatchObject({
        ok: { token: { token_type: 'Bearer', expires_in: 3600, scope: 'telemetry:read' }, status: 200 },
      })
      const token = given.ok.token.access_token
      expect(await authlib.step('introspect', { app, token })).toMatchObject({
        ok: { active: true, client_id: app.id },
      })
      expect(await authlib.step('revoke', { app, token })).toEqual({ ok: { status: 200 } })
      expect(await authlib.step('introspect', { app, token })).toEqual({ ok: { active: false } })
      expect(await authlib.step('client_credentials', { app, scope: 'identity:write' })).toEqual({
        error: 'invalid_scope',
      })
    },
  )

  it('T5: exchanges a code, refreshes, and a refresh token that is used again ends the family', async () => {
    const app = await makeApp('site', 'client_secret_basic', {
      redirectUris: [redirectUri],
      grantTypes: ['authorization_code', 'refresh_token'],
    })
    const { body } = await instance.call('IdentityService/CreateOperator', {
      name: 'ada',
      role: 'OPERATOR_ROLE_VIEWER',
    })
    const browser = new Browser(instance.url)
    await browser.submit(await browser.get(body.signInUrl), { password, again: password })
    const verifier = 'v'.repeat(64)
    const asked = await authlib.step('authorize', {
      app,
      scope: 'telemetry:read offline_access',
      redirect_uri: redirectUri,
      verifier,
    })
    let page = await browser.get(asked.ok.url)
    while (page.location !== undefined && !page.location.startsWith(redirectUri))
      page = await browser.get(page.location)
    if (page.location === undefined) page = await browser.submit(page, { decision: 'allow' })
    while (page.location !== undefined && !page.location.startsWith(redirectUri))
      page = await browser.get(page.location)
    const code = { app, redirect_uri: redirectUri, state: asked.ok.state, response: page.location, verifier }
    const { ok: first } = await authlib.step('exchange', code)
    expect(first).toMatchObject({ token_type: 'Bearer', refresh_token: expect.any(String) })

    const { ok: second } = await authlib.step('refresh', { app, token: first.refresh_token })
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(await authlib.step('introspect', { app, token: second.access_token })).toMatchObject({
      ok: { active: true },
    })
    expect(await authlib.step('refresh', { app, token: first.refresh_token })).toEqual({ error: 'invalid_grant' })
    expect(await authlib.step('refresh', { app, token: second.refresh_token })).toEqual({ error: 'invalid_grant' })
    await expect
      .poll(() => authlib.step('introspect', { app, token: second.access_token }))
      .toEqual({ ok: { active: false } })
    expect(await authlib.step('exchange', code)).toEqual({ error: 'invalid_grant' })
  })
})
