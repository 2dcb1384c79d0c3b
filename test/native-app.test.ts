import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Browser, Page } from './harness/browser.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { authorizePath, makeApp, pkce, post, signedInBrowser, type TestApp } from './harness/oauth.ts'

let instance: TestInstance
let browser: Browser
beforeAll(async () => {
  instance = await startInstance()
  browser = await signedInBrowser(instance)
})
afterAll(() => instance.stop())

let count = 0
const makeProgram = (redirectUri: string): Promise<TestApp> =>
  makeApp(instance, {
    name: `program-${(count += 1)}`,
    authMethod: 'none',
    grantTypes: ['authorization_code'],
    redirectUris: [redirectUri],
  })

/** Goes through the pages and agrees; answers the last one, which leads out of the server or nowhere. */
async function agree(path: string): Promise<Page> {
  let page = await browser.follow(await browser.get(path))
  for (let pages = 0; pages < 3 && page.text.includes('name="decision"'); pages += 1)
    page = await browser.follow(await browser.submit(page, { decision: 'allow' }))
  return page
}

describe('a program on a person’s machine', () => {
  it.each([
    ['com.example.app:/callback', 'com.example.app:/callback'],
    ['http://127.0.0.1/callback', 'http://127.0.0.1:41234/callback'],
    ['http://[::1]/callback', 'http://[::1]:41234/callback'],
  ])('A5: at %s gets its code and its token, with PKCE and no secret', async (registered, used) => {
    const app = await makeProgram(registered)
    const proof = pkce()
    const { location = '' } = await agree(authorizePath(app, proof, { redirect_uri: used }))
    expect(location.startsWith(`${used}?`)).toBe(true)
    const code = new URL(location).searchParams.get('code') ?? ''
    const fields = { grant_type: 'authorization_code', client_id: app.id, code, redirect_uri: used }
    const given = await post(instance.url, '/v1/oauth/token', { ...fields, code_verifier: proof.verifier })
    expect([given.status, given.body.token_type]).toEqual([200, 'Bearer'])
  })

  it.each([
    ['com.example.app:/callback', 'com.example.app:/callback/'],
    ['com.example.app:/callback', 'com.example.app://callback'],
    ['com.example.app:/callback', 'COM.example.app:/callback'],
    ['http://127.0.0.1/callback', 'http://localhost:41234/callback'],
    ['http://127.0.0.1/callback', 'http://127.0.0.1:41234/Callback'],
    ['http://127.0.0.1/callback', 'http://127.0.0.1:41234@evil.example/callback'],
    ['https://app.example/callback', 'https://app.example:8443/callback'],
  ])('A5: registered at %s is not sent to %s', async (registered, asked) => {
    const app = await makeProgram(registered)
    const page = await agree(authorizePath(app, pkce(), { redirect_uri: asked }))
    expect([page.status, page.location]).toEqual([400, undefined])
  })
})
