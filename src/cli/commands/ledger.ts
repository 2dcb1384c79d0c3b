import { Command } from 'commander'
import { Client } from '../client.ts'
import { filtersOf, withEntryFilters, type EntryFilters } from '../entry-filters.ts'
import { entryLine } from '../entry-line.ts'
import type { Io } from '../io.ts'
import { Tail } from '../ledger-tail.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { paint } from '../print.ts'
import { integerBetween } from '../values.ts'
import { exportCommand } from './ledger-export.ts'
import { holdCommand } from './ledger-hold.ts'
import { ledgerKeyCommand } from './ledger-key.ts'
import { pseudonymCommand } from './ledger-pseudonym.ts'
import { pruneCommand, retentionCommand } from './ledger-retention.ts'
import { verifyCommand } from './ledger-verify.ts'
import type { Entry } from '../replies.ts'

interface TailOptions extends ClientOptions, EntryFilters {
  readonly log?: string
  readonly limit: number
  readonly follow?: boolean
}

export function ledgerCommand(io: Io): Command {
  return new Command('ledger')
    .description('The ledger: the record of every decision.')
    .addCommand(tailCommand(io))
    .addCommand(verifyCommand(io))
    .addCommand(exportCommand(io))
    .addCommand(pseudonymCommand(io))
    .addCommand(ledgerKeyCommand(io))
    .addCommand(retentionCommand(io))
    .addCommand(holdCommand(io))
    .addCommand(pruneCommand(io))
}

function tailCommand(io: Io): Command {
  const command = withEntryFilters(withClient(new Command('tail')))
    .description(
      'Prints the newest entries of a log, oldest first: time (UTC), outcome, code, method, caller and reason. With --follow --json one document per line.',
    )
    .option('--log <name>', 'the log; `system` needs the scope tenants:write (default: that of your tenant)')
    .option('--limit <n>', 'how many entries', integerBetween(1, 1000), 20)
    .option('--follow', 'go on with new entries as they come; leaves out the entries that it causes itself')
    .action(async (options: TailOptions) => {
      const { log, limit } = options
      const tail = new Tail(new Client(options, io), { log, ...filtersOf(options) })
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
