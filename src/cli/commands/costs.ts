import { Command, InvalidArgumentError, Option } from 'commander'
import * as z from 'zod'
import { readBoundedFile } from '../bounded-read.ts'
import { Client } from '../client.ts'
import { ExitWith } from '../errors.ts'
import { importUsage, type Imported } from '../import-usage.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { showDollars } from '../money.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { paint, printable, relativeTime, table } from '../print.ts'
import { readAdminJson } from '../usage-files/admin-json.ts'
import { readUsageCsv } from '../usage-files/csv-file.ts'
import type { UsageFile } from '../usage-files/lines.ts'

const fileBytesMax = 64 * 1024 * 1024
// A part of a thousand lines is compared in one transaction.
const deadlineMs = 60_000
const shownMax = 20

const text = z.string().default('')
const count = z.string().default('0')

const priceShape = z.object({
  provider: text,
  model: text,
  inputPerMillion: count,
  cachedReadPerMillion: count,
  cacheWritePerMillion: count,
  outputPerMillion: count,
  reasoningPerMillion: count,
  request: count,
  version: text,
  tiered: z.boolean().default(false),
})

const driftShape = z.object({
  day: text,
  provider: text,
  model: text,
  providerKey: text,
  knownNanoUsd: count,
  chargedNanoUsd: count,
  driftNanoUsd: count,
  driftMilli: count,
  alert: z.boolean().default(false),
  importedAt: z.string().nullable().default(null),
})

const prices: List<z.output<typeof priceShape>> = {
  name: 'prices',
  method: 'CostService/ListPrices',
  shape: z
    .object({ prices: z.array(priceShape).default([]), nextPageToken: text })
    .transform(({ prices: rows, nextPageToken }) => ({ rows, nextPageToken })),
  head: ['PROVIDER', 'MODEL', 'INPUT', 'CACHED', 'WRITTEN', 'OUTPUT', 'REASONING', 'CALL', 'TIERED'],
  cells: (price) => [
    price.provider,
    price.model,
    ...[
      price.inputPerMillion,
      price.cachedReadPerMillion,
      price.cacheWritePerMillion,
      price.outputPerMillion,
      price.reasoningPerMillion,
    ].map((each) => (each.startsWith('-') ? '-' : showDollars(each))),
    price.request === '0' ? '-' : showDollars(price.request),
    price.tiered ? 'yes' : '',
  ],
  none: 'No price is known for that. Prices of your own go into the setting costs.prices.',
}

const drift: List<z.output<typeof driftShape>> = {
  name: 'drift',
  method: 'CostService/ListDrift',
  shape: z
    .object({ drift: z.array(driftShape).default([]), nextPageToken: text })
    .transform(({ drift: rows, nextPageToken }) => ({ rows, nextPageToken })),
  head: ['DAY', 'PROVIDER', 'MODEL', 'KEY', 'KNOWN', 'CHARGED', 'DRIFT', 'OF KNOWN', 'ALERT', 'IMPORTED'],
  cells: (row, nowMs) => [
    row.day,
    row.provider,
    row.model,
    row.providerKey || '(all others)',
    showDollars(row.knownNanoUsd),
    showDollars(row.chargedNanoUsd),
    showDollars(row.driftNanoUsd),
    row.knownNanoUsd === '0' ? '-' : `${(Number(row.driftMilli) / 10).toFixed(1)} %`,
    row.alert ? 'ALERT' : '',
    relativeTime(row.importedAt, nowMs),
  ],
  none: 'Nothing was compared. `portcullis costs import` takes the export of a provider.',
}

export function costsCommand(io: Io): Command {
  return new Command('costs')
    .description('What models cost, and how that compares with what providers charged.')
    .addCommand(pricesCommand(io))
    .addCommand(importCommand(io))
    .addCommand(driftCommand(io))
}

function pricesCommand(io: Io): Command {
  const command = withList(new Command('prices'))
    .description('Lists the prices in force: USD for a million tokens of each class, and for a call.')
    .option('--provider <name>', 'only those of this provider')
    .option('--model <text>', 'only models whose name begins so')
    .action(async (options: ListOptions & { readonly provider?: string; readonly model?: string }) => {
      const { provider = '', model = '' } = options
      await printList(prices, { provider, model }, options, io)
    })
  return withExamples(command, 'portcullis costs prices --provider openai --model gpt-5')
}

interface DriftOptions extends ListOptions {
  readonly provider?: string
  readonly from?: string
  readonly until?: string
  readonly alerts?: boolean
}

