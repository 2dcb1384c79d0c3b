import { Command, InvalidArgumentError, Option } from 'commander'
import * as z from 'zod'
import { findAgentId } from '../agents.ts'
import { findAppId } from '../apps.ts'
import { readBoundedFile } from '../bounded-read.ts'
import { Client } from '../client.ts'
import { checkScopes, parseScopes } from '../grant-values.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { paint, printable, relativeTime } from '../print.ts'
import { appPage, appShape, type App } from '../replies.ts'
import { collect, parseDuration } from '../values.ts'

interface CreateOptions extends ClientOptions {
  readonly scopes: readonly string[]
  readonly agent?: string
  readonly redirectUri?: readonly string[]
  readonly grant?: readonly string[]
  readonly auth?: string
  readonly jwks?: string
  readonly tlsSubject?: string
  readonly dpop?: boolean
  readonly certificateBound?: boolean
}

const jwksBytesMax = 32 * 1024
const overlapSecondsMax = 30 * 86_400
const methods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'none',
]
const grants = ['client_credentials', 'authorization_code', 'refresh_token']

const secretShape = z.object({ app: appShape, clientSecret: z.string().default('') })
const replyShape = z.object({ app: appShape })

const list: List<App> = {
  name: 'apps',
  method: 'IdentityService/ListApps',
  shape: appPage,
  head: ['NAME', 'ID', 'SCOPES', 'GRANTS', 'SECRET', 'STATE'],
  cells: (app, nowMs) => [
    app.name,
    app.id,
    app.scopes.join(','),
    app.grantTypes.join(','),
    secretOf(app, nowMs),
    app.disabledAt === null ? 'active' : `disabled ${relativeTime(app.disabledAt, nowMs)}`,
  ],
  none: 'There are no apps. `portcullis app create NAME --scopes a,b` makes one.',
}

