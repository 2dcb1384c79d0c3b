import { Help, type Command, type Option } from 'commander'
import type { Io } from './io.ts'

/** What holds for every command: no `process.exit`, output through `io`, help in one shape. */
export function settleAll(program: Command, io: Io, json: boolean): Command {
  for (const command of withInner(program)) settle(command, io, json)
  return program
}

/** The command and all below it. */
export function* withInner(command: Command): Generator<Command> {
  yield command
  for (const each of command.commands) yield* withInner(each)
}

// Each command by itself: what a command inherits is fixed when it is made, before these are set.
function settle(command: Command, io: Io, json: boolean): void {
  command
    .exitOverride()
    .showHelpAfterError(json ? false : `(portcullis ${[...pathOf(command), '--help'].join(' ')} shows how)`)
    .helpOption('-h, --help', 'show this help')
    .configureHelp({
      visibleOptions: ownFirst,
      styleTitle: (title) => (io.out.colours ? `\u001B[1m${title}\u001B[22m` : title),
    })
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => (json ? undefined : io.err.write(text)),
      getOutHasColors: () => io.out.colours,
      getErrHasColors: () => io.err.colours,
    })
  if (command.parent !== null) command.helpCommand(false)
}

// What many commands take comes after what is special to this one.
const shared = ['--dir', '--url', '--key-file', '--key', '--json', '--help']

function ownFirst(command: Command): Option[] {
  return new Help().visibleOptions(command).toSorted((a, b) => rank(a) - rank(b))
}

function rank({ long = '' }: Option): number {
  return shared.indexOf(long)
}

function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()]
}
