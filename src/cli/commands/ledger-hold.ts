import { Command } from 'commander'
import { usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples } from '../options.ts'
import { printable } from '../print.ts'
import { withServer } from '../start-errors.ts'
import { placeOf, settingsOf, withPlace, type PlaceOptions } from './ledger-retention.ts'

interface PlaceHoldOptions extends PlaceOptions {
  readonly tenant?: string
  readonly log?: string
  readonly reason: string
  readonly until?: string
}

interface ReleaseOptions extends PlaceOptions {
  readonly reason: string
}

export function holdCommand(io: Io): Command {
  return new Command('hold')
    .description('Legal holds: what they keep is not pruned, whatever its age. Each is recorded in the log `system`.')
    .addCommand(placeCommand(io))
    .addCommand(releaseCommand(io))
    .addCommand(listCommand(io))
}

function placeCommand(io: Io): Command {
  const command = withPlace(new Command('place'))
    .description('Keeps the logs of a tenant, or one log, until the hold is released or over.')
    .option('--tenant <name>', 'all logs of this tenant')
    .option('--log <name>', 'this log alone')
    .requiredOption('--reason <text>', 'why, such as the matter it is for')
    .option('--until <time>', 'when it is over, as in 2027-06-30; without it, it ends when it is released')
    .action(async (options: PlaceHoldOptions) => {
      const { tenant, log, reason, json } = options
      if ((tenant === undefined) === (log === undefined)) {
        throw usage('A hold is on a tenant or on a log.', 'Give one of --tenant and --log.')
      }
      const until = timeOf(options.until)
      await withServer(io, settingsOf(options), (server) =>
        server.placeHold(placeOf(options, io), { tenant, log, reason, until }),
      )
      const subject = tenant === undefined ? `the log ${printable(log ?? '')}` : `all logs of ${printable(tenant)}`
      if (json) io.out.write(`${JSON.stringify({ tenant, log, reason, until })}\n`)
      else io.out.write(`Held: ${subject}${until === undefined ? '' : ` until ${until}`}.\n`)
    })
  return withExamples(
    command,
    'portcullis ledger hold place --tenant acme --reason "case 4711" --config portcullis.yaml',
    'portcullis ledger hold place --log acme/hipaa --reason "case 4711" --until 2027-06-30',
  )
}

function releaseCommand(io: Io): Command {
  const command = withPlace(new Command('release'))
    .description('Ends a hold.')
    .argument('<id>', 'the id of the hold, as `ledger hold list` has it')
    .requiredOption('--reason <text>', 'why it ends')
    .action(async (id: string, options: ReleaseOptions) => {
      if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) {
        throw usage('This is not the id of a hold.', '`portcullis ledger hold list` has the ids.')
      }
      await withServer(io, settingsOf(options), (server) =>
        server.releaseHold(placeOf(options, io), id, options.reason),
      )
      io.out.write(options.json ? `${JSON.stringify({ id, released: true })}\n` : `Released ${id}.\n`)
    })
  return withExamples(
    command,
    'portcullis ledger hold release 5b0c1d3e-8a4f-4f5e-9b1a-2f6f0c7d8e90 --reason "case closed"',
  )
}

function listCommand(io: Io): Command {
  const command = withPlace(new Command('list'))
    .description('Lists the holds, those that ended too.')
    .action(async (options: PlaceOptions) => {
      const { holds } = await withServer(io, settingsOf(options), (server) =>
        server.listRetention(placeOf(options, io)),
      )
      if (options.json) {
        io.out.write(`${JSON.stringify({ holds })}\n`)
        return
      }
      if (holds.length === 0) io.err.write('There are no holds.\n')
      for (const { id, subject, reason, placedBy, placedAt, until, releasedAt } of holds) {
        const end = releasedAt === undefined ? (until ?? 'in force') : `released ${releasedAt}`
        io.out.write(`${id}  ${printable(subject)}  ${printable(reason)}  ${printable(placedBy)} ${placedAt}  ${end}\n`)
      }
    })
  return withExamples(command, 'portcullis ledger hold list --json')
}

/** A day is over at its end, UTC. */
function timeOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const time = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T23:59:59Z` : text)
  if (Number.isNaN(time.getTime()) || !/^\d{4}-\d\d-\d\d/.test(text)) {
    throw usage('--until is not a time.', 'Write a day as 2027-06-30, or a time as 2027-06-30T12:00:00Z.')
  }
  return time.toISOString()
}
