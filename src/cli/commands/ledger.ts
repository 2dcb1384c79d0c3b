import { Command, Option } from 'commander'
import { Client } from '../client.ts'
import { entryLine } from '../entry-line.ts'
import type { Io } from '../io.ts'
import { Tail } from '../ledger-tail.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { paint } from '../print.ts'
import { integerBetween } from '../values.ts'
import { exportCommand } from './ledger-export.ts'
import { verifyCommand } from './ledger-verify.ts'
import type { Entry } from '../replies.ts'

interface TailOptions extends ClientOptions {
  readonly log?: string
  readonly limit: number
  readonly follow?: boolean
  readonly caller?: string
  readonly action?: string
  readonly outcome?: string
  readonly code?: string
  readonly requestId?: string
}

export function ledgerCommand(io: Io): Command {
  return new Command('ledger')
    .description('The ledger: the record of every decision.')
    .addCommand(tailCommand(io))
    .addCommand(verifyCommand(io))
    .addCommand(exportCommand(io))
}

function tailCommand(io: Io): Command {
  const command = withClient(new Command('tail'))
    .description(
      'Prints the newest entries of a log, oldest first: time (UTC), outcome, code, method, caller and reason. With --follow --json one document per line.',
    )
    .option('--log <name>', 'the log; `system` needs the scope tenants:write (default: that of your tenant)')
    .option('--limit <n>', 'how many entries', integerBetween(1, 1000), 20)
    .option('--follow', 'go on with new entries as they come; leaves out the entries that it causes itself')
    .option('--caller <id>', 'only the entries of this caller')
    .option('--action <name>', 'only the entries of this method or kind of event')
    .addOption(
      new Option('--outcome <outcome>', 'only the entries with this outcome').choices(['allow', 'deny', 'error']),
    )
    .option('--code <code>', 'only the entries with this refusal code')
    .option('--request-id <id>', 'only the entries of this request')
    .action(async (options: TailOptions) => {
      const { log, limit, caller, action, outcome, code, requestId } = options
      const tail = new Tail(new Client(options, io), { log, caller, action, outcome, code, requestId })
      const entries = await tail.newest(limit)
      if (options.json && !options.follow) {
        io.out.write(`${JSON.stringify({ entries })}\n`)
        return
      }
      print(entries, options, io)
      if (options.follow) await tail.follow((more) => print(more, options, io), io)
      else if (entries.length === 0) io.err.write('There are no such entries.\n')
    })
  return withExamples(
    command,
    'portcullis ledger tail --limit 50',
    'portcullis ledger tail --follow --outcome deny',
    'portcullis ledger tail --log system --json',
  )
}

function print(entries: readonly Entry[], { json }: TailOptions, io: Io): void {
  const colours = paint(io.out.colours)
  for (const entry of entries) io.out.write(json ? `${JSON.stringify(entry)}\n` : entryLine(entry, colours))
}
