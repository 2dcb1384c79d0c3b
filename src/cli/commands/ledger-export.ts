import { hash } from 'node:crypto'
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { Command, Option } from 'commander'
import * as z from 'zod'
import { Client } from '../client.ts'
import { csvHead, csvRow } from '../csv.ts'
import { CliError, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { entryPage, type Entry } from '../replies.ts'

const pageEntries = 1000

interface ExportOptions extends ClientOptions {
  readonly log?: string
  readonly out: string
  readonly format: 'ndjson' | 'csv'
}

const page = z.object({ ndjson: z.string().default(''), nextSeq: z.string().default('0').transform(Number) })
const rowShape = z.object({ seq: z.number(), ts: z.string(), prev: z.string(), log: z.string() })

export function exportCommand(io: Io): Command {
  const command = withClient(new Command('export'))
    .description(
      'Writes a whole log, oldest entry first. NDJSON is the log itself, with a manifest beside the file, and verifies offline; CSV is a view for reading.',
    )
    .option('--log <name>', 'the log; `system` needs the scope tenants:write (default: that of your tenant)')
    .option('--out <file>', 'where to write; `-` is the standard output, without a manifest', '-')
    .addOption(new Option('--format <format>', 'what to write').choices(['ndjson', 'csv']).default('ndjson'))
    .action(async (options: ExportOptions) => {
      if (options.json && options.out === '-')
        throw usage('--json says what was exported, so the export needs a file.', 'Add --out FILE.')
      await writeLog(options, io)
    })
  return withExamples(
    command,
    'portcullis ledger export --out main.ndjson',
    'portcullis ledger export --log system --format csv --out system.csv',
  )
}

async function writeLog(options: ExportOptions, io: Io): Promise<void> {
  const client = new Client(options, io)
  const log = options.log ?? ''
  // Each page is a call that is recorded in the log itself: without an end the export would follow itself for ever.
  const newest = await client.call('LedgerService/Query', { log, pageSize: 1 }, entryPage)
  const end = Number(newest.rows[0]?.seq ?? -1)
  const sink = openSink(options, io)
  const tally = (await io.server()).exportTally()
  try {
    if (options.format === 'csv') sink.write(csvHead)
    for (let next = 0; next >= 0 && next <= end;) {
      const limit = Math.min(pageEntries, end - next + 1)
      const { ndjson, nextSeq } = await client.call('LedgerService/Export', { log, fromSeq: String(next), limit }, page)
      for (const line of ndjson.split('\n')) {
        if (line === '') continue
        tally.add(line)
        sink.write(options.format === 'csv' ? csvRow(entryOf(line, client)) : `${line}\n`)
      }
      next = nextSeq
    }
  } finally {
    sink.close()
  }
  const manifest = tally.finish()
  if (options.out === '-') return
  if (options.format === 'ndjson') writeFile(`${options.out}.manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`)
  if (options.json) io.out.write(`${JSON.stringify({ file: options.out, ...manifest })}\n`)
  else io.out.write(`${manifest.entries} entries of the log ${manifest.log} are in ${options.out}.\n`)
}

interface Sink {
  write(text: string): void
  close(): void
}

function openSink({ out }: ExportOptions, io: Io): Sink {
  if (out === '-') return { write: (text) => io.out.write(text), close: () => undefined }
  const file = tried(out, () => openSync(out, 'wx', 0o600))
  return { write: (text) => void tried(out, () => writeSync(file, text)), close: () => closeSync(file) }
}

function writeFile(path: string, text: string): void {
  tried(path, () => writeFileSync(path, text, { flag: 'wx', mode: 0o600 }))
}

function tried<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'failed'
    if (code === 'EEXIST') throw usage(`The file ${path} exists already.`, 'Name another file; nothing is overwritten.')
    throw new CliError('usage', 'cli.file', `The file ${path} cannot be written (${code}).`, {
      todo: 'Name a file in a folder that this user may write to, with space left.',
      cause,
    })
  }
}

/** The entry of one line, as the list calls give it. */
function entryOf(line: string, client: Client): Entry {
  const { seq, ts, prev, log } = client.parse(JSON.parse(line), rowShape)
  return { log, seq: String(seq), ts, previousHash: prev, recordHash: hash('sha256', `\0${line}`), entryJson: line }
}
