import { Command, Option } from 'commander'
import * as z from 'zod'
import { readBoundedFile } from '../bounded-read.ts'
import { Client } from '../client.ts'
import { CliError, ExitWith, exitCodes, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { paint, printable, relativeTime, table } from '../print.ts'
import { parseDuration } from '../values.ts'

const text = z.string().default('')
const time = z.string().nullable().default(null)
const jobShape = z.object({
  id: z.string(),
  kind: text,
  state: z.string().default('JOB_STATE_UNSPECIFIED'),
  trigger: text,
  actor: text,
  attempts: z.number().default(0),
  error: text,
  resultJson: text,
  createdAt: time,
  startedAt: time,
  finishedAt: time,
  requestId: text,
})
const definitionShape = z.object({
  kind: z.string(),
  description: text,
  enabled: z.boolean().default(false),
  schedule: text,
  timeZone: text,
  overlap: text,
  retries: z.number().default(0),
  timeoutSeconds: z.number().default(0),
  handler: text,
  nextRunAt: time,
  lastJob: jobShape.nullish(),
})
const replyShape = z.object({ job: jobShape })
const definitionsShape = z.object({ definitions: z.array(definitionShape).default([]) })

type Job = z.output<typeof jobShape>
type Definition = z.output<typeof definitionShape>

const states = ['queued', 'running', 'retrying', 'succeeded', 'failed', 'canceled']
const dataBytesMax = 64 * 1024
const waitMaxSeconds = 86_400
const lookEveryMs = 500

const list: List<Job> = {
  name: 'jobs',
  method: 'JobsService/ListJobs',
  shape: z
    .object({ jobs: z.array(jobShape).default([]), nextPageToken: z.string().default('') })
    .transform(({ jobs, nextPageToken }) => ({ rows: jobs, nextPageToken })),
  head: ['ID', 'KIND', 'STATE', 'TRIGGER', 'TRIES', 'CREATED', 'ERROR'],
  cells: (job, nowMs) => [
    job.id,
    job.kind,
    stateOf(job),
    job.trigger,
    String(job.attempts),
    relativeTime(job.createdAt, nowMs),
    printable(job.error).slice(0, 60),
  ],
  none: 'There are no jobs. `portcullis jobs trigger KIND` makes one.',
}

export function jobsCommand(io: Io): Command {
  return new Command('jobs')
    .description('Work that runs by itself, on a schedule or on demand.')
    .addCommand(definitionsCommand(io))
    .addCommand(listCommand(io))
    .addCommand(getCommand(io))
    .addCommand(triggerCommand(io))
    .addCommand(cancelCommand(io))
}

function definitionsCommand(io: Io): Command {
  const command = withClient(new Command('definitions'))
    .description('Lists the kinds of jobs: what each does, when it runs next and how the last one ended.')
    .action(async (options: ClientOptions) => {
      const client = new Client(options, io)
      const { definitions } = await client.call('JobsService/ListDefinitions', {}, definitionsShape)
      if (options.json) io.out.write(`${JSON.stringify({ definitions })}\n`)
      else {
        const head = ['KIND', 'RUNS', 'NEXT', 'LAST', 'DOES']
        const rows = definitions.map((one) => definitionCells(one, io.now()))
        io.out.write(table(head, rows, paint(io.out.colours)))
      }
    })
  return withExamples(command, 'portcullis jobs definitions', 'portcullis jobs definitions --json')
}

function definitionCells(of: Definition, nowMs: number): readonly string[] {
  const runs = of.schedule === '' ? 'on demand' : `${of.schedule} ${of.timeZone}`
  return [
    of.kind,
    of.enabled ? runs : 'disabled',
    of.nextRunAt === null ? '' : relativeTime(of.nextRunAt, nowMs),
    of.lastJob === null || of.lastJob === undefined ? '' : stateOf(of.lastJob),
    printable(of.description),
  ]
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists jobs, newest first; failed ones have used up their tries.')
    .option('--kind <kind>', 'only of this kind')
    .addOption(new Option('--state <state>', 'only in this state').choices(states))
    .action((options: ListOptions & { readonly kind?: string; readonly state?: string }) => {
      const { kind, state } = options
      const filter = { kind, state: state === undefined ? undefined : `JOB_STATE_${state.toUpperCase()}` }
      return printList(list, filter, options, io)
    })
  return withExamples(command, 'portcullis jobs list', 'portcullis jobs list --state failed --all --json')
}

function getCommand(io: Io): Command {
  const command = withClient(new Command('get'))
    .description('Shows one job with what it found.')
    .argument('<job>', 'its id')
    .action(async (jobId: string, options: ClientOptions) => {
      const { job } = await new Client(options, io).call('JobsService/GetJob', { jobId }, replyShape)
      show(job, options, io)
    })
  return withExamples(command, 'portcullis jobs get job_01a1ff97-9ca0-7b31-941e-3cbbbca027e9')
}

interface TriggerOptions extends ClientOptions {
  readonly data?: string
  readonly wait?: boolean
  readonly timeout: number
}

function triggerCommand(io: Io): Command {
  const command = withClient(new Command('trigger'))
    .description(
      'Starts a job of a kind. Refused where the kind is disabled, or one of it runs: the refusal names that one.',
    )
    .argument('<kind>', 'as in `portcullis jobs definitions`')
    .option('--data <file>', 'a file with a JSON object that the kind takes')
    .option('--wait', 'wait for its end; one that failed or was canceled ends with 1')
    .option('--timeout <how-long>', 'how long to wait at most: 90s, 45m', parseDuration(waitMaxSeconds), 3600)
    .action(async (kind: string, options: TriggerOptions) => {
      const dataJson = options.data === undefined ? undefined : readBoundedFile(options.data, dataBytesMax)
      if (dataJson !== undefined && !isObject(dataJson))
        throw usage(
          'What the job is given is no JSON object.',
          'Write something such as {"day":"2026-11-21"} into the file.',
        )
      const client = new Client(options, io)
      const { job } = await client.call('JobsService/Trigger', { kind, dataJson }, replyShape)
      if (options.wait !== true) {
        if (options.json) io.out.write(`${JSON.stringify(job)}\n`)
        else io.out.write(`${printable(kind)} is ${job.id}. \`portcullis jobs get ${job.id}\` shows how it goes.\n`)
        return
      }
      const ended = await untilEnded(client, job.id, options.timeout, io)
      show(ended, options, io)
      if (stateOf(ended) !== 'succeeded') throw new ExitWith(exitCodes.refused)
    })
  return withExamples(
    command,
    'portcullis jobs trigger ledger-verification --wait',
    'portcullis jobs trigger nightly-report --data day.json --json',
  )
}

function cancelCommand(io: Io): Command {
  const command = withClient(new Command('cancel'))
    .description('Ends a job that waits or runs.')
    .argument('<job>', 'its id')
    .action(async (jobId: string, options: ClientOptions) => {
      const { job } = await new Client(options, io).call('JobsService/Cancel', { jobId }, replyShape)
      if (options.json) io.out.write(`${JSON.stringify(job)}\n`)
      else io.out.write(`${job.id} (${printable(job.kind)}) is canceled.\n`)
    })
  return withExamples(command, 'portcullis jobs cancel job_01a1ff97-9ca0-7b31-941e-3cbbbca027e9')
}

async function untilEnded(client: Client, jobId: string, timeoutSeconds: number, io: Io): Promise<Job> {
  const until = io.now() + timeoutSeconds * 1000
  for (;;) {
    const { job } = await client.call('JobsService/GetJob', { jobId }, replyShape)
    if (['succeeded', 'failed', 'canceled'].includes(stateOf(job))) return job
    if (io.now() > until)
      throw new CliError('unavailable', 'cli.wait', `${jobId} has not ended in time; it goes on.`, {
        todo: `Look at it with portcullis jobs get ${jobId}, or end it with portcullis jobs cancel ${jobId}.`,
      })
    await io.sleep(lookEveryMs)
  }
}

function show(job: Job, options: ClientOptions, io: Io): void {
  if (options.json) return io.out.write(`${JSON.stringify(job)}\n`)
  const lines = [
    `${job.id}  ${printable(job.kind)}  ${stateOf(job)}`,
    `  triggered  ${job.trigger} by ${printable(job.actor)}, ${relativeTime(job.createdAt, io.now())}`,
    `  tries      ${job.attempts}`,
    ...(job.finishedAt === null ? [] : [`  ended      ${relativeTime(job.finishedAt, io.now())}`]),
    ...(job.error === '' ? [] : [`  error      ${printable(job.error)}`]),
    ...(job.resultJson === '' ? [] : [`  result     ${printable(job.resultJson)}`]),
  ]
  io.out.write(`${lines.join('\n')}\n`)
}

function stateOf({ state }: Job): string {
  return state.replace('JOB_STATE_', '').toLowerCase()
}

function isObject(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    // The person is told what is expected.
    return false
  }
}
