import { Command, Option } from 'commander'
import { isLoopback, systemClock } from '#core'
import type * as Demo from '#demo'
import { demoDocument, demoText } from '../demo-report.ts'
import { CliError, usage } from '../errors.ts'
import { openSink } from '../export-file.ts'
import type { Io } from '../io.ts'
import { withExamples, withKey, type ClientOptions } from '../options.ts'
import { ProgressBar } from '../progress.ts'
import { findTarget } from '../target.ts'
import { parseDollars } from '../money.ts'
import { integerBetween } from '../values.ts'

type DemoRoom = typeof Demo
type DemoWork = Parameters<DemoRoom['runDemo']>[0]['work']

interface DemoOptions extends ClientOptions {
  readonly target?: string
  readonly grpc?: string
  readonly minutes?: number
  readonly speed?: number | 'max'
  readonly seed?: number
  readonly runs: number
  readonly trace?: string
  readonly budget?: string
  readonly providerExport?: string
}

const portDefault = 50051
const dayMinutes = 1440
const minutesDefault = 1
const minuteMs = 60_000

export function demoCommand(io: Io): Command {
  const command = withKey(new Command('demo'))
    .summary('Fills a running instance with a day of five agents, or with a trace.')
    .description(
      'Makes a tenant with five agents on a running instance and replays a synthetic day of their work through the gRPC API, refusals included, or the model calls of a trace. Needs the key of an admin of the tenant `main`.',
    )
    .option('--target <url>', 'the server (default: PORTCULLIS_URL, or http://127.0.0.1:8080)')
    .option('--grpc <address>', 'its gRPC listener, host:port (default: PORTCULLIS_GRPC, or port 50051 of the server)')
    .option('--minutes <n>', 'how long the replay takes (default: 1)', integerBetween(1, dayMinutes))
    .addOption(
      new Option('--speed <times>', 'how many times faster than it was, or `max`: as fast as it goes')
        .argParser(parseSpeed)
        .conflicts('minutes'),
    )
    .option('--seed <n>', 'the same seed makes the same day (default: from the time)', integerBetween(0, 2 ** 32 - 1))
    .option('--runs <n>', 'how many runs the day has', integerBetween(1, 100_000), 400)
    .option('--trace <file>', 'replay a CSV file with the columns TIMESTAMP, ContextTokens and GeneratedTokens instead')
    .addOption(
      new Option(
        '--budget <usd>',
        'with --trace: a hard budget in dollars for all of it, one call after the other at the prices of a public model',
      ).argParser(parseDollars),
    )
    .addOption(
      new Option(
        '--provider-export <file>',
        'also write a bill of our own making for the day, for `costs import --source csv`',
      ).conflicts('trace'),
    )
    .action((options: DemoOptions) => demo(options, io))
  return withExamples(
    command,
    'portcullis demo',
    'portcullis demo --speed max --runs 2000 --seed 7',
    'portcullis demo --trace calls.csv --speed max',
    'portcullis demo --trace calls.csv --speed max --budget 5.00',
  )
}

async function demo(options: DemoOptions, io: Io): Promise<void> {
  const target = findTarget({ ...options, ...(options.target && { url: options.target }) }, io, '--target')
  const { key } = target
  if (key === undefined) {
    throw usage('The demo needs the key of an admin of the tenant main.', 'Set PORTCULLIS_KEY, or use --key-file.')
  }
  const grpc = grpcAddress(options, target.url, io)
  const room = await import('#demo')
  const seed = options.seed ?? Math.floor(io.now() / 1000)
  const work = await workOf(room, options, seed)
  const tenantName = `demo-${seed}`
  const what = work.kind === 'day' ? `a day of ${work.runs} runs` : `${count(work.rows.length)} calls of a trace`
  io.err.write(`Five agents of the tenant ${tenantName} replay ${what} at ${grpc}.\n`)
  const { providerExport } = options
  // Before the work: a name that cannot be written to is told at once.
  const bill = providerExport === undefined ? undefined : openSink({ out: providerExport }, io)
  const bar = new ProgressBar(io)
  try {
    const result = await room.runDemo({
      grpc,
      platformKey: key,
      tenantName,
      work,
      clock: systemClock,
      progress: (progress) => bar.show(progress, noteOf(progress)),
    })
    bar.clear()
    const shown = {
      result,
      work: work.kind,
      seed,
      url: target.url,
      isDefaultUrl: target.url === 'http://127.0.0.1:8080',
    }
    if (options.json) io.out.write(`${JSON.stringify(demoDocument(shown))}\n`)
    else io.out.write(demoText(shown, io.out.colours))
    bill?.write(room.demoBill([...result.tally.use.values()]))
    const wrong = result.checks.filter(({ sent, recorded }) => sent !== recorded)
    if (wrong.length > 0)
      throw mismatch(
        wrong.map(({ name }) => name),
        options.json,
      )
  } catch (error) {
    bar.clear()
    throw explained(room, error, grpc, tenantName)
  } finally {
    bill?.close()
  }
}

