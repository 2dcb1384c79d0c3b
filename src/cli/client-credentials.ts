import * as z from 'zod'
import { isLoopback, Secret } from '#core'
import { readBoundedFile } from './bounded-read.ts'
import { CliError, usage } from './errors.ts'
import type { Io } from './io.ts'
import { findAuthorizationServer, request } from './oauth-client.ts'

export interface AppCredentials {
  readonly clientId: string
  readonly secret: Secret
  /** Where the secret goes: in a header, or among the fields (RFC 6749, section 2.3.1). */
  readonly method: 'basic' | 'post'
}

export interface IssuedToken {
  readonly accessToken: string
  readonly tokenType: string
  readonly expiresIn: number
  readonly scope: string
}

interface Given {
  readonly client?: string
  readonly secretFile?: string
  readonly auth?: 'basic' | 'post'
}

const secretFileBytesMax = 4096
const visible = /^[\x21-\x7e]{1,1000}$/

const tokenShape = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]{1,16384}$/),
  token_type: z.string(),
  expires_in: z.number(),
  scope: z.string().default(''),
})
const errorShape = z.object({ error: z.string(), error_description: z.string().optional() })

/** The id of an option or a variable; the secret of a file or a variable, and never of an option: arguments are seen by everybody. */
export function findCredentials({ client, secretFile, auth = 'basic' }: Given, io: Io): AppCredentials {
  const clientId = client ?? io.env['PORTCULLIS_CLIENT_ID'] ?? ''
  if (!visible.test(clientId))
    throw usage(
      'No client is named.',
      'Name the app with --client or PORTCULLIS_CLIENT_ID: `portcullis app list` shows the ids.',
    )
  const text =
    secretFile === undefined ? io.env['PORTCULLIS_CLIENT_SECRET'] : readBoundedFile(secretFile, secretFileBytesMax)
  const source = secretFile === undefined ? 'PORTCULLIS_CLIENT_SECRET' : `The file ${secretFile}`
  if (text === undefined || text.trim() === '')
    throw usage(
      'There is no secret.',
      'Set PORTCULLIS_CLIENT_SECRET, or name a file that holds the secret with --secret-file.',
    )
  if (!visible.test(text.trim()))
    throw usage(
      `${source} holds no secret.`,
      'A secret is one word, such as pcs_…, without spaces or line breaks inside.',
    )
  return { clientId, secret: new Secret(text.trim()), method: auth }
}

/** A token of the app's own, by client credentials. */
export async function clientCredentialsToken(
  url: string,
  { clientId, secret, method }: AppCredentials,
  scopes: readonly string[] | undefined,
  io: Io,
): Promise<IssuedToken> {
  const { host, hostname, protocol } = new URL(url)
  if (protocol === 'http:' && !isLoopback(hostname))
    io.err.write(`warning: the secret goes to ${host} unencrypted; use https there.\n`)
  const server = await findAuthorizationServer(url)
  const fields = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
    ...(method === 'post' ? { client_id: clientId, client_secret: secret.reveal() } : {}),
  })
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret.reveal())}`
  const { status, body } = await request(url, server.token, {
    method: 'POST',
    body: fields.toString(),
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(method === 'basic' ? { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } : {}),
    },
  })
  const found = tokenShape.safeParse(body)
  if (status !== 200 || !found.success) throw notGiven(url, status, body)
  const { access_token: accessToken, token_type: tokenType, expires_in: expiresIn, scope } = found.data
  return { accessToken, tokenType, expiresIn, scope }
}

const advice: Readonly<Record<string, string>> = {
  invalid_client:
    'Check the client id and the secret; `portcullis app list` shows whether the app is disabled, `app rotate-secret` makes a new secret.',
  unauthorized_client: 'The app may not ask for tokens of its own: make one with the grant client_credentials.',
  invalid_scope: 'Ask for scopes that the app has: `portcullis app list` shows them.',
  invalid_dpop_proof: 'The tokens of this app are bound to a key: a library for DPoP (RFC 9449) asks for them.',
}

function notGiven(url: string, status: number, body: unknown): CliError {
  const parsed = errorShape.safeParse(body)
  if (!parsed.success) {
    return new CliError('unavailable', 'cli.no_token', `${url} gave no token (status ${status}).`, {
      todo: 'Retry later; an administrator sees the cause in the log of the server.',
    })
  }
  const { error, error_description: why } = parsed.data
  return new CliError('refused', error, `${url} gave no token: ${why ?? error}.`, { todo: advice[error] })
}
