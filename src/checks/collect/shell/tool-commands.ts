import { readShell, scriptOf, type ShellCommand, type ShellScript } from './script.ts'
import type { SourceFile, Spot } from '../source-file.ts'
import type { ScalarValue } from '../values/value.ts'
import { programName, wrapperWords } from './wrappers.ts'

/** A command with its words and their places, without what only runs it: `pip` of `sudo -H python -m pip`. */
export interface ToolCommand {
  readonly name: string
  /** The program first; the bodies of here-documents last. */
  readonly words: readonly ToolWord[]
  /** The names of the commands behind it in the pipe. */
  readonly pipedTo: readonly string[]
  /** A substitution brings its output to the command around it: `sh -c "$(curl …)"`. */
  readonly captured: boolean
  readonly spot: Spot
}

export interface ToolWord {
  readonly text: string
  readonly spot: Spot
}

const known = new WeakMap<ScalarValue | SourceFile, readonly ToolCommand[]>()

/** The commands of a `run` of a workflow or an action. */
export function commandsOfRun(run: ScalarValue): readonly ToolCommand[] {
  let found = known.get(run)
  if (found === undefined) {
    found = toolCommands(scriptOf(run), (start, end) => run.inside(start, end))
    known.set(run, found)
  }
  return found
}

/** The commands of a shell script. */
export function commandsOfScript(file: SourceFile): readonly ToolCommand[] {
  let found = known.get(file)
  if (found === undefined) {
    found = commandsIn(file.text, (start, end) => ({ file, start, end }))
    known.set(file, found)
  }
  return found
}

/** The commands of a text; `place` says where a stretch of it stands. */
export function commandsIn(text: string, place: (start: number, end: number) => Spot): readonly ToolCommand[] {
  return toolCommands(readShell(text), place)
}

function toolCommands({ commands }: ShellScript, place: (start: number, end: number) => Spot): readonly ToolCommand[] {
  return commands.map((command) => toolCommand(command, place))
}

function toolCommand(command: ShellCommand, place: (start: number, end: number) => Spot): ToolCommand {
  const words = stripped([...command.words, ...command.hereDocuments])
  const [program] = words
  return {
    name: programName(program?.text ?? ''),
    // A place is looked up only where somebody asks.
    words: words.map(({ text, start, end }) => ({
      text,
      get spot() {
        return place(start, end)
      },
    })),
    pipedTo: command.pipedTo,
    captured: command.output === 'captured',
    get spot() {
      return place(program?.start ?? command.start, words.at(-1)?.end ?? command.end)
    },
  }
}

type Words = ShellCommand['words']

// Nobody puts more of them before a program.
const turnsMax = 12

function stripped(words: Words): Words {
  let rest = words
  for (let turn = 0; turn < turnsMax; turn += 1) {
    const taken = wrapperWords(rest.map(({ text }) => text))
    if (taken === 0 || taken >= rest.length) return rest
    rest = rest.slice(taken)
  }
  return rest
}