function driftCommand(io: Io): Command {
  const command = withList(new Command('drift'))
    .description('Lists what providers charged beside what the hub knows, newest day first.')
    .option('--provider <name>', 'only this provider')
    .option('--from <day>', 'from this day on, such as 2026-11-01 (UTC)', parseDay)
    .option('--until <day>', 'up to this day, included', parseDay)
    .option('--alerts', 'only what is past the threshold')
    .action(async (options: DriftOptions) => {
      const { provider = '', from = '', until = '', alerts = false } = options
      await printList(drift, { provider, fromDay: from, untilDay: until, alertsOnly: alerts }, options, io)
    })
  return withExamples(command, 'portcullis costs drift --alerts', 'portcullis costs drift --from 2026-11-01 --json')
}

interface ImportOptions extends ClientOptions {
  readonly source: 'anthropic' | 'openai' | 'csv'
  readonly dryRun?: boolean
}

function importCommand(io: Io): Command {
  const command = withClient(new Command('import'))
    .description(
      'Takes what a provider says was used and charged, and compares it with what the hub knows, by day, model and key. Differences become corrections; what was booked stays as it is. A line that was imported before changes nothing. Ends with 1 where lines could not be compared.',
    )
    .argument('<file>', 'replies of the admin API as JSON (one page, or an array of pages), or a table as CSV')
    .addOption(
      new Option('--source <source>', 'where it comes from')
        .choices(['anthropic', 'openai', 'csv'])
        .makeOptionMandatory(),
    )
    .option('--dry-run', 'only read the file and say what is in it')
    .action(async (path: string, options: ImportOptions) => {
      const content = readBoundedFile(path, fileBytesMax)
      const file = options.source === 'csv' ? readUsageCsv(content) : readAdminJson(content, options.source)
      const done = options.dryRun
        ? onlyRead(file)
        : await importUsage(file, options.source, new Client(options, io, deadlineMs))
      if (options.json) io.out.write(`${JSON.stringify(done)}\n`)
      else show(done, io)
      if (done.flagged.some(({ outcome }) => outcome !== 'unknown_use')) throw new ExitWith(1)
    })
  return withExamples(
    command,
    'portcullis costs import --source anthropic cost-report-2026-11.json',
    'portcullis costs import --source openai costs-2026-11.json',
    'portcullis costs import --source csv --dry-run invoice.csv',
  )
}

function onlyRead({ lines, bad, incomplete }: UsageFile): Imported {
  return {
    importIds: [],
    lines: lines.length + bad.length,
    outcomes: { readable: lines.length, ...(bad.length > 0 ? { invalid: bad.length } : {}) },
    correctionNanoUsd: '0',
    flagged: bad.map(({ at, why }) => ({ at, outcome: 'invalid', detail: why })),
    gaps: [],
    incomplete,
  }
}

function show({ lines, outcomes, correctionNanoUsd, flagged, gaps, incomplete }: Imported, io: Io): void {
  const colours = paint(io.out.colours)
  const told = Object.entries(outcomes).map(([name, number]) => `${number} ${name.replaceAll('_', ' ')}`)
  io.out.write(`${lines} ${lines === 1 ? 'line' : 'lines'}: ${told.join(', ') || 'none'}.\n`)
  io.out.write(`Corrections: ${showDollars(correctionNanoUsd)}.\n`)
  const some = <Item>(all: readonly Item[]): readonly Item[] => all.slice(0, shownMax)
  if (flagged.length > 0) {
    const rows = some(flagged).map(({ at, outcome, detail }) => [at, outcome.replaceAll('_', ' '), detail])
    io.out.write(`\n${table(['WHERE', 'WHAT', 'WHY'], rows, colours)}`)
    if (flagged.length > shownMax) io.out.write(`and ${flagged.length - shownMax} more; --json has all of them.\n`)
  }
  if (gaps.length > 0) {
    io.out.write(`\nUsed, and named by no line of the file:\n`)
    io.out.write(`${some(gaps).map(printable).join('\n')}\n`)
    if (gaps.length > shownMax) io.out.write(`and ${gaps.length - shownMax} more; --json has all of them.\n`)
  }
  if (incomplete) {
    io.err.write('The provider has more pages than this file: fetch on from next_page, and import the rest.\n')
  }
}

/** `2026-11-21`: the server knows the calendar. */
export function parseDay(given: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(given)) return given
  throw new InvalidArgumentError('Write a day such as 2026-11-21.')
}
