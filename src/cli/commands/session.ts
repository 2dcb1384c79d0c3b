import { Command } from 'commander'
import * as z from 'zod'
import { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { printable, relativeTime } from '../print.ts'
import { sessionPage, sessionShape, type Session } from '../replies.ts'
import { findOperatorId } from './operator.ts'

const revokedShape = z.object({ session: sessionShape })

const list: List<Session> = {
  name: 'sessions',
  method: 'IdentityService/ListSessions',
  shape: sessionPage,
  head: ['ID', 'OPERATOR', 'WITH', 'SINCE', 'STATE'],
  cells: (session, nowMs) => [
    session.id,
    session.operatorId,
    session.appId || 'browser',
    relativeTime(session.createdAt, nowMs),
    stateOf(session, nowMs),
  ],
  none: 'There are no sessions.',
}

export function sessionCommand(io: Io): Command {
  return new Command('session')
    .description('Sessions: where people are signed in, in browsers and with apps.')
    .addCommand(listCommand(io))
    .addCommand(revokeCommand(io))
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists the sessions, newest first, until a week after their end.')
    .option('--operator <operator>', 'only those of this operator: its id or its name')
    .action(async (options: ListOptions & { readonly operator?: string }) => {
      const { operator } = options
      const filter =
        operator === undefined ? {} : { operatorId: await findOperatorId(new Client(options, io), operator) }
      await printList(list, filter, options, io)
    })
  return withExamples(command, 'portcullis session list --operator ada')
}

function revokeCommand(io: Io): Command {
  const command = withClient(new Command('revoke'))
    .description('Ends a session and every token that was given under it, everywhere, within a second.')
    .argument('<id>', 'ses_…, as `portcullis session list` shows it')
    .action(async (sessionId: string, options: ClientOptions) => {
      const { session } = await new Client(options, io).call(
        'IdentityService/RevokeSession',
        { sessionId },
        revokedShape,
      )
      if (options.json) io.out.write(`${JSON.stringify(session)}\n`)
      else io.out.write(`Session ${printable(session.id)} has ended.\n`)
    })
  return withExamples(command, 'portcullis session revoke ses_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10')
}

function stateOf({ revokedAt, expiresAt }: Session, nowMs: number): string {
  if (revokedAt !== null) return `ended ${relativeTime(revokedAt, nowMs)}`
  const over = expiresAt !== null && Date.parse(expiresAt) <= nowMs
  return `${over ? 'ended' : 'ends'} ${relativeTime(expiresAt, nowMs)}`
}