async function workOf(
  { readTrace, TraceError }: DemoRoom,
  { speed, minutes = minutesDefault, runs, trace, budget }: DemoOptions,
  seed: number,
): Promise<DemoWork> {
  if (trace === undefined && budget !== undefined)
    throw usage('--budget is for --trace: a day has a budget of its own.', 'Name a trace, or leave --budget out.')
  if (trace === undefined) return { kind: 'day', seed, runs, speed: speed ?? dayMinutes / minutes }
  try {
    const rows = await readTrace(trace)
    const times = rows.map(({ atMs }) => atMs)
    const spanMs = times.reduce((a, b) => Math.max(a, b), 0) - times.reduce((a, b) => Math.min(a, b), Infinity)
    // Never slower than it was.
    const limited = budget === undefined ? {} : { budgetNanoUsd: BigInt(budget) }
    return { kind: 'trace', rows, speed: speed ?? Math.max(1, spanMs / (minutes * minuteMs)), ...limited }
  } catch (error) {
    if (error instanceof TraceError) throw usage(`${error.message}.`, 'See docs/demo.md for the form of a trace.')
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
      throw usage(`The file ${trace} cannot be read (${error.code}).`, 'Name a file that exists and may be read.')
    }
    throw error
  }
}

function grpcAddress({ grpc, target }: DemoOptions, url: string, io: Io): string {
  const variable = target === undefined ? io.env['PORTCULLIS_GRPC'] : undefined
  const address = grpc ?? (variable || `${new URL(url).hostname}:${portDefault}`)
  const source = grpc === undefined ? 'PORTCULLIS_GRPC' : '--grpc'
  const parsed = URL.parse(address.includes('://') ? address : `http://${address}`)
  if (parsed === null || parsed.username !== '' || parsed.pathname !== '/' || !/:\d+$/.test(address)) {
    throw usage(`${source} is not the address of a gRPC listener.`, 'Write host:port, such as 127.0.0.1:50051.')
  }
  if (parsed.protocol === 'http:' && !isLoopback(parsed.hostname)) {
    io.err.write(`warning: the keys go to ${parsed.host} unencrypted.\n`)
  }
  return address
}

function parseSpeed(text: string): number | 'max' {
  if (text === 'max') return text
  const times = /^\d{1,7}(?:\.\d{1,3})?x?$/.test(text) ? Number.parseFloat(text) : 0
  if (times > 0) return times
  throw usage(`--speed "${text}" is no speed.`, 'Write how many times faster, such as 60, or max.')
}

function explained({ DemoRefused }: DemoRoom, error: unknown, grpc: string, tenantName: string): unknown {
  if (error instanceof DemoRefused) {
    const { code, requestId } = error.refused
    const exit = code === 'demo.unreachable' ? 'unavailable' : 'refused'
    return new CliError(exit, code, error.message, { todo: advice(code, tenantName), requestId, cause: error })
  }
  if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') {
    return new CliError('unavailable', 'cli.unreachable', `No server answers at ${grpc} (connection refused).`, {
      todo: 'Start one with `portcullis up`, or name its gRPC listener with PORTCULLIS_GRPC or --grpc.',
      cause: error,
    })
  }
  return error
}

function advice(code: string, tenantName: string): string | undefined {
  switch (code) {
    case 'object.exists':
      return `The tenant ${tenantName} is there from an earlier demo: choose another --seed.`
    case 'auth.scope_missing':
      return 'Use the key of an admin of the tenant main, as the first `portcullis up` printed it.'
    case 'demo.unreachable':
      return 'Look whether the server still runs; what was sent until then is recorded.'
    default:
      return undefined
  }
}

function mismatch(names: readonly string[], silent = false): CliError {
  const message = `The server recorded something else than was sent: ${names.join(', ')}.`
  const todo = 'Compare `portcullis call GetSummary` with what is above, and look into the log of the server.'
  // With --json the document has told it.
  return new CliError('refused', 'demo.mismatch', message, { todo, silent })
}

/** `08:24  425 calls, 13 refused` */
function noteOf({ done, refused, atMs }: Demo.Progress): string {
  return `${new Date(atMs).toISOString().slice(11, 16)}  ${count(done)} calls, ${count(refused)} refused`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
