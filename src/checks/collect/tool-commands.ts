import { skipOptions } from './invocations.ts'
import { readShell, type RunCommand } from './shell-run.ts'
import type { SourceFile, Spot } from './source-file.ts'
import type { ScalarValue } from './value.ts'

/** A command with its words and their places, without what only runs it: `pip` of `sudo -H python -m pip`. */
export interface ToolCommand {
  readonly name: string
  /** The program first. */
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
    found = commandsIn(run.text, (start, end) => run.inside(start, end))
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
  return readShell(text).commands.map((command) => toolCommand(command, place))
}

function toolCommand(command: RunCommand, place: (start: number, end: number) => Spot): ToolCommand {
  const words = stripped(command.words)
  const [program] = words
  return {
    name: nameOf(program?.text ?? ''),
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

type Words = RunCommand['words']

// Each turn takes at least one word away.
function stripped(words: Words): Words {
  let rest = words
  for (;;) {
    const taken = wrapping(rest)
    if (taken === 0 || taken >= rest.length) return rest
    rest = rest.slice(taken)
  }
}

const wrappers: Readonly<Record<string, readonly string[]>> = {
  sudo: ['-u', '-g', '-C', '-h', '-p', '-U', '--user', '--group'],
  doas: ['-u', '-C'],
  env: ['-u', '--unset', '-C', '--chdir'],
  nice: ['-n', '--adjustment'],
  nohup: [],
  time: ['-f', '-o'],
  command: [],
  exec: ['-a'],
  retry: ['-t', '-d', '-s'],
  xargs: ['-I', '-n', '-P', '-L', '-d', '-a', '-s', '-E'],
}

function wrapping(words: Words): number {
  const texts = words.map(({ text }) => text)
  const name = nameOf(texts[0] ?? '')
  const rest = texts.slice(1)
  if (/^(?:python[\d.]*|py)$/.test(name)) {
    const at = texts.indexOf('-m')
    return at > 0 && texts.slice(1, at).every((text) => text.startsWith('-')) ? at + 1 : 0
  }
  if (name === 'timeout') return 1 + skipOptions(rest, ['-k', '-s']) + 1
  const valued = Object.hasOwn(wrappers, name) ? wrappers[name] : undefined
  if (valued === undefined || (name === 'command' && /^-[vV]/.test(rest[0] ?? ''))) return 0
  let taken = 1 + skipOptions(rest, valued)
  if (name === 'xargs') return taken
  while (/^[A-Za-z_]\w*=/.test(texts[taken] ?? '')) taken += 1
  return taken
}

function nameOf(program: string): string {
  if (program.startsWith('$')) return ''
  const name = program.slice(program.lastIndexOf('/') + 1)
  return name.replace(/\.exe$/i, '')
}
