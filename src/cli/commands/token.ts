import { Command, Option } from 'commander'
import { clientCredentialsToken, findCredentials } from '../client-credentials.ts'
import { parseScopes } from '../grant-values.ts'
import type { Io } from '../io.ts'
import { withExamples, withJson, withUrl, type JsonOption } from '../options.ts'
import { printable } from '../print.ts'
import { findTarget } from '../target.ts'

interface GetOptions extends JsonOption {
  readonly url?: string
  readonly client?: string
  readonly secretFile?: string
  readonly auth?: 'basic' | 'post'
  readonly scope?: readonly string[]
}

export function tokenCommand(io: Io): Command {
  return new Command('token').description('Access tokens for scripts.').addCommand(getCommand(io))
}

function getCommand(io: Io): Command {
  const command = withJson(withUrl(new Command('get')))
    .description('Prints a token of an app, by client credentials, and nothing else.')
    .option('--client <id>', 'the app (default: PORTCULLIS_CLIENT_ID)')
    .option('--secret-file <file>', 'a file that holds its secret (default: PORTCULLIS_CLIENT_SECRET)')
    .option('--scope <a,b>', 'no more than these, separated by commas (default: all that the app has)', parseScopes)
    .addOption(new Option('--auth <how>', 'how the secret is sent (default: basic)').choices(['basic', 'post']))
    .action(async (options: GetOptions) => {
      // An API key has no part in this.
      const { PORTCULLIS_KEY: _, ...env } = io.env
      const { url } = findTarget(options.url === undefined ? {} : { url: options.url }, { ...io, env })
      const token = await clientCredentialsToken(url, findCredentials(options, io), options.scope, io)
      if (!options.json) return io.out.write(`${printable(token.accessToken)}\n`)
      const expiresAt = new Date(io.now() + token.expiresIn * 1000).toISOString()
      const { accessToken, tokenType, expiresIn, scope } = token
      return io.out.write(`${JSON.stringify({ accessToken, tokenType, expiresIn, expiresAt, scope })}\n`)
    })
  return withExamples(
    command,
    'portcullis token get --client app_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10 --secret-file reports.secret',
    'curl -H "authorization: Bearer $(portcullis token get --scope telemetry:read)" …',
  )
}
