import { Command } from 'commander'
import * as z from 'zod'
import { Client } from '../client.ts'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { printable } from '../print.ts'
import { withServer } from '../start-errors.ts'

// Each entry is hashed and read again; the server gives up after ten minutes.
const deadlineMs = 11 * 60_000
const tickMs = 1000

interface VerifyOptions extends ClientOptions {
  readonly log?: string
  readonly offline?: string
}

const count = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .default('0')
  .transform(Number)

const verdictShape = z
  .object({
    chainValid: z.boolean().default(false),
    log: z.string().default(''),
    from: count,
    to: count,
    root: z.string().default(''),
    checkpointSize: count,
    anchoredSize: count,
    firstBadSeq: count,
    problem: z.string().default(''),
  })
  .transform(({ chainValid, log, from, to, root, checkpointSize, anchoredSize, firstBadSeq, problem }) => ({
    chain_valid: chainValid,
    log,
    from,
    to,
    root,
    checkpoint_size: checkpointSize,
    anchored_size: anchoredSize,
    ...(chainValid ? {} : { first_bad_seq: firstBadSeq, problem }),
  }))

interface Verdict {
  readonly chain_valid: boolean
  readonly log: string
  readonly from: number
  readonly to: number
  readonly root: string
  readonly first_bad_seq?: number
  readonly problem?: string
  readonly detail?: string
  readonly manifest?: boolean
}

export function verifyCommand(io: Io): Command {
  const command = withClient(new Command('verify'))
    .description(
      'Replays a log: every link, every hash, and the Merkle root of its head. Exits with 1 where the chain is broken, and names the first bad entry.',
    )
    .option('--log <name>', 'the log; `system` needs the scope tenants:write (default: that of your tenant)')
    .option('--offline <file>', 'an export of `ledger export` instead of a server; nothing is asked but this file')
    .action(async (options: VerifyOptions) => {
      const verdict = options.offline === undefined ? await online(options, io) : await offline(options.offline, io)
      const broken = verdict.chain_valid ? undefined : brokenChain(verdict)
      if (options.json) {
        io.out.write(`${JSON.stringify(verdict)}\n`)
        // The verdict is the one document; only the exit code is left to tell.
        if (broken !== undefined) throw new CliError('refused', broken.code, broken.message, { silent: true })
        return
      }
      if (broken !== undefined) throw broken
      io.out.write(sentences(verdict))
    })
  return withExamples(
    command,
    'portcullis ledger verify',
    'portcullis ledger verify --log system --json',
    'portcullis ledger verify --offline main.ndjson',
  )
}

async function online(options: VerifyOptions, io: Io): Promise<Verdict> {
  const startedMs = io.monotonic()
  const tick = setInterval(() => {
    const seconds = Math.round((io.monotonic() - startedMs) / 1000)
    if (io.err.interactive) io.err.write(`\rReplaying the log: ${seconds} s `)
  }, tickMs)
  try {
    return await new Client(options, io, deadlineMs).call(
      'LedgerService/Verify',
      { log: options.log ?? '' },
      verdictShape,
    )
  } finally {
    clearInterval(tick)
    if (io.err.interactive && io.monotonic() - startedMs > tickMs) io.err.write('\r\u001B[K')
  }
}

function offline(file: string, io: Io): Promise<Verdict> {
  return withServer(io, undefined, (server) => server.verifyExport(file))
}

function brokenChain({ log, first_bad_seq: seq, problem = '', detail }: Verdict): CliError {
  const where = seq === undefined ? '' : ` The first bad entry is ${seq}.`
  return new CliError('refused', 'ledger.broken', `The chain of the log ${printable(log)} is broken.${where}`, {
    problems: [detail === undefined ? problem : `${problem}: ${detail}`],
    todo: 'Keep the database and its backups as they are, export the log, and find out who could write to it.',
  })
}

function sentences({ log, from, to, root, manifest }: Verdict): string {
  const lines = [
    `The chain of the log ${printable(log)} is valid: entries ${from} to ${to}, every link and hash holds.`,
    `root: ${root}`,
  ]
  if (manifest === false) lines.push('There is no manifest beside the file: a cut tail would go unseen.')
  return `${lines.join('\n')}\n`
}
