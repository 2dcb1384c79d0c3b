import { CommanderError } from 'commander'
import type { Problem } from '#config'
import { paint, printable } from './print.ts'
import type { Io } from './io.ts'

/** The exit codes of every command; documented in the help and in docs/reference/cli.md. */
export const exitCodes = { ok: 0, refused: 1, usage: 2, unavailable: 3, fault: 70, interrupted: 130 } as const

export type ExitName = 'refused' | 'usage' | 'unavailable'

interface Details {
  /** What to do about it. */
  readonly todo?: string | undefined
  readonly requestId?: string | undefined
  readonly problems?: readonly Problem[] | readonly string[]
  /** Everything was said already: only the exit code is left. */
  readonly silent?: boolean
  /** How a terminal shows the problems. */
  readonly text?: string
}

/** Something expected that ends a command: shown as a sentence and what to do, never with a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exit: ExitName
  readonly code: string
  readonly details: Details

  constructor(exit: ExitName, code: string, message: string, details: Details & ErrorOptions = {}) {
    super(message, details)
    this.exit = exit
    this.code = code
    this.details = details
  }
}

/** Ends a command with the exit code of what it ran; everything was said already. */
export class ExitWith extends Error {
  override readonly name = 'ExitWith'
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`)
    this.exitCode = exitCode
  }
}

export function usage(message: string, todo?: string): CliError {
  return new CliError('usage', 'cli.usage', message, { todo })
}

/** Says what ended the command, on stderr or with `--json` as one document on stdout, and gives the exit code. */
export function report(error: unknown, json: boolean, io: Io): number {
  // Commander has written its text already, and ends help and --version this way too.
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok
    const message = error.code === 'commander.help' ? 'A command is missing; --help lists them.' : error.message
    if (json) write(io, { code: 'cli.usage', message: message.replace(/^error: /, '') })
    return exitCodes.usage
  }
  if (error instanceof ExitWith) return error.exitCode
  if (error instanceof CliError) {
    const { todo, requestId, problems, silent } = error.details
    if (silent) return exitCodes[error.exit]
    if (json) write(io, { code: error.code, message: error.message, todo, requestId, problems })
    else io.err.write(sentences(error, io))
    return exitCodes[error.exit]
  }
  const message = error instanceof Error ? error.message : String(error)
  if (json) write(io, { code: 'cli.fault', message })
  else io.err.write(`portcullis failed: ${printable(message)}\n`)
  if (io.env['PORTCULLIS_DEBUG'] === '1' && error instanceof Error) io.err.write(`${error.stack ?? ''}\n`)
  else if (!json) io.err.write('  to do: Run it again with PORTCULLIS_DEBUG=1 to see where it failed.\n')
  return exitCodes.fault
}

function sentences(error: CliError, io: Io): string {
  const { todo, requestId, problems = [], text } = error.details
  const label = paint(io.err.colours).red('error:')
  const lines = [
    `${label} ${error.message.split('\n').map(printable).join('\n')}${error.exit === 'refused' ? ` [${printable(error.code)}]` : ''}`,
    ...(text === undefined ? problems.map((each) => `  - ${showProblem(each)}`) : ['', text.trimEnd()]),
  ]
  return [
    ...lines,
    ...(todo === undefined ? [] : [`  to do: ${printable(todo)}`]),
    ...(requestId === undefined ? [] : [`  request: ${printable(requestId)}`]),
    '',
  ].join('\n')
}

function showProblem(each: Problem | string): string {
  return printable(typeof each === 'string' ? each : `${each.path}: ${each.why}`)
}

function write(io: Io, error: object): void {
  io.out.write(`${JSON.stringify({ error })}\n`)
}
