import { Command } from 'commander'
import * as z from 'zod'
import { findAgentId } from '../agents.ts'
import { Client } from '../client.ts'
import { usage } from '../errors.ts'
import { checkScopes, parseNetwork, parseScopes } from '../grant-values.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { printable, relativeTime } from '../print.ts'
import { apiKeyShape, keyPage, type ApiKey } from '../replies.ts'
import { onceText } from '../shown-once.ts'
import { integerBetween, parseDuration, parseExpiry } from '../values.ts'

interface CreateOptions extends ClientOptions {
  readonly agent: string
  readonly scopes: readonly string[]
  readonly expires?: string
  readonly cidr?: readonly string[]
  readonly rate?: number
  readonly burst?: number
  readonly requireSignature?: boolean
}

interface RotateOptions extends ClientOptions {
  readonly grace: number
  readonly expires?: string
}

const graceSecondsMax = 30 * 86_400

const createdShape = z.object({ apiKey: apiKeyShape, key: z.string().default('') })
const rotatedShape = z.object({ apiKey: apiKeyShape, key: z.string().default(''), oldKey: apiKeyShape })
const revokedShape = z.object({ apiKey: apiKeyShape })

const list: List<ApiKey> = {
  name: 'keys',
  method: 'IdentityService/ListKeys',
  shape: keyPage,
  head: ['ID', 'AGENT', 'SCOPES', 'CREATED', 'LAST USED', 'STATE'],
  cells: (key, nowMs) => [
    key.id,
    key.agentId || '(operator)',
    key.scopes.join(','),
    relativeTime(key.createdAt, nowMs),
    relativeTime(key.lastUsedAt, nowMs),
    stateOf(key, nowMs),
  ],
  none: 'There are no keys.',
}

export function keyCommand(io: Io): Command {
  return new Command('key')
    .description('API keys: what an agent proves itself with.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(revokeCommand(io))
}

function createCommand(io: Io): Command {
  const command = withClient(new Command('create'))
    .description('Makes a key for an agent and shows it once.')
    .requiredOption('--agent <agent>', 'its id or its name')
    .requiredOption('--scopes <a,b>', 'what the key allows, separated by commas', parseScopes)
    .option('--expires <when>', '30d, 12h, or a time such as 2027-01-31T00:00:00Z (default: never)', (text) =>
      parseExpiry(text, io.now()),
    )
    .option(
      '--cidr <network>',
      'a network it may be used from; repeat it for more (default: every address)',
      parseNetwork,
    )
    .option('--rate <n>', 'calls per second (default: limits.rate.key of the server)', integerBetween(1, 1_000_000))
    .option('--burst <n>', 'calls at once; goes with --rate', integerBetween(1, 10_000_000))
    .option('--require-signature', 'methods of high risk take the key with a signed request only')
    .action(async (options: CreateOptions) => {
      const { scopes, expires: expiresAt, cidr: allowedCidrs, rate: ratePerSecond, burst: rateBurst } = options
      if ((ratePerSecond === undefined) !== (rateBurst === undefined)) {
        throw usage('--rate and --burst go together.', 'Give both, such as --rate 50 --burst 100.')
      }
      await checkScopes(scopes)
      const client = new Client(options, io)
      const agentId = await findAgentId(client, options.agent)
      const { requireSignature } = options
      const message = { agentId, scopes, expiresAt, allowedCidrs, ratePerSecond, rateBurst, requireSignature }
      const { apiKey, key } = await client.call('IdentityService/CreateKey', message, createdShape)
      if (options.json) io.out.write(`${JSON.stringify({ ...apiKey, key })}\n`)
      else io.out.write(createdText(apiKey, key, io))
    })
  return withExamples(
    command,
    'portcullis key create --agent researcher --scopes telemetry:write --expires 30d',
    'portcullis key create --agent researcher --scopes telemetry:read,ledger:read --cidr 10.0.0.0/8 --json',
  )
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists the keys, newest first; the keys themselves are stored nowhere.')
    .option('--agent <agent>', 'only the keys of this agent: its id or its name')
    .action(async (options: ListOptions & { readonly agent?: string }) => {
      const { agent } = options
      const filter = agent === undefined ? {} : { agentId: await findAgentId(new Client(options, io), agent) }
      await printList(list, filter, options, io)
    })
  return withExamples(command, 'portcullis key list --agent researcher')
}

function rotateCommand(io: Io): Command {
  const command = withClient(new Command('rotate'))
    .description('Makes a new key in the place of an old one, with its settings, and shows it once.')
    .argument('<id>', 'key_…, as `portcullis key list` shows it')
    .option(
      '--grace <how-long>',
      'how long the old key goes on working: 24h, 45m, 0 ends it at once (default: 24h)',
      parseDuration(graceSecondsMax),
      86_400,
    )
    .option('--expires <when>', '30d, 12h, or a time (default: as the old key)', (text) => parseExpiry(text, io.now()))
    .action(async (keyId: string, { grace: graceSeconds, expires: expiresAt, ...options }: RotateOptions) => {
      const message = { keyId, graceSeconds, expiresAt }
      const reply = await new Client(options, io).call('IdentityService/RotateKey', message, rotatedShape)
      const { apiKey, key, oldKey } = reply
      if (options.json) io.out.write(`${JSON.stringify({ ...apiKey, key, oldKey })}\n`)
      else io.out.write(`${createdText(apiKey, key, io)}${oldText(oldKey, io)}`)
    })
  return withExamples(command, 'portcullis key rotate key_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10 --grace 24h')
}

function oldText({ id, expiresAt, revokedAt }: ApiKey, io: Io): string {
  if (revokedAt !== null) return `The old key ${printable(id)} has ended.\n`
  const until = expiresAt === null ? '' : ` until ${printable(expiresAt)}, ${relativeTime(expiresAt, io.now())}`
  return `The old key ${printable(id)} goes on working${until}.\n`
}

function revokeCommand(io: Io): Command {
  const command = withClient(new Command('revoke'))
    .description('Ends the use of a key, everywhere, within a second.')
    .argument('<id>', 'key_…, as `portcullis key list` shows it')
    .action(async (keyId: string, options: ClientOptions) => {
      const { apiKey } = await new Client(options, io).call('IdentityService/RevokeKey', { keyId }, revokedShape)
      if (options.json) io.out.write(`${JSON.stringify(apiKey)}\n`)
      else io.out.write(`Key ${printable(apiKey.id)} is revoked.\n`)
    })
  return withExamples(command, 'portcullis key revoke key_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10')
}

function createdText(apiKey: ApiKey, key: string, io: Io): string {
  const { id, scopes, expiresAt } = apiKey
  const end =
    expiresAt === null ? 'never expires' : `expires ${relativeTime(expiresAt, io.now())}, at ${printable(expiresAt)}`
  return `Key ${printable(id)} allows ${printable(scopes.join(', '))} and ${end}.\n${onceText(key, id, io.out.colours)}`
}

function stateOf({ replacedByKeyId, revokedAt, expiresAt }: ApiKey, nowMs: number): string {
  if (replacedByKeyId !== '' && revokedAt === null && expiresAt !== null)
    return `rotated, ${Date.parse(expiresAt) <= nowMs ? 'ended' : 'ends'} ${relativeTime(expiresAt, nowMs)}`
  if (revokedAt !== null) return `revoked ${relativeTime(revokedAt, nowMs)}`
  if (expiresAt === null) return 'active'
  return `${Date.parse(expiresAt) <= nowMs ? 'expired' : 'expires'} ${relativeTime(expiresAt, nowMs)}`
}
