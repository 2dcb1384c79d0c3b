import * as z from 'zod'
import { readBounded } from './bounded-read.ts'
import { CliError } from './errors.ts'
import { unreachable } from './failures.ts'
import type { Io } from './io.ts'
import type { SavedSignIn, SavedSignIns } from './saved-sign-in.ts'

/** Ours at every deployment; see `commandLineId` in src/core/caller.ts. */
export const clientId = 'portcullis-cli'

const deadlineMs = 15_000
const replyBytesMax = 256 * 1024
// A token is renewed before it ends: a call takes time, and clocks differ.
const renewBeforeMs = 60_000

const metadataShape = z.object({
  issuer: z.string(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  revocation_endpoint: z.url(),
})
const tokenShape = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  expires_in: z.number(),
  scope: z.string().default(''),
  token_type: z.string().regex(/^bearer$/i),
})
const errorShape = z.object({ error: z.string(), error_description: z.string().optional() })

export interface AuthorizationServer {
  readonly issuer: string
  readonly authorize: string
  readonly token: string
  readonly revoke: string
}

/** What the server says of its authorization server; it must be this very server (RFC 8414, section 3.3). */
export async function findAuthorizationServer(url: string): Promise<AuthorizationServer> {
  const { status, body } = await request(url, `${url}/.well-known/oauth-authorization-server`, { method: 'GET' })
  const found = metadataShape.safeParse(body)
  if (status !== 200 || !found.success) {
    throw new CliError('unavailable', 'cli.no_authority', `${url} does not sign people in.`, {
      todo: 'Set oauth.issuer of the server, or use an API key (PORTCULLIS_KEY).',
    })
  }
  const { issuer, authorization_endpoint, token_endpoint, revocation_endpoint } = found.data
  if (issuer !== new URL(url).origin) {
    throw new CliError('unavailable', 'cli.other_issuer', `${url} says that it signs people in as another server.`, {
      todo: `Use its own address: --url ${issuer}`,
    })
  }
  const foreign = [authorization_endpoint, token_endpoint, revocation_endpoint].some(
    (one) => new URL(one).origin !== issuer,
  )
  if (foreign) throw new CliError('unavailable', 'cli.other_issuer', `${url} sends to other servers for its tokens.`)
  return { issuer, authorize: authorization_endpoint, token: token_endpoint, revoke: revocation_endpoint }
}

/** Exchanges a code or a refresh token. */
export async function exchange(
  server: AuthorizationServer,
  fields: Readonly<Record<string, string>>,
  io: Pick<Io, 'now'>,
): Promise<SavedSignIn> {
  const { status, body } = await post(server.issuer, server.token, fields)
  const found = tokenShape.safeParse(body)
  if (status !== 200 || !found.success) throw notGiven(server.issuer, status, body)
  const { access_token: accessToken, refresh_token: refreshToken, expires_in, scope } = found.data
  return {
    accessToken,
    refreshToken,
    scope,
    expiresAtMs: io.now() + expires_in * 1000,
    operatorId: subjectOf(accessToken),
  }
}

/** Ends what a refresh token stands for, with all tokens of it. */
export async function revoke(server: AuthorizationServer, refreshToken: string): Promise<void> {
  const { status, body } = await post(server.issuer, server.revoke, {
    token: refreshToken,
    token_type_hint: 'refresh_token',
  })
  if (status !== 200) throw notGiven(server.issuer, status, body)
}

/** The access token of the person who signed in, renewed where it ends soon; undefined where nobody did. */
export async function savedToken(url: string, saved: SavedSignIns, io: Pick<Io, 'now'>): Promise<string | undefined> {
  const fresh = ({ expiresAtMs }: SavedSignIn): boolean => io.now() < expiresAtMs - renewBeforeMs
  const known = saved.find(url)
  if (known === undefined || fresh(known)) return known?.accessToken
  return saved.change(url, async (current) => {
    // Another command was faster, or signed out.
    if (current === undefined || fresh(current)) return { keep: current, result: current?.accessToken }
    const server = await findAuthorizationServer(url)
    const fields = { grant_type: 'refresh_token', refresh_token: current.refreshToken }
    try {
      const keep = await exchange(server, fields, io)
      return { keep, result: keep.accessToken }
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'invalid_grant') throw error
      throw new CliError('refused', 'invalid_grant', `Your sign-in at ${url} has ended.`, {
        todo: 'Sign in again with `portcullis login`.',
        cause: error,
      })
    }
  })
}

function post(issuer: string, url: string, fields: Readonly<Record<string, string>>): ReturnType<typeof request> {
  const body = new URLSearchParams({ client_id: clientId, ...fields }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
  return request(issuer, url, { method: 'POST', body, headers })
}

/** A bounded reply within a deadline; a redirect is refused and not followed. */
export async function request(
  server: string,
  url: string,
  init: RequestInit,
): Promise<{ readonly status: number; readonly body: unknown }> {
  try {
    const reply = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(deadlineMs) })
    const text = reply.body === null ? '' : await readBounded(reply.body, replyBytesMax)
    return { status: reply.status, body: parseJson(text ?? '') }
  } catch (error) {
    throw unreachable(server, error, deadlineMs)
  }
}

function notGiven(url: string, status: number, body: unknown): CliError {
  const parsed = errorShape.safeParse(body)
  const code = parsed.success ? parsed.data.error : 'cli.no_token'
  const why = parsed.success ? (parsed.data.error_description ?? parsed.data.error) : `status ${status}`
  return new CliError('refused', code, `${url} gave no token: ${why}.`, {
    todo: 'Sign in again with `portcullis login`.',
  })
}

/** Who the token says that it is for: shown to its owner, and trusted by nobody. */
function subjectOf(accessToken: string): string {
  const payload = parseJson(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())
  return z.object({ sub: z.string() }).safeParse(payload).data?.sub ?? ''
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
