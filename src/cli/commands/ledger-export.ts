import { Command, Option } from 'commander'
import { Client } from '../client.ts'
import { withEntryFilters, filtersOf, type EntryFilters } from '../entry-filters.ts'
import { usage } from '../errors.ts'
import { exportBundle, type BundleDone } from '../export-bundle.ts'
import { exportFile, type FileDone } from '../export-file.ts'
import { ExportPages } from '../export-pages.ts'
import type { Io } from '../io.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { integerBetween } from '../values.ts'

interface ExportOptions extends ClientOptions, EntryFilters {
  readonly log?: string
  readonly allLogs?: boolean
  readonly from?: number
  readonly to?: number
  readonly out?: string
  readonly format?: 'ndjson' | 'csv' | 'json'
}

// An entry takes part in an exchange of a million entries: replies are large.
const deadlineMs = 60_000
const seq = integerBetween(0, Number.MAX_SAFE_INTEGER)

export function exportCommand(io: Io): Command {
  const command = withEntryFilters(withClient(new Command('export')))
    .description(
      'Writes logs into a folder that verifies offline: files of entries, and a manifest with the newest checkpoint. An export that was torn goes on where it stopped. Without a folder, one file: a whole log as NDJSON with a manifest beside it, or a view for reading, as CSV or JSON or with filters; a view does not verify.',
    )
    .argument('[folder]', 'a folder that is empty or not there yet, or that of a torn export')
    .option('--log <name>', 'the log; `system` needs the scope tenants:write (default: that of your tenant)')
    .option('--all-logs', 'every log that this key may read')
    .option('--from <seq>', 'the first entry', seq)
    .option('--to <seq>', 'the last entry', seq)
    .option('--out <file>', 'one file instead of a folder; `-` is the standard output, without a manifest (default)')
    .addOption(new Option('--format <format>', 'of one file').choices(['ndjson', 'csv', 'json']))
    .action(async (folder: string | undefined, options: ExportOptions) => {
      checkOptions(folder, options)
      const client = new Client(options, io, deadlineMs)
      const pages = new ExportPages(client, io)
      const { log, allLogs, from, to, out = '-', format = 'ndjson' } = options
      if (folder !== undefined) {
        showBundle(await exportBundle(folder, { log, allLogs, from, to }, pages, io), options, io)
        return
      }
      const filters = filtersOf(options)
      showFile(await exportFile({ log, out, format, filters }, pages, client, io), options, io)
    })
  return withExamples(
    command,
    'portcullis ledger export ./ledger-2026-11 --all-logs',
    'portcullis ledger export --out main.ndjson',
    'portcullis ledger export --format csv --outcome deny --after 2026-11-01T00:00:00Z --out denials.csv',
  )
}

function checkOptions(folder: string | undefined, options: ExportOptions): void {
  const { allLogs, format, from, log, out, to } = options
  const filtered = Object.values(filtersOf(options)).some((value) => value !== undefined)
  if (allLogs === true && log !== undefined)
    throw usage('--all-logs and --log exclude each other.', 'Leave one of them out.')
  if (folder !== undefined && (out !== undefined || filtered || (format !== undefined && format !== 'ndjson'))) {
    throw usage(
      'A folder holds whole logs.',
      'Leave out the folder for --out, --format and filters: they make one file.',
    )
  }
  if (folder === undefined && (allLogs === true || from !== undefined || to !== undefined)) {
    throw usage('--all-logs, --from and --to need a folder.', 'Name one: portcullis ledger export DIR')
  }
  if (options.json === true && folder === undefined && (out === undefined || out === '-'))
    throw usage('--json says what was exported, so the export needs a file.', 'Add --out FILE, or name a folder.')
}

function showBundle({ dir, entries, logs }: BundleDone, { json }: ExportOptions, io: Io): void {
  if (json === true) {
    io.out.write(`${JSON.stringify({ folder: dir, entries, logs })}\n`)
    return
  }
  const names = logs.map(({ log, from, to }) => (to < from ? `${log} (empty)` : `${log} (${from} to ${to})`)).join(', ')
  io.out.write(
    `${entries} entries are in ${dir}: ${names}.\nVerify them with: portcullis ledger verify --offline ${dir}\n`,
  )
}

function showFile({ file, log, entries, manifest }: FileDone, { json }: ExportOptions, io: Io): void {
  if (file === '-') return
  if (json === true)
    io.out.write(`${JSON.stringify({ file, log, entries, ...(manifest === undefined ? {} : { manifest }) })}\n`)
  else io.out.write(`${entries} entries of the log ${log} are in ${file}.\n`)
}
