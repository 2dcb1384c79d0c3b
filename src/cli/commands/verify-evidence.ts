import { createHash } from 'node:crypto'
import { Command } from 'commander'
import { readBoundedFile } from '../bounded-read.ts'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples, withJson, withList, type JsonOption, type ListOptions } from '../options.ts'
import { printable } from '../print.ts'
import { collect } from '../values.ts'

const checkpointBytesMax = 64 * 1024
const reportBytesMax = 16 * 1024 * 1024

interface Options extends JsonOption {
  readonly offline: string
  readonly vkey?: readonly string[]
  readonly checkpoint?: readonly string[]
}

/** `portcullis verify reports`: what was recorded. */
export function reportsCommand(io: Io): Command {
  const command = withList(new Command('reports'))
    .description('Lists the reports that were recorded, newest first.')
    .option('--target <target>', 'of this target alone, as a report names it')
    .action(async (options: ListOptions & { readonly target?: string }) => {
      // What talks to a server is loaded when it is asked.
      const [{ printList }, { reportList }] = await Promise.all([import('../lists.ts'), import('../posture.ts')])
      await printList(reportList, options.target === undefined ? {} : { target: options.target }, options, io)
    })
  return withExamples(command, 'portcullis verify reports', 'portcullis verify reports --json')
}

/** `portcullis verify evidence`: proves without a server that a report is the one that was recorded. */
export function evidenceCommand(io: Io): Command {
  const command = withJson(new Command('evidence'))
    .description(
      'Proves without a server that a report of `verify --format json` is the one that was recorded: verifies an export of the ledger, and looks for the digest of the report in it.',
    )
    .argument('<report>', 'the report, byte for byte as it was printed')
    .requiredOption('--offline <export>', 'a folder or file of `ledger export`')
    .option('--vkey <key>', 'the public key that the checkpoint must be signed with; one for each log', collect)
    .option('--checkpoint <file>', 'a checkpoint that was kept elsewhere', collect)
    .action(async (report: string, { offline, vkey = [], checkpoint = [], json }: Options) => {
      const { findEvidence } = await import('#checks')
      const sha256 = createHash('sha256').update(readBoundedFile(report, reportBytesMax)).digest('hex')
      const checkpoints = checkpoint.map((file) => readBoundedFile(file, checkpointBytesMax))
      const { ledger, entries } = await findEvidence(offline, sha256, { keys: vkey, checkpoints }).catch(
        (error: unknown) => {
          const why = error instanceof Error ? error.message : String(error)
          throw new CliError('usage', 'cli.usage', `${offline} cannot be verified: ${why}.`, {
            todo: 'Name the folder or the file that `portcullis ledger export` wrote with --offline.',
          })
        },
      )
      const found = ledger.chain_valid && entries.length > 0
      if (json) {
        io.out.write(
          `${JSON.stringify({ recorded: found, reportSha256: sha256, chain_valid: ledger.chain_valid, entries })}\n`,
        )
      } else if (found) {
        for (const { log, seq, at, caller } of entries)
          io.out.write(`Recorded at ${at} by ${printable(caller)}, entry ${seq} of the log ${printable(log)}.\n`)
      }
      if (found) return
      const why = ledger.chain_valid
        ? 'No entry of this export says that this report was recorded.'
        : 'The export is broken, and proves nothing.'
      throw new CliError('refused', 'verify.not_recorded', why, {
        silent: json === true,
        todo: ledger.chain_valid
          ? 'Take the report as it was printed, and an export that reaches to when it was recorded.'
          : `\`portcullis ledger verify --offline ${printable(offline)}\` says what is wrong.`,
      })
    })
  return withExamples(command, 'portcullis verify evidence report.json --offline ./ledger-2026-11')
}
