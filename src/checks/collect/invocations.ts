import { parseShell, type ShellCommand, type ShellScript } from './shell.ts'

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

function unwrapped({ words, start, end }: ShellCommand, depth: number): readonly Invocation[] {
  let rest: readonly string[] = words.map(({ text }) => text)
  for (let turn = 0; ; turn += 1) {
    const [program = '', ...args] = rest
    const name = nameOf(program)
    const inner = scriptText(name, args)
    if (inner !== undefined && depth < nestedMax)
      return readScript(inner).commands.flatMap((each) => unwrapped({ ...each, start, end }, depth + 1))
    const inside = turn < turnsMax ? runners[name]?.(args) : undefined
    if (inside === undefined || inside.length === 0) return [{ name, program, args, start, end }]
    rest = inside
  }
}

/** What a shell makes of a text; nothing where it is nested too deeply to be read. */
export function readScript(text: string): ShellScript {
  try {
    return parseShell(text)
  } catch (error) {
    if (error instanceof RangeError) return { commands: [], errors: [{ offset: 0, why: 'It is nested too deeply.' }] }
    throw error
  }
}

function nameOf(program: string): string {
  if (program.startsWith('$')) return ''
  const name = program.split('/').at(-1) ?? ''
  const at = name.indexOf('@')
  return (at > 0 ? name.slice(0, at) : name).replace(/\.exe$/i, '')
}

function scriptText(name: string, args: readonly string[]): string | undefined {
  if (name === 'eval') return args.join(' ')
  if (!/^(?:ba|da|z|k)?sh$/.test(name)) return undefined
  const at = args.findIndex((arg) => /^-[a-z]*c$/.test(arg))
  return at === -1 ? undefined : args[at + 1]
}

type Runner = (args: readonly string[]) => readonly string[] | undefined

// Programs that run the one behind their options: which options take a value, and how many words come before it.
const runners: Readonly<Record<string, Runner>> = Object.assign(Object.create(null) as Record<string, Runner>, {
  sudo: after(['-u', '-g', '-C', '-h', '-p', '-U', '--user', '--group']),
  doas: after(['-u', '-C']),
  env: after(['-u', '--unset', '-C', '--chdir'], { assignments: true }),
  timeout: after(['-k', '-s', '--kill-after', '--signal'], { words: 1 }),
  gtimeout: after(['-k', '-s', '--kill-after', '--signal'], { words: 1 }),
  nice: after(['-n', '--adjustment']),
  ionice: after(['-c', '-n']),
  nohup: after([]),
  setsid: after([]),
  stdbuf: after(['-i', '-o', '-e']),
  time: after(['-f', '-o']),
  command: (args: readonly string[]) => (/^-[vV]/.test(args[0] ?? '') ? undefined : after([])(args)),
  exec: after(['-a']),
  builtin: after([]),
  chronic: after([]),
  retry: after(['-t', '-d', '-s', '--times', '--delay'], { words: 0 }),
  xargs: after(['-I', '-n', '-P', '-L', '-d', '-a', '-s', '-E']),
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
  python: module,
  python3: module,
  py: module,
})

function after(
  valued: readonly string[],
  more: { readonly words?: number; readonly assignments?: boolean } = {},
): Runner {
  return (args) => {
    let at = skipOptions(args, valued)
    while (more.assignments === true && /^[A-Za-z_]\w*=/.test(args[at] ?? '')) at += 1
    return args.slice(at + (more.words ?? 0))
  }
}

function verb(verbs: readonly string[], valued: readonly string[]): Runner {
  return (args) => {
    const at = skipOptions(args, valued)
    if (!verbs.includes(args[at] ?? '')) return undefined
    const rest = args.slice(at + 1)
    return rest.slice(skipOptions(rest, valued))
  }
}

function module(args: readonly string[]): readonly string[] | undefined {
  const at = args.indexOf('-m')
  return at === -1 || args.slice(0, at).some((arg) => !arg.startsWith('-')) ? undefined : args.slice(at + 1)
}

/** How many words the options before the first other word take. */
export function skipOptions(args: readonly string[], valued: readonly string[]): number {
  let at = 0
  for (; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    if (arg === '--') return at + 1
    if (!arg.startsWith('-') || arg === '-') return at
    if (valued.includes(arg)) at += 1
  }
  return Math.min(at, args.length)
}
