import { Command } from 'commander'
import { readBoundedFile } from '../bounded-read.ts'
import { CliError, usage } from '../errors.ts'
import { withExports, type ExportVerdict, type LogVerdict } from '../export-room.ts'
import type { Io } from '../io.ts'
import { Client } from '../client.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { printable } from '../print.ts'
import { ProgressBar } from '../progress.ts'
import { collect } from '../values.ts'
import { onlineShape, type OnlineVerdict } from '../verdict.ts'

// Each entry is hashed and read again; the server gives up after ten minutes.
const deadlineMs = 11 * 60_000
const tickMs = 1000
const checkpointBytesMax = 64 * 1024

interface VerifyOptions extends ClientOptions {
  readonly log?: string
  readonly offline?: string
  readonly vkey?: readonly string[]
  readonly checkpoint?: readonly string[]
}

type Verdict = OnlineVerdict | ExportVerdict

export function verifyCommand(io: Io): Command {
  const command = withClient(new Command('verify'))
    .description(
      'Replays a log: every link, every hash, the Merkle root of its head, and its checkpoints. Exits with 1 where the chain is broken, and names the first bad entry.',
    )
    .option('--log <name>', 'the log; `system` needs the scope tenants:write (default: that of your tenant)')
    .option('--offline <export>', 'a folder or file of `ledger export` instead of a server; nothing else is asked')
    .option(
      '--vkey <key>',
      'with --offline: the public key that the checkpoint must be signed with, as `ledger key show` prints it; one for each log',
      collect,
    )
    .option('--checkpoint <file>', 'with --offline: a checkpoint that was kept elsewhere', collect)
    .action(async (options: VerifyOptions) => {
      checkOptions(options)
      const verdict =
        options.offline === undefined ? await online(options, io) : await offline(options.offline, options, io)
      const broken = verdict.chain_valid ? undefined : brokenChain(verdict)
      if (options.json) {
        io.out.write(`${JSON.stringify(verdict)}\n`)
        // The verdict is the one document; only the exit code is left to tell.
        if (broken !== undefined) throw new CliError('refused', broken.code, broken.message, { silent: true })
        return
      }
      if (broken !== undefined) throw broken
      io.out.write('logs' in verdict ? exportSentences(verdict, options) : onlineSentences(verdict))
    })
  return withExamples(
    command,
    'portcullis ledger verify',
    'portcullis ledger verify --log system --json',
    'portcullis ledger verify --offline ./ledger-2026-11',
    'portcullis ledger verify --offline ./ledger-2026-11/main --vkey "ledger.example/main+0f2e1d3c+AQ..." --checkpoint kept.txt',
  )
}

function checkOptions({ checkpoint = [], log, offline: path, vkey = [] }: VerifyOptions): void {
  if (path === undefined && vkey.length + checkpoint.length > 0) {
    throw usage(
      '--vkey and --checkpoint are for an export.',
      'Name it with --offline; the server checks its own checkpoints.',
    )
  }
  if (path !== undefined && log !== undefined) {
    throw usage('--log is for a server.', 'Name the folder of one log with --offline, or verify the whole export.')
  }
}

async function online(options: VerifyOptions, io: Io): Promise<OnlineVerdict> {
  const startedMs = io.monotonic()
  const tick = setInterval(() => {
    const seconds = Math.round((io.monotonic() - startedMs) / 1000)
    if (io.err.interactive) io.err.write(`\rReplaying the log: ${seconds} s `)
  }, tickMs)
  try {
    return await new Client(options, io, deadlineMs).call(
      'LedgerService/Verify',
      { log: options.log ?? '' },
      onlineShape,
    )
  } finally {
    clearInterval(tick)
    if (io.err.interactive && io.monotonic() - startedMs > tickMs) io.err.write('\r\u001B[K')
  }
}

function offline(path: string, { checkpoint = [], vkey = [] }: VerifyOptions, io: Io): Promise<ExportVerdict> {
  const checkpoints = checkpoint.map((file) => readBoundedFile(file, checkpointBytesMax))
  const bar = new ProgressBar(io)
  let startedMs: number | undefined
  const progress = ({ done, total }: { readonly done: number; readonly total: number }): void => {
    startedMs ??= io.monotonic()
    const elapsedMs = io.monotonic() - startedMs
    // What is over in a moment needs no bar.
    if (elapsedMs < tickMs) return
    const rate = (done / elapsedMs) * 1000
    const left = Math.ceil((total - done) / rate)
    bar.show({ done, total }, `${megabytes(done)} of ${megabytes(total)}, ${megabytes(rate)}/s, ${left} s left`)
  }
  return withExports(io, (server) => server.verifyExport(path, { keys: vkey, checkpoints, progress })).finally(() =>
    bar.clear(),
  )
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function brokenChain(verdict: Verdict): CliError {
  const { log, first_bad_seq: seq, problem = '' } = verdict
  const detail = 'detail' in verdict ? verdict.detail : undefined
  const where = seq === undefined ? '' : ` The first bad entry is ${seq}.`
  const name = log === '' ? 'The export' : `The chain of the log ${printable(log)}`
  const what = problem === 'bad_checkpoint' ? 'is not confirmed by a checkpoint' : 'is broken'
  return new CliError('refused', 'ledger.broken', `${name} ${what}.${where}`, {
    problems: [detail === undefined ? problem : `${problem}: ${detail}${placeOf(verdict)}`],
    todo:
      'logs' in verdict
        ? 'Keep this export as it is, export the log again, and compare: find out who could write to it.'
        : 'Keep the database and its backups as they are, export the log, and find out who could write to it.',
  })
}

function placeOf(verdict: Verdict): string {
  if (!('file' in verdict) || verdict.file === undefined) return ''
  return verdict.line === undefined ? ` (${verdict.file})` : ` (${verdict.file}, line ${verdict.line})`
}

function onlineSentences({
  log,
  from,
  to,
  root,
  checkpoint_size: signed,
  anchored_size: anchored,
  note,
}: OnlineVerdict): string {
  const lines = [
    `The chain of the log ${printable(log)} is valid: entries ${from} to ${to}, every link and hash holds.`,
    `root: ${root}`,
  ]
  if (note !== undefined) lines.push(printable(note))
  if (signed > 0)
    lines.push(`A signed checkpoint covers ${signed} entries; a sink outside has acknowledged ${anchored}.`)
  return `${lines.join('\n')}\n`
}

function exportSentences({ logs }: ExportVerdict, options: VerifyOptions): string {
  return logs.map((log) => `${logSentences(log, options).join('\n')}\n`).join('')
}

function logSentences(verdict: LogVerdict, { vkey = [] }: VerifyOptions): readonly string[] {
  const { log, from, to, root, manifest, checkpoint_size: size, signed_by: signedBy, pruned_below: pruned } = verdict
  const what = to < from ? 'it is empty' : `entries ${from} to ${to}, every link and hash holds`
  const lines = [`The chain of the log ${printable(log)} is valid: ${what}.`]
  if (root !== '') lines.push(`root: ${root}`)
  if (pruned !== undefined)
    lines.push(`Truncated by policy at ${pruned}: an entry says what was taken away, and it fits.`)
  else if (from > 0) lines.push(`It begins at ${from}: what was before is not part of this export.`)
  if (size > 0) {
    const by =
      vkey.length === 0 ? 'whose signature was not checked (--vkey)' : `signed by ${signedBy.map(printable).join(', ')}`
    lines.push(`A checkpoint over ${size} entries holds, ${by}.`)
  }
  if (!manifest) lines.push('There is no manifest beside the file: a cut tail would go unseen.')
  return lines
}
