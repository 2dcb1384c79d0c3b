import { Command, InvalidArgumentError } from 'commander'
import { Client } from '../client.ts'
import { ExitWith } from '../errors.ts'
import { Journal } from '../import/journal.ts'
import { ModeloManImport, type Imported } from '../import/run-import.ts'
import type { Io } from '../io.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { paint, printable, table } from '../print.ts'
import { importAiderCommand } from './import-benchmarks.ts'
import { findTarget } from '../target.ts'

const deadlineMs = 60_000
const problemsShown = 20

interface Options extends ClientOptions {
  readonly dryRun?: boolean
  readonly withPolicy?: boolean
  readonly qualityMax: number
  readonly journal?: string
}

export function importCommand(io: Io): Command {
  return new Command('import')
    .description('Brings what another control plane has recorded here.')
    .addCommand(modeloManCommand(io))
    .addCommand(importAiderCommand(io))
}

function modeloManCommand(io: Io): Command {
  const command = withClient(new Command('modeloman'))
    .description(
      'Imports the state of a ModeloMan: tasks, notes, changelog, benchmarks, runs, attempts and events. What was imported is not imported again.',
    )
    .argument('<file>', 'its data file, or the reply of ExportState as JSON')
    .option('--dry-run', 'read and check everything, and send nothing')
    .option('--with-policy', 'also set its limits and caps; needs the scope policy:write. Never its kill switch')
    .option('--quality-max <n>', 'the quality score that is the best one', score, 1)
    .option('--journal <file>', 'where to keep what was done (default: FILE.import.jsonl)')
    .action(async (file: string, options: Options) => {
      const dryRun = options.dryRun === true
      const server = dryRun ? '' : findTarget(options, io).url
      const journal = dryRun ? undefined : new Journal(options.journal ?? `${file}.import.jsonl`, server)
      const { qualityMax, withPolicy = false } = options
      const work = new ModeloManImport(
        { file, dryRun, withPolicy, qualityMax },
        new Client(options, io, deadlineMs),
        io,
        journal,
      )
      const done = await work.run()
      io.out.write(options.json ? `${JSON.stringify(done)}\n` : summary(done, io))
      if (done.problems.length > 0) throw new ExitWith(1)
    })
  return withExamples(
    command,
    'portcullis import modeloman state.json --dry-run',
    'portcullis import modeloman state.json --quality-max 10',
  )
}

function summary({ sections, leftOut, rounded, problems, dryRun }: Imported, io: Io): string {
  const style = paint(io.out.colours)
  const rows = Object.entries(sections).map(([name, { found, imported, already, skipped }]) =>
    [name, found, imported, already, skipped].map(String),
  )
  const lines = [table(['SECTION', 'FOUND', dryRun ? 'WOULD IMPORT' : 'IMPORTED', 'ALREADY', 'SKIPPED'], rows, style)]
  const listed = (title: string, counts: Readonly<Record<string, number>>): void => {
    const names = Object.entries(counts).map(([name, times]) => `${printable(name)} (${times})`)
    if (names.length > 0) lines.push(`${title}: ${names.join(', ')}`)
  }
  listed('Has no place here', leftOut)
  listed('Rounded to a nano-USD', rounded)
  for (const { path, why } of problems.slice(0, problemsShown))
    lines.push(`${style.red('skipped')} ${printable(path)}: ${printable(why)}`)
  if (problems.length > problemsShown) lines.push(`and ${problems.length - problemsShown} more; --json lists them`)
  return `${lines.join('\n')}\n`
}

function score(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 1_000_000)) throw new InvalidArgumentError('Write a number above 0, such as 10.')
  return value
}
