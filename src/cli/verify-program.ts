import { Command } from 'commander'
import { verifyCommand } from './commands/verify.ts'
import type { Io } from './io.ts'
import { settleAll } from './settle.ts'

/** The program with `verify` alone: it starts in a third of the time that the modules of every command take (SPEC P7). */
export function verifyProgram(io: Io, json: boolean): Command {
  return settleAll(new Command('portcullis').enablePositionalOptions().addCommand(verifyCommand(io)), io, json)
}