export function appCommand(io: Io): Command {
  return new Command('app')
    .description('OAuth apps: the services and programs that ask for tokens, one client_id for each.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(disableCommand(io))
}

function createCommand(io: Io): Command {
  const command = withClient(new Command('create'))
    .description('Makes an app and shows its secret once.')
    .argument('<name>', 'lower-case letters, digits, dots, dashes and underscores; unique in the tenant')
    .requiredOption('--scopes <a,b>', 'the most that its tokens may allow, separated by commas', parseScopes)
    .option(
      '--agent <agent>',
      'whom its own tokens stand for: the id or the name of an agent (default: the app itself)',
    )
    .addOption(
      new Option('--grant <type>', 'a grant type; repeat it for more (default: client_credentials)')
        .choices(grants)
        .argParser(oneOf(grants)),
    )
    .option('--redirect-uri <uri>', 'where people are sent back, as an exact string; repeat it for more', collect)
    .addOption(new Option('--auth <method>', 'how it shows who it is (default: client_secret_basic)').choices(methods))
    .option('--jwks <file>', 'its public keys as a JWK set, for private_key_jwt and self_signed_tls_client_auth')
    .option('--tls-subject <dn>', 'the subject of its certificate, for tls_client_auth')
    .option('--dpop', 'its tokens are bound to a key that proves itself with each call (RFC 9449)')
    .option('--certificate-bound', 'its tokens are bound to the certificate of its connection (RFC 8705)')
    .action(async (name: string, options: CreateOptions) => {
      const { scopes, redirectUri: redirectUris, grant: grantTypes, auth, dpop: dpopBound, certificateBound } = options
      await checkScopes(scopes)
      const client = new Client(options, io)
      const agentId = options.agent === undefined ? undefined : await findAgentId(client, options.agent)
      const jwksJson = options.jwks === undefined ? undefined : readBoundedFile(options.jwks, jwksBytesMax)
      const authMethod = auth === undefined ? undefined : `CLIENT_AUTH_METHOD_${auth.toUpperCase()}`
      const { tlsSubject: tlsSubjectDn } = options
      const bound = { dpopBound, certificateBound }
      const message = { name, agentId, scopes, redirectUris, grantTypes, authMethod, jwksJson, tlsSubjectDn, ...bound }
      const { app, clientSecret } = await client.call('IdentityService/CreateApp', message, secretShape)
      if (options.json) io.out.write(`${JSON.stringify({ ...app, clientSecret })}\n`)
      else {
        io.out.write(`App ${printable(app.name)} is ${printable(app.id)}: that is its client_id.\n`)
        writeSecret(app, clientSecret, io)
      }
    })
  return withExamples(
    command,
    'portcullis app create reports --scopes telemetry:read --agent reporter',
    'portcullis app create dashboard --scopes telemetry:read --grant authorization_code --redirect-uri https://dash.example/callback',
  )
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description(
      'Lists the apps, newest first, with the age of their secrets; the secrets themselves are stored nowhere.',
    )
    .action((options: ListOptions) => printList(list, {}, options, io))
  return withExamples(command, 'portcullis app list', 'portcullis app list --all --json')
}

function rotateCommand(io: Io): Command {
  const command = withClient(new Command('rotate-secret'))
    .description('Makes a new secret for an app and shows it once.')
    .argument('<app>', 'its id or its name')
    .option(
      '--overlap <how-long>',
      'how long the old secret goes on working: 24h, 45m, 0 ends it at once (default: 0)',
      parseDuration(overlapSecondsMax),
      0,
    )
    .action(async (name: string, options: ClientOptions & { readonly overlap: number }) => {
      const client = new Client(options, io)
      const message = { appId: await findAppId(client, name), overlapSeconds: options.overlap }
      const { app, clientSecret } = await client.call('IdentityService/RotateAppSecret', message, secretShape)
      if (options.json) io.out.write(`${JSON.stringify({ ...app, clientSecret })}\n`)
      else {
        const until = app.oldSecretExpiresAt
        io.out.write(
          until === null
            ? `The old secret of ${printable(app.name)} has ended.\n`
            : `The old secret of ${printable(app.name)} goes on working until ${printable(until)}, ${relativeTime(until, io.now())}.\n`,
        )
        writeSecret(app, clientSecret, io)
      }
    })
  return withExamples(command, 'portcullis app rotate-secret reports --overlap 24h')
}

function disableCommand(io: Io): Command {
  const command = withClient(new Command('disable'))
    .description('Ends the use of an app and of all tokens that it was given, everywhere, within a second.')
    .argument('<app>', 'its id or its name')
    .action(async (name: string, options: ClientOptions) => {
      const client = new Client(options, io)
      const appId = await findAppId(client, name)
      const { app } = await client.call('IdentityService/DisableApp', { appId }, replyShape)
      if (options.json) io.out.write(`${JSON.stringify(app)}\n`)
      else
        io.out.write(
          `App ${printable(app.name)} is disabled; it gets no tokens, and none of its tokens is accepted any more.\n`,
        )
    })
  return withExamples(command, 'portcullis app disable reports')
}

/** The secret on a line of its own. It is empty where the server repeated the answer to a call that it had done before. */
function writeSecret(app: App, secret: string, io: Io): void {
  if (secret !== '') {
    io.out.write(`${paint(io.out.colours).bold('The secret is shown once; keep it:')}\n${printable(secret)}\n`)
    io.err.write(
      `Next, a token: PORTCULLIS_CLIENT_ID=${printable(app.id)} PORTCULLIS_CLIENT_SECRET=… portcullis token get\n`,
    )
  } else if (app.secretCreatedAt !== null) {
    io.out.write('The secret was made, but its text was lost with the connection. Rotate it to get another.\n')
  }
}

function secretOf({ secretCreatedAt, secretIsOld, oldSecretExpiresAt }: App, nowMs: number): string {
  if (secretCreatedAt === null) return '-'
  const age = `${relativeTime(secretCreatedAt, nowMs)}${secretIsOld ? ', rotate it' : ''}`
  return oldSecretExpiresAt === null ? age : `${age}; the old one ends ${relativeTime(oldSecretExpiresAt, nowMs)}`
}

function oneOf(choices: readonly string[]): (text: string, earlier?: readonly string[]) => readonly string[] {
  return (text, earlier = []) => {
    if (choices.includes(text)) return [...earlier, text]
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`)
  }
}
