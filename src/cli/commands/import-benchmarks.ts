import { open } from 'node:fs/promises'
import { Command } from 'commander'
import * as z from 'zod'
import { sha256Hex } from '#core'
import { Client } from '../client.ts'
import { usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { printable } from '../print.ts'

const fileBytesMax = 4 * 1024 * 1024
const runsMax = 10_000
const batchSize = 100

/** A run as the leaderboards of aider have it, as far as it is read; percent, seconds and dollars as people write them. */
const runShape = z.object({
  model: z.string().min(1).max(200),
  test_cases: z.number().int().min(1).max(1_000_000),
  pass_rate_1: z.number().min(0).max(100).optional(),
  pass_rate_2: z.number().min(0).max(100).optional(),
  seconds_per_case: z.number().min(0).max(1e6).optional(),
  total_cost: z.number().min(0).max(1e6).optional(),
  edit_format: z.string().max(200).optional(),
  date: z.unknown().optional(),
  versions: z.unknown().optional(),
})

type Run = z.output<typeof runShape>

interface ImportOptions extends ClientOptions {
  readonly workflow: string
  readonly publish?: boolean
}

export interface AiderFile {
  readonly benchmarks: readonly object[]
  /** What was left out, and why. */
  readonly skipped: readonly string[]
}

export function importAiderCommand(io: Io): Command {
  const command = withClient(new Command('aider'))
    .description('Records the runs of a leaderboard of aider (YAML) as benchmarks, with their samples.')
    .argument('<file>', 'such as polyglot_leaderboard.yml')
    .requiredOption('--workflow <name>', 'what the benchmark is called')
    .option('--publish', 'show the workflow on the public leaderboard')
    .action(async (file: string, options: ImportOptions) => {
      const { benchmarks, skipped } = await readAider(await textOf(file), options.workflow)
      if (benchmarks.length === 0) throw usage(`${file} has no run that can be read.`, skipped[0] ?? 'It is empty.')
      const client = new Client(options, io)
      for (let at = 0; at < benchmarks.length; at += batchSize) {
        const batch = benchmarks.slice(at, at + batchSize)
        // The same runs again are the same call: what was recorded is not recorded twice, as long as keys are kept.
        const idempotencyKey = `aider-${sha256Hex(JSON.stringify(batch))}`
        await client.callText('HubService/RecordBatch', JSON.stringify({ benchmarks: batch, idempotencyKey }), false)
      }
      if (options.publish === true) {
        const published = { workflow: options.workflow, published: true }
        await client.call('HubService/PublishWorkflow', published, z.object({}))
      }
      if (options.json) io.out.write(`${JSON.stringify({ recorded: benchmarks.length, skipped })}\n`)
      else {
        for (const why of skipped) io.err.write(`left out: ${printable(why)}\n`)
        io.out.write(`${benchmarks.length} benchmarks are recorded for ${printable(options.workflow)}.\n`)
      }
    })
  return withExamples(command, 'portcullis import aider polyglot_leaderboard.yml --workflow aider-polyglot --publish')
}

/** The runs of a file as benchmarks: its cases are the samples, and what passed within two tries is the score. */
export async function readAider(text: string, workflow: string): Promise<AiderFile> {
  const { parse } = await import('yaml')
  const root = parsed(() => parse(text, { maxAliasCount: 0, uniqueKeys: false, logLevel: 'error' }) as unknown)
  if (!Array.isArray(root)) throw usage('The file is no list of runs.', 'Name a leaderboard file of aider.')
  if (root.length > runsMax) throw usage(`The file has more than ${runsMax} runs.`, 'Split it.')
  const benchmarks: object[] = []
  const skipped: string[] = []
  for (const [at, item] of root.entries()) {
    const run = runShape.safeParse(item)
    const rate = run.data?.pass_rate_2 ?? run.data?.pass_rate_1
    const where = run.error?.issues[0]
    if (run.data !== undefined && rate !== undefined) benchmarks.push(benchmarkOf(run.data, rate, workflow))
    else
      skipped.push(
        `run ${at + 1}: ${where === undefined ? 'it has no pass rate' : `${where.path.join('.')}: ${where.message}`}`,
      )
  }
  return { benchmarks, skipped }
}

function benchmarkOf(run: Run, passPercent: number, workflow: string): object {
  const notes = [run.edit_format, run.date, run.versions].filter((each) => typeof each === 'string' && each !== '')
  return {
    workflow,
    model: run.model,
    qualityScoreMilli: Math.round(passPercent * 10),
    samples: String(run.test_cases),
    costNanoUsd: String(Math.round((run.total_cost ?? 0) * 1e9)),
    latencyMs: String(Math.round((run.seconds_per_case ?? 0) * run.test_cases * 1000)),
    notes: notes.join(', ').slice(0, 1000),
  }
}

function parsed(parse: () => unknown): unknown {
  try {
    return parse()
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    throw usage('The file is no YAML that can be read.', why)
  }
}

async function textOf(path: string): Promise<string> {
  const file = await open(path).catch((cause: unknown) => {
    throw usage(`${path} cannot be read.`, cause instanceof Error ? cause.message : String(cause))
  })
  try {
    const { size } = await file.stat()
    if (size > fileBytesMax) throw usage(`${path} is larger than ${fileBytesMax} bytes.`, 'Split it.')
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}
