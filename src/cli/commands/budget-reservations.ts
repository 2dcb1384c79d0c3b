import { Command, Option } from 'commander'
import * as z from 'zod'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { showDollars } from '../money.ts'
import { withExamples, withList, type ListOptions } from '../options.ts'

const text = z.string().default('')
const amount = z.string().default('0')
const reservationShape = z.object({
  id: z.string(),
  runId: text,
  agentId: text,
  provider: text,
  model: text,
  state: text,
  heldNanoUsd: amount,
  heldTokens: amount,
  settledNanoUsd: amount,
  settledTokens: amount,
  createdAt: text,
  expiresAt: text,
  late: z.boolean().default(false),
  killed: z.boolean().default(false),
})

const list: List<z.output<typeof reservationShape>> = {
  name: 'reservations',
  method: 'BudgetService/ListReservations',
  shape: z
    .object({ reservations: z.array(reservationShape).default([]), nextPageToken: text })
    .transform(({ reservations, nextPageToken }) => ({ rows: reservations, nextPageToken })),
  head: ['ID', 'STATE', 'MODEL', 'AGENT', 'HELD', 'SETTLED', 'EXPIRES'],
  cells: (one) => [
    one.id,
    [one.state.replace('RESERVATION_STATE_', '').toLowerCase(), one.late ? 'late' : '', one.killed ? 'killed' : '']
      .filter((part) => part !== '')
      .join(', '),
    one.model,
    one.agentId === '' ? '-' : one.agentId,
    `${showDollars(one.heldNanoUsd)}, ${one.heldTokens} tokens`,
    `${showDollars(one.settledNanoUsd)}, ${one.settledTokens} tokens`,
    one.expiresAt,
  ],
  none: 'There are no reservations.',
}

interface ReservationOptions extends ListOptions {
  readonly state?: string
  readonly run?: string
  readonly agent?: string
}

export function reservationsCommand(io: Io): Command {
  const command = withList(new Command('reservations'))
    .description('Lists reservations, newest first. Needs admin:read.')
    .addOption(new Option('--state <state>', 'only those').choices(['held', 'settled', 'released', 'expired']))
    .option('--run <id>', 'of this run')
    .option('--agent <id>', 'of this agent')
    .action(({ state, run, agent, ...options }: ReservationOptions) => {
      const filter = {
        ...(state === undefined ? {} : { state: `RESERVATION_STATE_${state.toUpperCase()}` }),
        ...(run === undefined ? {} : { runId: run }),
        ...(agent === undefined ? {} : { agentId: agent }),
      }
      return printList(list, filter, options, io)
    })
  return withExamples(command, 'portcullis budget reservations --state held')
}
