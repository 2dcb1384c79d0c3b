import { Command } from 'commander'
import * as z from 'zod'
import { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { showDollars } from '../money.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { paint, printable, table } from '../print.ts'
import { parseMoment } from '../values.ts'

const text = z.string().default('')
const amount = z.string().default('0')
const ppm = z.number().default(0)
const rowShape = z.object({
  workflow: text,
  promptVersion: text,
  provider: text,
  model: text,
  attempts: amount,
  successes: amount,
  successRatePpm: ppm,
  lowPpm: ppm,
  highPpm: ppm,
  costNanoUsd: amount,
  tokens: z.record(z.string(), z.string()).default({}),
  p50LatencyMs: amount,
  p95LatencyMs: amount,
  retries: amount,
})
const pageShape = z
  .object({ rows: z.array(rowShape).default([]), nextPageToken: text })
  .transform(({ rows, nextPageToken }) => ({ rows, nextPageToken }))
const comparedShape = z.object({
  first: rowShape,
  second: rowShape,
  differencePpm: ppm,
  differenceLowPpm: ppm,
  differenceHighPpm: ppm,
  significant: z.boolean().default(false),
})
const boardShape = z.object({
  entries: z
    .array(
      z.object({
        rank: z.number(),
        workflow: text,
        provider: text,
        model: text,
        samples: amount,
        successRatePpm: ppm,
        lowPpm: ppm,
        highPpm: ppm,
        averageCostNanoUsd: amount,
        averageLatencyMs: amount,
        benchmark: z.boolean().default(false),
      }),
    )
    .default([]),
  minimumSamples: z.number().default(0),
  method: text,
})

type Row = z.output<typeof rowShape>

interface Range {
  readonly from?: string
  readonly until?: string
}

interface AnalyticsOptions extends ListOptions, Range {
  readonly workflow?: string
  readonly promptVersion?: string
  readonly model?: string
}

interface CompareOptions extends ClientOptions, Range {
  readonly model?: string
}

const list: List<Row> = {
  name: 'rows',
  method: 'HubService/GetPromptAnalytics',
  shape: pageShape,
  head: ['WORKFLOW', 'VERSION', 'PROVIDER', 'MODEL', 'ATTEMPTS', 'SUCCESS (95 %)', 'COST', 'P50', 'P95', 'RETRIES'],
  cells: (row) => [
    row.workflow,
    row.promptVersion,
    row.provider,
    row.model,
    row.attempts,
    share(row),
    showDollars(row.costNanoUsd),
    `${row.p50LatencyMs} ms`,
    `${row.p95LatencyMs} ms`,
    row.retries,
  ],
  none: 'There were no attempts in that time.',
}

export function analyticsCommand(io: Io): Command {
  const command = withRange(withList(new Command('analytics')))
    // What stands behind `compare` is its own: both have --model, --from and --json.
    .enablePositionalOptions()
    .description('How prompts did: per workflow, prompt version, provider and model. Needs the scope telemetry:read.')
    .option('--workflow <name>', 'of this workflow')
    .option('--prompt-version <version>', 'of this version of the prompt')
    .option('--model <name>', 'with this model')
    .action(({ workflow, promptVersion, model, from, until, ...options }: AnalyticsOptions) =>
      printList(list, { workflow, promptVersion, model, from, until }, options, io),
    )
    .addCommand(compareCommand(io))
  return withExamples(
    command,
    'portcullis analytics --workflow triage --from 2026-11-01T00:00:00Z',
    'portcullis analytics compare triage v1 v2',
  )
}

function compareCommand(io: Io): Command {
  const command = withRange(withClient(new Command('compare')))
    .description('Two versions of a prompt, and whether they differ by more than chance.')
    .argument('<workflow>')
    .argument('<first>', 'a version of the prompt')
    .argument('<second>', 'another version')
    .option('--model <name>', 'with this model alone')
    .action(async (workflow: string, firstVersion: string, secondVersion: string, options: CompareOptions) => {
      const { model, from, until } = options
      const asked = { workflow, firstVersion, secondVersion, model, from, until }
      const found = await new Client(options, io).call('HubService/ComparePromptVersions', asked, comparedShape)
      if (options.json) {
        io.out.write(`${JSON.stringify(found)}\n`)
        return
      }
      const { first, second, differencePpm, differenceLowPpm, differenceHighPpm, significant } = found
      io.out.write(
        table(
          list.head,
          [first, second].map((row) => list.cells(row, io.now())),
          paint(io.out.colours),
        ),
      )
      const points = [differencePpm, differenceLowPpm, differenceHighPpm].map((each) => (each / 10_000).toFixed(1))
      io.out.write(
        `${printable(secondVersion)} minus ${printable(firstVersion)}: ${points[0]} points (${points[1]} to ${points[2]}); ` +
          `${significant ? 'more than chance' : 'no more than chance may make'}.\n`,
      )
    })
  return withExamples(command, 'portcullis analytics compare triage v1 v2 --model gpt-5')
}

export function leaderboardCommand(io: Io): Command {
  const command = withClient(new Command('leaderboard'))
    .description('Models at published workflows, those first that surely do best. Needs no credential.')
    .argument('[workflow]', 'of this workflow alone')
    .action(async (workflow: string | undefined, options: ClientOptions) => {
      const board = await new Client(options, io).call('HubService/GetLeaderboard', { workflow }, boardShape)
      if (options.json) {
        io.out.write(`${JSON.stringify(board)}\n`)
        return
      }
      const rows = board.entries.map((entry) => [
        `${entry.workflow}${entry.benchmark ? ' (benchmark)' : ''}`,
        String(entry.rank),
        entry.provider,
        entry.model,
        entry.samples,
        share(entry),
        showDollars(entry.averageCostNanoUsd),
        `${entry.averageLatencyMs} ms`,
      ])
      const head = ['WORKFLOW', 'RANK', 'PROVIDER', 'MODEL', 'SAMPLES', 'SUCCESS (95 %)', 'COST', 'LATENCY']
      if (rows.length > 0) io.out.write(table(head, rows, paint(io.out.colours)))
      else io.err.write(`No published workflow has ${board.minimumSamples} samples of a model.\n`)
      io.err.write(`${printable(board.method)}\n`)
    })
  return withExamples(command, 'portcullis leaderboard', 'portcullis leaderboard triage --json')
}

function withRange(command: Command): Command {
  return command
    .option('--from <time>', 'from this hour on, such as 2026-11-21T00:00:00Z (default: 30 days ago)', parseMoment)
    .option('--until <time>', 'until the end of this hour (default: now)', parseMoment)
}

function share(row: { readonly successRatePpm: number; readonly lowPpm: number; readonly highPpm: number }): string {
  const [rate, low, high] = [row.successRatePpm, row.lowPpm, row.highPpm].map((each) => (each / 10_000).toFixed(1))
  return `${rate} % (${low} to ${high})`
}
