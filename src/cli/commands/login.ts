import { createHash, randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { scopes as everyScope, secretsEqual } from '#core'
import { openBrowser } from '../browser.ts'
import { Callback } from '../callback.ts'
import { CliError } from '../errors.ts'
import { checkScopes, parseScopes } from '../grant-values.ts'
import type { Io } from '../io.ts'
import { clientId, exchange, findAuthorizationServer, revoke, type AuthorizationServer } from '../oauth-client.ts'
import { withExamples, withJson, withUrl, type JsonOption } from '../options.ts'
import { printable } from '../print.ts'
import { SavedSignIns, type SavedSignIn } from '../saved-sign-in.ts'
import { findTarget } from '../target.ts'

interface LoginOptions extends JsonOption {
  readonly url?: string
  readonly scope?: readonly string[]
}

const waitMs = 5 * 60_000

export function loginCommands(io: Io): readonly Command[] {
  return [loginCommand(io), logoutCommand(io)]
}

function loginCommand(io: Io): Command {
  const command = withJson(withUrl(new Command('login')))
    .description('Signs you in through a browser; other commands then act for you where no key is given.')
    .option('--scope <a,b>', 'no more than these, separated by commas (default: all that you are allowed)', parseScopes)
    .action(async (options: LoginOptions) => {
      const asked = options.scope ?? [...everyScope.keys()]
      if (options.scope !== undefined) await checkScopes(options.scope)
      const url = serverOf(options, io)
      const saved = new SavedSignIns(io)
      const server = await findAuthorizationServer(url)
      const keep = await signIn(server, asked, io)
      await saved.change(url, async () => ({ keep, result: undefined }))
      const { operatorId, scope, expiresAtMs } = keep
      const told = { url, operatorId, scopes: scope.split(' '), expiresAt: new Date(expiresAtMs).toISOString() }
      if (options.json) io.out.write(`${JSON.stringify(told)}\n`)
      else
        io.out.write(
          `You are signed in at ${printable(url)} as ${printable(operatorId)}.\nAllowed: ${printable(scope)}\n`,
        )
    })
  return withExamples(command, 'portcullis login', 'portcullis login --scope telemetry:read,ledger:read')
}

function logoutCommand(io: Io): Command {
  const command = withJson(withUrl(new Command('logout')))
    .description('Ends what `portcullis login` began, here and at the server.')
    .action(async (options: LoginOptions) => {
      const url = serverOf(options, io)
      const ended = await new SavedSignIns(io).change(url, async (known) => {
        if (known === undefined) return { keep: undefined, result: false }
        // Whatever becomes of the call: here it has ended.
        const result = await findAuthorizationServer(url)
          .then((server) => revoke(server, known.refreshToken))
          .then(
            () => true,
            (error: unknown) => notEnded(url, error),
          )
        return { keep: undefined, result }
      })
      if (ended instanceof CliError) throw ended
      if (options.json) io.out.write(`${JSON.stringify({ url, signedOut: ended })}\n`)
      else
        io.out.write(
          ended ? `You are signed out at ${printable(url)}.\n` : `Nobody was signed in at ${printable(url)}.\n`,
        )
    })
  return withExamples(command, 'portcullis logout')
}

/** Authorization code with PKCE over a listener on this machine (RFC 8252); `state` is compared before anything is exchanged. */
async function signIn(server: AuthorizationServer, scopes: readonly string[], io: Io): Promise<SavedSignIn> {
  const [state, verifier] = [random(), random()]
  const callback = await Callback.open((answer) => secretsEqual(answer.get('state') ?? '', state))
  try {
    const address = new URL(server.authorize)
    address.search = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: callback.redirectUri,
      scope: scopes.join(' '),
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }).toString()
    io.err.write(`Open this in a browser on this machine and sign in:\n${address.href}\n`)
    if (io.err.interactive) openBrowser(address.href)
    const answer = await callback.wait(waitMs)
    if (answer === undefined) {
      throw new CliError('unavailable', 'cli.login_late', 'Nobody signed in within five minutes.', {
        todo: 'Run it again.',
      })
    }
    // From another server than the one that was asked, a code is somebody's trick (RFC 9207).
    if (answer.get('iss') !== server.issuer)
      throw new CliError('refused', 'cli.other_issuer', 'The answer does not come from the server that was asked.')
    const code = answer.get('code')
    if (code === null) throw refused(answer)
    return await exchange(
      server,
      { grant_type: 'authorization_code', code, redirect_uri: callback.redirectUri, code_verifier: verifier },
      io,
    )
  } finally {
    callback.close()
  }
}

function refused(answer: URLSearchParams): CliError {
  const code = answer.get('error') ?? 'cli.no_code'
  const todo = 'Run it again, and allow it in the browser.'
  if (code === 'access_denied') return new CliError('refused', code, 'It was denied in the browser.', { todo })
  return new CliError('refused', code, `Nobody was signed in: ${answer.get('error_description') ?? code}.`, { todo })
}

function notEnded(url: string, cause: unknown): CliError {
  const message = `What was kept here is gone, but ${url} could not be told.`
  const todo = 'Look for the session with `portcullis session list`, and end it with `portcullis session revoke`.'
  return new CliError('unavailable', 'cli.logout_here_only', message, { todo, cause })
}

function serverOf({ url }: LoginOptions, io: Io): string {
  // Whatever key there is: signing in is for where there is none.
  const { PORTCULLIS_KEY: _, ...env } = io.env
  return findTarget(url === undefined ? {} : { url }, { ...io, env }).url
}

function random(): string {
  return randomBytes(32).toString('base64url')
}
