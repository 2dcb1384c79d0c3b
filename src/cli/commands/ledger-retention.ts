import { Command } from 'commander'
import { usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples, withJson, withDir, type JsonOption } from '../options.ts'
import { printable } from '../print.ts'
import type { PrunedClass, RetentionPlace, RetentionView } from '../retention-room.ts'
import { withServer } from '../start-errors.ts'
import { integerBetween } from '../values.ts'

export interface PlaceOptions extends JsonOption {
  readonly dir: string
  readonly config?: string
  readonly by?: string
}

interface PruneOptions extends PlaceOptions {
  readonly archive?: string
  readonly dryRun?: boolean
  readonly wait: number
  readonly withoutSink: readonly string[]
}

/** What every command of retention takes: it works on the database, as the maintenance role. */
export function withPlace(command: Command): Command {
  const placed = withDir(command)
    .option(
      '--config <file>',
      'the settings file of a production instance, with database.maintenance, instead of --dir',
    )
    .option('--by <name>', 'who does it, as the ledger records it (default: OPS_OPERATOR, or the user of this process)')
  return withJson(placed)
}

export function placeOf({ config, dir, by }: PlaceOptions, io: Io): RetentionPlace {
  return { configFile: config, dir, env: io.env, by: by ?? io.env['OPS_OPERATOR'] }
}

/** How the server room is to explain a failure: by the settings that were read. */
export function settingsOf({ config }: PlaceOptions) {
  return config === undefined ? ({ mode: 'up' } as const) : ({ mode: 'serve', file: config } as const)
}

export function pruneCommand(io: Io): Command {
  const command = withPlace(new Command('prune'))
    .summary('Archives and drops entries whose months are expired.')
    .description(
      'Takes whole months out of the database once audit.retention lets them go and no legal hold keeps them: writes an archive, reads it back and verifies it, records that in the logs, waits until a published checkpoint covers the record, and drops the months. The server runs meanwhile, for it signs the checkpoints. Interrupted, it is run again as it was.',
    )
    .option('--archive <folder>', 'where the archive goes; keep it for as long as the policy says')
    .option('--dry-run', 'say what would go and why the rest stays, and do nothing')
    .option('--wait <seconds>', 'how long to wait for checkpoints', integerBetween(1, 86_400), 120)
    .option(
      '--without-sink <name...>',
      'sinks that are not used any more and may lose what they have not taken; recorded',
      [],
    )
    .action(async (options: PruneOptions) => {
      const { archive, dryRun = false, json, wait, withoutSink: withoutSinks } = options
      if (archive === undefined && !dryRun) {
        throw usage('A prune needs a folder for the archive.', 'Add --archive DIR, or look first with --dry-run.')
      }
      const classes = await withServer(io, settingsOf(options), (server) =>
        server.pruneLedger(placeOf(options, io), {
          archive: dryRun ? undefined : archive,
          waitMs: wait * 1000,
          withoutSinks,
          say: (line) => {
            if (!json) io.err.write(`${line}\n`)
          },
        }),
      )
      if (json) io.out.write(`${JSON.stringify({ dryRun, classes })}\n`)
      else io.out.write(pruneText(classes, dryRun))
    })
  return withExamples(
    command,
    'portcullis ledger prune --config portcullis.yaml --dry-run',
    'portcullis ledger prune --config portcullis.yaml --archive /srv/archive',
  )
}

export function retentionCommand(io: Io): Command {
  const list = withPlace(new Command('list'))
    .description(
      'Lists each log with its retention class and policy, the months that there are, and the holds in force.',
    )
    .action(async (options: PlaceOptions) => {
      const view = await withServer(io, settingsOf(options), (server) => server.listRetention(placeOf(options, io)))
      io.out.write(options.json ? `${JSON.stringify(view)}\n` : viewText(view))
    })
  const set = withPlace(new Command('set'))
    .description(
      'Puts a tenant into a retention class (default, hipaa, pci, soc2, custom). Its entries go to a log of that class from now on; what was written before stays under the class it was written in.',
    )
    .argument('<tenant>', 'the name of the tenant')
    .argument('<class>', 'default, hipaa, pci, soc2 or custom')
    .action(async (tenant: string, retentionClass: string, options: PlaceOptions) => {
      const log = await withServer(io, settingsOf(options), (server) =>
        server.setRetentionClass(placeOf(options, io), tenant, retentionClass),
      )
      if (options.json) io.out.write(`${JSON.stringify({ tenant, class: retentionClass, log })}\n`)
      else io.out.write(`The entries of ${printable(tenant)} go to the log ${printable(log)} from now on.\n`)
    })
  return new Command('retention')
    .description('How long logs are kept, and under which framework.')
    .addCommand(withExamples(list, 'portcullis ledger retention list --config portcullis.yaml'))
    .addCommand(withExamples(set, 'portcullis ledger retention set clinic hipaa --config portcullis.yaml'))
}

function pruneText(classes: readonly PrunedClass[], dryRun: boolean): string {
  const lines = classes.flatMap(({ retentionClass, months, logs, keepArchiveUntil }) => [
    `class ${retentionClass}`,
    ...months.map(({ name, stays, why }) => `  ${name}  ${gone(stays, dryRun)}: ${printable(why)}`),
    ...logs.map(
      ({ log, from, below }) => `  log ${printable(log)}: entries ${from} to ${below - 1}; it begins at ${below} then`,
    ),
    ...(keepArchiveUntil === undefined ? [] : [`  keep the archive until ${keepArchiveUntil}`]),
  ])
  return lines.length === 0 ? 'There are no months.\n' : `${lines.join('\n')}\n`
}

function gone(stays: string | undefined, dryRun: boolean): string {
  if (stays !== undefined) return 'stays'
  return dryRun ? 'would go' : 'is gone'
}

function viewText({ logs, months, holds }: RetentionView): string {
  const inForce = holds.filter(({ releasedAt }) => releasedAt === undefined)
  const lines = [
    ...logs.map(({ log, class: name, entries, begins_at: begin, policy, goes_on_in: next }) => {
      const kept = policy === null ? 'kept for good' : `${policy.keepDays} days, ${policy.hotDays} in the database`
      const moved = next === undefined ? '' : `; goes on in ${printable(next)}`
      return `log ${printable(log)}  class ${name}  ${entries} entries from ${begin}  ${kept}${moved}`
    }),
    ...months.map(({ name, month, bytes }) => `month ${month}  ${name}  ${Math.ceil(bytes / 1024)} KiB`),
    ...inForce.map(({ id, subject, reason }) => `hold ${id}  ${printable(subject)}: ${printable(reason)}`),
  ]
  return `${lines.join('\n')}\n`
}
