import { readShell, type ShellCommand, type ShellScript } from './script.ts'
import { innerScript, programName, skipOptions, wrapperWords } from './wrappers.ts'

/** A program that a script runs, without what only runs it: `git` of `sudo -E timeout 60 git push`. */
export interface Invocation {
  /** Without its folder and its version; empty where it is a variable. */
  readonly name: string
  /** As it is written. */
  readonly program: string
  readonly args: readonly string[]
  /** Positions in the text of the script. */
  readonly start: number
  readonly end: number
}

const nestedMax = 3
// Nobody puts more of them before a program.
const turnsMax = 12

/** Every program of a script in the order of its text, also those in `bash -c '…'`. */
export function invocationsIn(script: ShellScript): readonly Invocation[] {
  return script.commands.flatMap((command) => unwrapped(command, 0))
}

function unwrapped(
  { words, start, end }: Pick<ShellCommand, 'words' | 'start' | 'end'>,
  depth: number,
): readonly Invocation[] {
  let rest: readonly string[] = words.map(({ text }) => text)
  for (let turn = 0; ; turn += 1) {
    const [program = '', ...args] = rest
    const name = nameOf(program)
    const inner = name === 'eval' ? args.join(' ') : innerScript(rest)
    if (inner !== undefined && depth < nestedMax)
      return readShell(inner).commands.flatMap((each) => unwrapped({ ...each, start, end }, depth + 1))
    const inside = turn < turnsMax ? insideOf(name, rest) : undefined
    if (inside === undefined || inside.length === 0) return [{ name, program, args, start, end }]
    rest = inside
  }
}

function insideOf(name: string, words: readonly string[]): readonly string[] | undefined {
  const taken = wrapperWords(words)
  return taken === 0 ? runners[name]?.(words.slice(1)) : words.slice(taken)
}

// Without the version of `npx tool@1`.
function nameOf(program: string): string {
  const name = programName(program)
  const at = name.indexOf('@')
  return at > 0 ? name.slice(0, at) : name
}

type Runner = (args: readonly string[]) => readonly string[] | undefined

// Programs of package managers that run the one behind their options: which options take a value.
const runners: Readonly<Record<string, Runner>> = Object.assign(Object.create(null) as Record<string, Runner>, {
  npx: after(['-p', '--package', '-w', '--workspace']),
  bunx: after(['-p', '--package']),
  pnpx: after(['-p', '--package']),
  corepack: (args: readonly string[]) => (/^(?:npm|pnpm|yarn)/.test(args[0] ?? '') ? args : undefined),
  pnpm: verb(['exec', 'dlx'], ['-C', '--dir', '--filter', '-F', '--package']),
  npm: verb(['exec', 'x'], ['-p', '--package', '-w', '--workspace', '--prefix']),
  yarn: verb(['exec', 'dlx'], ['-p', '--package']),
  bun: verb(['x'], []),
  deno: () => undefined,
  uvx: after(['--from', '--with', '--python', '-p']),
  uv: (args: readonly string[]) =>
    args[0] === 'tool'
      ? verb(['run'], ['--from', '--with', '--python', '-p'])(args.slice(1))
      : verb(
          ['run'],
          ['--with', '--python', '-p', '--group', '--extra', '--project', '--directory', '--package'],
        )(args),
  pipx: verb(['run'], ['--spec', '--python']),
  poetry: verb(['run'], ['-C', '--directory', '-P', '--project']),
  pdm: verb(['run'], ['-p', '--project']),
  rye: verb(['run'], []),
  bundle: verb(['exec'], []),
  mise: (args: readonly string[]) =>
    ['exec', 'x'].includes(args[0] ?? '') && args.includes('--') ? args.slice(args.indexOf('--') + 1) : undefined,
})

function after(valued: readonly string[]): Runner {
  return (args) => args.slice(skipOptions(args, valued))
}

function verb(verbs: readonly string[], valued: readonly string[]): Runner {
  return (args) => {
    const at = skipOptions(args, valued)
    if (!verbs.includes(args[at] ?? '')) return undefined
    const rest = args.slice(at + 1)
    return rest.slice(skipOptions(rest, valued))
  }
}
