import { Command, Option } from 'commander'
import * as z from 'zod'
import { Client } from '../client.ts'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { readPages } from '../pages.ts'
import { printable, relativeTime } from '../print.ts'
import { operatorPage, operatorShape, type Operator } from '../replies.ts'
import { operatorPasswordCommand } from './operator-password.ts'

interface CreateOptions extends ClientOptions {
  readonly role: string
  readonly upstreamSubject?: string
}

const createdShape = z.object({ operator: operatorShape, signInUrl: z.string().default('') })
const disabledShape = z.object({ operator: operatorShape })

const list: List<Operator> = {
  name: 'operators',
  method: 'IdentityService/ListOperators',
  shape: operatorPage,
  head: ['NAME', 'ID', 'ROLE', 'SIGNS IN WITH', 'CREATED', 'STATE'],
  cells: (operator, nowMs) => [
    operator.name,
    operator.id,
    roleOf(operator),
    operator.upstreamSubject === '' ? (operator.hasPassword ? 'password' : 'nothing yet') : 'issuer',
    relativeTime(operator.createdAt, nowMs),
    operator.disabledAt === null ? 'active' : `disabled ${relativeTime(operator.disabledAt, nowMs)}`,
  ],
  none: 'There are no operators.',
}

export function operatorCommand(io: Io): Command {
  return new Command('operator')
    .description('Operators: the people who run a tenant.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(operatorPasswordCommand(io))
    .addCommand(disableCommand(io))
}

function createCommand(io: Io): Command {
  const command = withClient(new Command('create'))
    .description('Makes an operator, and shows once the link under which the person chooses a password.')
    .argument('<name>', 'lower-case letters, digits, dots, dashes and underscores; unique in the tenant')
    .addOption(
      new Option('--role <role>', 'viewer reads, operator runs the day, admin does all of the tenant')
        .choices(['viewer', 'operator', 'admin'])
        .default('viewer'),
    )
    .option('--upstream-subject <sub>', 'who it is at the issuer where people sign in (`sub`), instead of a password')
    .action(async (name: string, options: CreateOptions) => {
      const { role, upstreamSubject } = options
      const message = { name, role: `OPERATOR_ROLE_${role.toUpperCase()}`, upstreamSubject }
      const reply = await new Client(options, io).call('IdentityService/CreateOperator', message, createdShape)
      const { operator, signInUrl } = reply
      if (options.json) io.out.write(`${JSON.stringify({ ...operator, signInUrl })}\n`)
      else
        io.out.write(
          `Operator ${printable(operator.name)} is ${printable(operator.id)}.\n${linkText(signInUrl, upstreamSubject)}`,
        )
    })
  return withExamples(
    command,
    'portcullis operator create ada --role admin',
    'portcullis operator create grace --role operator --upstream-subject 248289761001',
  )
}

function linkText(link: string, upstreamSubject: string | undefined): string {
  if (upstreamSubject !== undefined) return 'The person signs in at the issuer.\n'
  if (link === '') return 'Its link was lost with the connection. Disable the operator and make another one.\n'
  return `The person chooses a password here, once and within the hour:\n${printable(link)}\n`
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists the operators, newest first.')
    .action((options: ListOptions) => printList(list, {}, options, io))
  return withExamples(command, 'portcullis operator list')
}

function disableCommand(io: Io): Command {
  const command = withClient(new Command('disable'))
    .description('Ends the sessions, tokens and keys of an operator, everywhere, within a second.')
    .argument('<operator>', 'its id or its name')
    .action(async (name: string, options: ClientOptions) => {
      const client = new Client(options, io)
      const operatorId = await findOperatorId(client, name)
      const { operator } = await client.call('IdentityService/DisableOperator', { operatorId }, disabledShape)
      if (options.json) io.out.write(`${JSON.stringify(operator)}\n`)
      else io.out.write(`Operator ${printable(operator.name)} is disabled; sessions, tokens and keys have ended.\n`)
    })
  return withExamples(command, 'portcullis operator disable ada')
}

/** The id of the operator that somebody names by id or by name. */
export async function findOperatorId(client: Client, operator: string): Promise<string> {
  if (/^opr_[0-9a-f-]{36}$/.test(operator)) return operator
  const { rows } = await readPages(client, 'IdentityService/ListOperators', { name: operator }, operatorPage, 1)
  const found = rows[0]
  if (found?.name === operator) return found.id
  throw new CliError('refused', 'object.not_found', `There is no operator ${operator}.`, {
    todo: 'See `portcullis operator list`.',
  })
}

function roleOf({ role }: Operator): string {
  return role.replace(/^OPERATOR_ROLE_/, '').toLowerCase()
}
