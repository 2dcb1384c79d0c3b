import { spawn } from 'node:child_process'
import type { ScriptEnd } from '#guard'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'

/** Runs a command on our own terminal, with these variables besides ours, and passes signals on. Throws where it cannot be started. */
export function runChild(
  program: string,
  args: readonly string[],
  io: Io,
  variables: Readonly<Record<string, string>> = {},
): Promise<ScriptEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: { ...io.env, ...variables } })
    // Ctrl-C reaches the child by itself where it shares our terminal; a second signal does it no harm.
    io.onSignal((signal) => child.kill(signal))
    child.once('error', (cause) => {
      const why = 'code' in cause && cause.code === 'EACCES' ? 'may not be executed' : 'cannot be started'
      reject(
        new CliError('unavailable', 'ops.not_started', `${program} ${why}: ${cause.message}`, {
          todo: 'Check the name and that the file is executable; write the command after --.',
          cause,
        }),
      )
    })
    child.once('exit', (code, signal) => resolve({ exitCode: code ?? 1, signal: signal ?? undefined }))
  })
}
