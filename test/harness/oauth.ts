import { createHash, randomBytes } from 'node:crypto'
import { Browser, type Page } from './browser.ts'
import type { TestInstance } from './instance.ts'

export interface TestApp {
  readonly id: string
  readonly secret: string
}

export const redirectUri = 'https://app.example/callback'

export async function makeApp(instance: TestInstance, fields: object): Promise<TestApp> {
  const { body, status } = await instance.call('IdentityService/CreateApp', {
    scopes: ['telemetry:write', 'tasks:read'],
    ...fields,
  })
  if (status !== 200) throw new Error(`no app: ${JSON.stringify(body)}`)
  return { id: body.app.id, secret: body.clientSecret }
}

export interface OAuthReply {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the server says
  readonly body: any
}

/** A form to one of the routes for programs. */
export async function post(
  url: string,
  path: string,
  fields: Readonly<Record<string, string>> | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<OAuthReply> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof fields === 'string' ? fields : new URLSearchParams(fields).toString(),
    redirect: 'manual',
    signal: AbortSignal.timeout(30_000),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
}

export function basic({ id, secret }: TestApp): Readonly<Record<string, string>> {
  return { authorization: `Basic ${btoa(`${id}:${secret}`)}` }
}

export function token(url: string, app: TestApp, fields: Readonly<Record<string, string>>): Promise<OAuthReply> {
  return post(url, '/v1/oauth/token', fields, basic(app))
}

export interface Pkce {
  readonly verifier: string
  readonly challenge: string
}

export function pkce(): Pkce {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

export function authorizePath(
  app: TestApp,
  { challenge }: Pkce,
  more: Readonly<Record<string, string | undefined>> = {},
): string {
  const wanted = {
    client_id: app.id,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid tasks:read',
    state: 'state-of-the-app',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...more,
  }
  const given = Object.entries(wanted).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return `/v1/oauth/authorize?${new URLSearchParams(given).toString()}`
}

/** A browser in which the first admin is signed in. */
export async function signedInBrowser(instance: TestInstance): Promise<Browser> {
  const { pathname, search } = new URL(instance.consoleUrl)
  const browser = new Browser(instance.url)
  const page = await browser.get(pathname + search)
  if (page.status !== 303) throw new Error(`not signed in: ${page.status} ${page.text}`)
  return browser
}

/** Goes through the pages until the app is called back; answers what it is called back with. */
export async function agree(browser: Browser, path: string, decision = 'allow', back = redirectUri): Promise<URL> {
  let page: Page = await browser.get(path)
  for (let step = 0; step < 12; step += 1) {
    if (page.location?.startsWith(back) === true) return new URL(page.location)
    if (page.location !== undefined) page = await browser.get(page.location)
    else if (page.text.includes('name="decision"')) page = await browser.submit(page, { decision })
    else break
  }
  throw new Error(`the app was not called back: ${page.status} ${page.location ?? ''} ${page.text.slice(0, 400)}`)
}

/** A code, and what redeems it. */
export async function newCode(browser: Browser, app: TestApp, more: Readonly<Record<string, string>> = {}) {
  const proof = pkce()
  const back = await agree(browser, authorizePath(app, proof, more))
  const code = back.searchParams.get('code')
  if (code === null) throw new Error(`no code: ${back.href}`)
  return {
    code,
    fields: { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: proof.verifier },
  }
}

export function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
}
