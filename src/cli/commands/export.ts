import { Command, Option } from 'commander'
import { Client } from '../client.ts'
import { usage } from '../errors.ts'
import { exportLines, exportRecords, type Format, type Written } from '../export-records.ts'
import type { Io } from '../io.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { recordKinds, type FilterName, type RecordKind } from '../record-columns.ts'
import { parseMoment } from '../values.ts'

interface OutOptions extends ClientOptions {
  readonly out: string
  readonly format: Format
}

// A page may wait for its turn behind others.
const deadlineMs = 60_000

export function exportCommand(io: Io): Command {
  const command = new Command('export').description(
    'Writes what the hub holds into files: charges in FOCUS columns, records of one kind, or everything.',
  )
  command.addCommand(chargesCommand(io)).addCommand(stateCommand(io))
  for (const [name, kind] of Object.entries(recordKinds)) command.addCommand(recordsCommand(name, kind, io))
  return command
}

function withOut(command: Command): Command {
  return withClient(
    command
      .option('--out <file>', 'a file that is not there yet; `-` is the standard output', '-')
      .addOption(new Option('--format <format>', 'of the file').choices(['ndjson', 'csv']).default('ndjson')),
  )
}

interface ChargesOptions extends OutOptions {
  readonly from?: string
  readonly until?: string
}

function chargesCommand(io: Io): Command {
  const command = withOut(new Command('charges'))
    .description(
      'Writes what was used, by hour, and what providers corrected, as charges in the columns of FOCUS 1.3. Columns of our own begin with x_.',
    )
    .option('--from <time>', 'charges from this time on, such as 2026-11-01T00:00:00Z', parseMoment)
    .option('--until <time>', 'charges that begin before it', parseMoment)
    .action(async (options: ChargesOptions) => {
      checkOut(options)
      const { from, until } = options
      const span = { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) }
      const client = new Client(options, io, deadlineMs)
      show(await exportLines('CostService/ExportCharges', { ...span, pageSize: 200 }, options, client, io), options, io)
    })
  return withExamples(
    command,
    'portcullis export charges --from 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z --format csv --out november.csv',
  )
}

function stateCommand(io: Io): Command {
  const command = withClient(new Command('state'))
    .description('Writes all objects of the tenant as JSON lines: each has its kind and its value.')
    .option('--out <file>', 'a file that is not there yet; `-` is the standard output', '-')
    .action(async (options: ClientOptions & { readonly out: string }) => {
      checkOut(options)
      const client = new Client(options, io, deadlineMs)
      const asked = { out: options.out, format: 'ndjson' } as const
      show(await exportLines('HubService/ExportState', {}, asked, client, io), options, io)
    })
  return withExamples(command, 'portcullis export state --out state.ndjson')
}

type RecordOptions = OutOptions & Readonly<Partial<Record<FilterName, string>>>

function recordsCommand(name: string, kind: RecordKind, io: Io): Command {
  const command = withOut(new Command(name)).description(`Writes the ${name} of the tenant, newest first.`)
  const has = (filter: FilterName): boolean => kind.filters[filter] !== undefined
  if (has('workflow')) command.option('--workflow <name>', 'only of this workflow')
  if (has('model')) command.option('--model <name>', 'only of this model')
  if (has('run')) command.option('--run <id>', 'only of this run: run_…')
  if (has('after')) command.option('--after <time>', 'only after it, such as 2026-11-01T00:00:00Z', parseMoment)
  if (has('before')) command.option('--before <time>', 'only before it', parseMoment)
  command.action(async (options: RecordOptions) => {
    checkOut(options)
    const filter = Object.fromEntries(
      Object.entries(kind.filters).flatMap(([option, field]) => {
        const value = options[option as FilterName]
        return value === undefined ? [] : [[field, value]]
      }),
    )
    const client = new Client(options, io, deadlineMs)
    show(await exportRecords(kind, filter, options, client, io), options, io)
  })
  return withExamples(command, `portcullis export ${name} --format csv --out ${name}.csv`)
}

function checkOut({ json, out }: { readonly json?: boolean; readonly out: string }): void {
  if (json === true && out === '-')
    throw usage('--json says what was exported, so the export needs a file.', 'Add --out FILE.')
}

function show({ file, rows }: Written, { json }: ClientOptions, io: Io): void {
  if (json) io.out.write(`${JSON.stringify({ file, rows })}\n`)
  else if (file !== '-') io.out.write(`${rows} rows are in ${file}.\n`)
  else if (rows === 0) io.err.write('There is nothing to export.\n')
}
