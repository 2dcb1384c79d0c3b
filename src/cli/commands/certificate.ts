import { Command } from 'commander'
import * as z from 'zod'
import { findAgentId } from '../agents.ts'
import { readBoundedFile } from '../bounded-read.ts'
import { Client } from '../client.ts'
import { usage } from '../errors.ts'
import { checkScopes, parseScopes } from '../grant-values.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { printable, relativeTime } from '../print.ts'
import { certificatePage, certificateShape, type Certificate } from '../replies.ts'
import { parseExpiry } from '../values.ts'

const pemBytesMax = 16_384

interface BindOptions extends ClientOptions {
  readonly agent: string
  readonly file: string
  readonly scopes: readonly string[]
  readonly expires?: string
}

const replyShape = z.object({ certificate: certificateShape })

const list: List<Certificate> = {
  name: 'certificates',
  method: 'IdentityService/ListCertificates',
  shape: certificatePage,
  head: ['ID', 'AGENT', 'SUBJECT', 'SCOPES', 'CREATED', 'STATE'],
  cells: (certificate, nowMs) => [
    certificate.id,
    certificate.agentId,
    certificate.subjectDn,
    certificate.scopes.join(','),
    relativeTime(certificate.createdAt, nowMs),
    stateOf(certificate, nowMs),
  ],
  none: 'No certificate is bound.',
}

export function certificateCommand(io: Io): Command {
  return new Command('certificate')
    .description('Client certificates: what an agent proves itself with on the listeners for agents.')
    .addCommand(bindCommand(io))
    .addCommand(listCommand(io))
    .addCommand(revokeCommand(io))
}

function bindCommand(io: Io): Command {
  const command = withClient(new Command('bind'))
    .description('Makes a client certificate a credential of an agent.')
    .requiredOption('--agent <agent>', 'its id or its name')
    .requiredOption('--file <file>', 'the certificate in PEM, without its key and its chain')
    .requiredOption('--scopes <a,b>', 'what the certificate allows, separated by commas', parseScopes)
    .option('--expires <when>', '30d, 12h, or a time (default: when the certificate does)', (text) =>
      parseExpiry(text, io.now()),
    )
    .action(async ({ agent, file, scopes, expires: expiresAt, ...options }: BindOptions) => {
      await checkScopes(scopes)
      const certificatePem = readCertificate(file)
      const client = new Client(options, io)
      const agentId = await findAgentId(client, agent)
      const message = { agentId, certificatePem, scopes, expiresAt }
      const { certificate } = await client.call('IdentityService/BindCertificate', message, replyShape)
      if (options.json) io.out.write(`${JSON.stringify(certificate)}\n`)
      else io.out.write(boundText(certificate, io))
    })
  return withExamples(
    command,
    'portcullis certificate bind --agent researcher --file researcher.pem --scopes telemetry:write',
  )
}

/** The key never leaves this machine, also where somebody names the wrong file. */
function readCertificate(file: string): string {
  const text = readBoundedFile(file, pemBytesMax)
  if (/PRIVATE KEY-----/.test(text)) {
    throw usage(`The file ${file} holds a private key.`, 'Name the file with the certificate alone; nothing was sent.')
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw usage(`The file ${file} holds no certificate in PEM.`, 'Convert it with `openssl x509 -in FILE -inform DER`.')
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists the certificates that are bound to agents, newest first.')
    .option('--agent <agent>', 'only those of this agent: its id or its name')
    .action(async (options: ListOptions & { readonly agent?: string }) => {
      const { agent } = options
      const filter = agent === undefined ? {} : { agentId: await findAgentId(new Client(options, io), agent) }
      await printList(list, filter, options, io)
    })
  return withExamples(command, 'portcullis certificate list --agent researcher')
}

function revokeCommand(io: Io): Command {
  const command = withClient(new Command('revoke'))
    .description('Ends the use of a certificate, everywhere, within a second.')
    .argument('<id>', 'crt_…, as `portcullis certificate list` shows it')
    .action(async (certificateId: string, options: ClientOptions) => {
      const client = new Client(options, io)
      const { certificate } = await client.call('IdentityService/RevokeCertificate', { certificateId }, replyShape)
      if (options.json) io.out.write(`${JSON.stringify(certificate)}\n`)
      else io.out.write(`Certificate ${printable(certificate.id)} is revoked.\n`)
    })
  return withExamples(command, 'portcullis certificate revoke crt_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10')
}

function boundText({ id, subjectDn, scopes, expiresAt }: Certificate, io: Io): string {
  const end = expiresAt === null ? '' : ` It expires ${relativeTime(expiresAt, io.now())}, at ${printable(expiresAt)}.`
  const allows = `allows ${printable(scopes.join(', '))}`
  return `Certificate ${printable(id)} of ${printable(subjectDn) || '(no subject)'} ${allows}.${end}\n`
}

function stateOf({ revokedAt, expiresAt }: Certificate, nowMs: number): string {
  if (revokedAt !== null) return `revoked ${relativeTime(revokedAt, nowMs)}`
  if (expiresAt === null) return 'active'
  return `${Date.parse(expiresAt) <= nowMs ? 'expired' : 'expires'} ${relativeTime(expiresAt, nowMs)}`
}
