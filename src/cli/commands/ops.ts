import { basename } from 'node:path'
import { Command, Option } from 'commander'
import { isRefusal, refusals } from '#core'
import type { AuditDemand, ScriptRecorder } from '#guard'
import { CliError, ExitWith, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples, withKey, type ClientOptions } from '../options.ts'
import { printable } from '../print.ts'
import { runChild } from '../run-child.ts'
import { scriptRecorder } from '../script-recorder.ts'

interface OpsRunOptions extends ClientOptions {
  readonly name?: string
  readonly notDestructive?: boolean
  readonly confirm?: boolean
  readonly audit: AuditDemand
}

const demands: readonly AuditDemand[] = ['best_effort', 'required', 'required_offbox']

export function opsCommand(io: Io): Command {
  return new Command('ops').description('Guards scripts that change or destroy things.').addCommand(runCommand(io))
}

function runCommand(io: Io): Command {
  const command = withKey(
    new Command('run')
      .description(
        'Runs a command behind the guard: refused without a confirmation, its intent and outcome in the ledger. Ends with the exit code of the command. A ledger that is away stops nothing, unless --audit says so.',
      )
      .argument('<command...>', 'the command and its arguments, after --')
      .option('--name <name>', 'how the ledger names it (default: the name of the command)')
      .option('--not-destructive', 'it destroys nothing: no confirmation is needed')
      .option('--confirm', 'yes, run it (or OPS_CONFIRM=1)')
      .addOption(
        new Option('--audit <demand>', 'what the record means for the run').choices(demands).default('best_effort'),
      )
      .option('--url <url>', 'the server (default: PORTCULLIS_URL, or http://127.0.0.1:8080)'),
  ).action(async ([program = '', ...args]: readonly string[], given: OpsRunOptions) => {
    // Loaded when a script runs: every command would wait for what masks its arguments.
    const { exitCodeOf, isConfirmed, operatorName, redactArgs, runGuarded } = await import('#guard')
    const script = {
      name: (given.name ?? basename(program)).trim(),
      operator: operatorName(io.env),
      args: redactArgs(args),
      destructive: given.notDestructive !== true,
      confirmed: isConfirmed(given.confirm === true, io.env),
    }
    if (script.name === '' || script.name.length > 120)
      throw usage('The name of a script has 1 to 120 characters.', 'Name it with --name.')
    const recorder = recorderOf(given, io)
    const say = (line: string): void => io.err.write(`portcullis ops: ${printable(line)}\n`)
    const ended = await runGuarded(script, given.audit, { recorder, say, monotonic: () => io.monotonic() }, () =>
      // A script that stops where nobody confirmed hears of a --confirm that way.
      runChild(program, args, io, script.confirmed ? { OPS_CONFIRM: '1' } : {}),
    )
    if (isRefusal(ended)) {
      const { say: sentence, help } = refusals[ended.code]
      const more = ended.detail === undefined ? '' : ` ${ended.detail}`
      throw new CliError('refused', ended.code, `${sentence}${more}`, { todo: help })
    }
    const code = exitCodeOf(ended)
    if (code !== 0) throw new ExitWith(code)
  })
  return withExamples(
    command,
    'portcullis ops run --confirm -- ./examples/ops/remove-old-exports.sh /srv/exports 30',
    'portcullis ops run --not-destructive --name nightly-report -- ./report.sh',
    'portcullis ops run --confirm --audit required -- ./drop-tenant.sh acme',
  )
}

/** Without a key nobody would take the record: the run goes on without, and says so. */
function recorderOf(options: ClientOptions, io: Io): ScriptRecorder | undefined {
  const keyed = options.key !== undefined || options.keyFile !== undefined || Boolean(io.env['PORTCULLIS_KEY'])
  return keyed ? scriptRecorder(options, io) : undefined
}
