import { Command, Option } from 'commander'
import * as z from 'zod'
import { findAgentId } from '../agents.ts'
import { readBoundedFile } from '../bounded-read.ts'
import { Client } from '../client.ts'
import { usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { paint, printable, relativeTime } from '../print.ts'
import { signingKeyPage, signingKeyShape, type SigningKey } from '../replies.ts'

interface CreateOptions extends ClientOptions {
  readonly agent?: string
  readonly algorithm: keyof typeof algorithms
  readonly publicKey?: string
}

const algorithms = { ed25519: 'SIGNATURE_ALGORITHM_ED25519', 'hmac-sha256': 'SIGNATURE_ALGORITHM_HMAC_SHA256' } as const
const pemBytesMax = 2000

const createdShape = z.object({ signingKey: signingKeyShape, secret: z.string().default('') })
const revokedShape = z.object({ signingKey: signingKeyShape })

const list: List<SigningKey> = {
  name: 'signing keys',
  method: 'IdentityService/ListSigningKeys',
  shape: signingKeyPage,
  head: ['ID', 'AGENT', 'ALGORITHM', 'CREATED', 'STATE'],
  cells: (key, nowMs) => [
    key.id,
    key.agentId || '(operator)',
    nameOf(key),
    relativeTime(key.createdAt, nowMs),
    key.revokedAt === null ? 'active' : `revoked ${relativeTime(key.revokedAt, nowMs)}`,
  ],
  none: 'There are no signing keys.',
}

export function signingKeyCommand(io: Io): Command {
  return new Command('signing-key')
    .description('Keys that sign requests (RFC 9421), beside the API key of the caller.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(revokeCommand(io))
}

function createCommand(io: Io): Command {
  const command = withClient(new Command('create'))
    .description('Registers a public key, or makes an HMAC secret and shows it once.')
    .option('--agent <agent>', 'its id or its name (default: the operator who calls)')
    .addOption(new Option('--algorithm <name>', 'how it signs').choices(Object.keys(algorithms)).default('ed25519'))
    .option('--public-key <file>', 'the public key in PEM, for ed25519')
    .action(async (options: CreateOptions) => {
      const { agent, algorithm, publicKey } = options
      if ((publicKey === undefined) === (algorithm === 'ed25519'))
        throw usage(
          '--public-key goes with ed25519, and with nothing else.',
          'Make a pair with `openssl genpkey -algorithm ed25519 -out key.pem`, and name the file that `openssl pkey -in key.pem -pubout` prints.',
        )
      const client = new Client(options, io)
      const message = {
        agentId: agent === undefined ? undefined : await findAgentId(client, agent),
        algorithm: algorithms[algorithm],
        publicKeyPem: publicKey === undefined ? undefined : readBoundedFile(publicKey, pemBytesMax),
      }
      const { signingKey, secret } = await client.call('IdentityService/CreateSigningKey', message, createdShape)
      if (options.json) io.out.write(`${JSON.stringify({ ...signingKey, secret })}\n`)
      else io.out.write(createdText(signingKey, secret, io))
    })
  return withExamples(
    command,
    'portcullis signing-key create --agent researcher --public-key researcher.pub.pem',
    'portcullis signing-key create --agent researcher --algorithm hmac-sha256 --json',
  )
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists the signing keys, newest first.')
    .option('--agent <agent>', 'only the keys of this agent: its id or its name')
    .action(async (options: ListOptions & { readonly agent?: string }) => {
      const { agent } = options
      const filter = agent === undefined ? {} : { agentId: await findAgentId(new Client(options, io), agent) }
      await printList(list, filter, options, io)
    })
  return withExamples(command, 'portcullis signing-key list --agent researcher')
}

function revokeCommand(io: Io): Command {
  const command = withClient(new Command('revoke'))
    .description('Ends the use of a signing key, everywhere, within a second.')
    .argument('<id>', 'sgk_…, as `portcullis signing-key list` shows it')
    .action(async (signingKeyId: string, options: ClientOptions) => {
      const method = 'IdentityService/RevokeSigningKey'
      const { signingKey } = await new Client(options, io).call(method, { signingKeyId }, revokedShape)
      if (options.json) io.out.write(`${JSON.stringify(signingKey)}\n`)
      else io.out.write(`Signing key ${printable(signingKey.id)} is revoked.\n`)
    })
  return withExamples(command, 'portcullis signing-key revoke sgk_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10')
}

function createdText(key: SigningKey, secret: string, io: Io): string {
  const made = `Signing key ${printable(key.id)} (${nameOf(key)}) is registered: it is the keyid of its signatures.\n`
  if (nameOf(key) === 'ed25519') return made
  if (secret === '') return `${made}Its secret was lost with the connection. Revoke it and make another.\n`
  return `${made}${paint(io.out.colours).bold('The secret is shown once; keep it:')}\n${printable(secret)}\n`
}

function nameOf({ algorithm }: SigningKey): string {
  return algorithm === algorithms['hmac-sha256'] ? 'hmac-sha256' : 'ed25519'
}
