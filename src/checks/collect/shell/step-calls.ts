import { posix } from 'node:path'
import { invocationsIn, type Invocation } from './invocations.ts'
import { readShell, scriptOf } from './script.ts'
import { skipOptions } from './wrappers.ts'
import type { Scripts } from './called-scripts.ts'
import type { Spot } from '../source-file.ts'
import type { ScalarValue } from '../values/value.ts'
import type { Step } from '../workflows/workflows.ts'

/** A program that a step runs, itself or through scripts of the repository. */
export interface Call {
  readonly name: string
  readonly args: readonly string[]
  /** In the workflow. */
  readonly spot: Spot
  /** Where it runs, from the workspace; undefined where nobody can tell. */
  readonly folder: string | undefined
}

/** A task or script that a step runs and whose commands are not known. */
export interface Unread {
  /** As it is called: `make release`. */
  readonly what: string
  readonly spot: Spot
  /** Its text, where there is one that is no shell script. */
  readonly text?: string
}

export interface StepCalls {
  readonly calls: readonly Call[]
  readonly unread: readonly Unread[]
}

const none: StepCalls = { calls: [], unread: [] }
const known = new WeakMap<Step, StepCalls>()
const depthMax = 4
const callsMax = 2000

/** What the `run` of a step calls. `folder` is its working directory. */
export function callsOf(step: Step, scripts: Scripts, folder: string | undefined): StepCalls {
  const { node, run } = step
  if (run === undefined) return none
  const seen = known.get(step)
  if (seen !== undefined) return seen
  const shell = node.text('shell') ?? 'bash'
  const found = isShell(shell)
    ? shellCalls(run, scripts, folder)
    : { calls: [], unread: [{ what: `a script of ${shell}`, spot: run, text: run.text }] }
  known.set(step, found)
  return found
}

/** The calls of a command line that is the value of an input. */
export function shellCalls(text: ScalarValue, scripts: Scripts, folder: string | undefined): StepCalls {
  const reader = new Reader(scripts)
  const script = invocationsIn(scriptOf(text))
  reader.script(script, folder, (call) => text.inside(call.start, call.end), 0)
  return { calls: reader.calls, unread: reader.unread }
}

// PowerShell calls programs the way a shell does, as far as names and arguments go.
function isShell(shell: string): boolean {
  return /^(?:ba|da|z|k|pw)?sh\b|^powershell\b|^cmd\b|\$\{\{/.test(shell)
}

class Reader {
  readonly calls: Call[] = []
  readonly unread: Unread[] = []
  readonly #scripts: Scripts
  readonly #entered = new Set<string>()

  constructor(scripts: Scripts) {
    this.#scripts = scripts
  }

  script(
    all: readonly Invocation[],
    from: string | undefined,
    spotOf: (call: Invocation) => Spot,
    depth: number,
  ): void {
    let folder = from
    for (const invocation of all) {
      if (this.calls.length >= callsMax) return
      const { name, args } = invocation
      const spot = spotOf(invocation)
      if (name === 'cd' || name === 'pushd') folder = within(folder, args[0])
      else if (name === 'popd') folder = undefined
      this.calls.push({ name, args, spot, folder })
      if (depth < depthMax) this.#enter(invocation, folder, spot, depth)
    }
  }

  #enter(invocation: Invocation, folder: string | undefined, spot: Spot, depth: number): void {
    const file = fileOf(invocation)
    if (file !== undefined) return this.#file(file, folder, spot, depth)
    const task = taskOf(invocation)
    if (task === undefined) return undefined
    if (task.runner !== 'package')
      return void this.unread.push({
        what: `${invocation.name} ${task.name}`,
        spot,
        ...this.#taskText(task.runner, folder),
      })
    const tasks = this.#packageScripts(folder)
    const own = tasks?.[task.name]
    if (own === undefined && task.named) this.unread.push({ what: `${invocation.name} ${task.name}`, spot })
    for (const name of [`pre${task.name}`, task.name, `post${task.name}`]) {
      const text = tasks?.[name]
      const key = `${folder}\0${name}`
      if (typeof text !== 'string' || this.#entered.has(key)) continue
      this.#entered.add(key)
      this.script(invocationsIn(readShell(text)), folder, () => spot, depth + 1)
    }
  }

  #file(path: string, folder: string | undefined, spot: Spot, depth: number): void {
    const resolved = folder === undefined ? undefined : posix.join(folder, path)
    const text = resolved === undefined ? undefined : this.#scripts.text(resolved)
    if (text === undefined || text === '') return void this.unread.push({ what: path, spot })
    const [first = ''] = text.split('\n', 1)
    if (!/\.(?:ba|z)?sh$/.test(path) && !/^#!.*\b(?:ba|da|z)?sh\b/.test(first))
      return void this.unread.push({ what: path, spot, text })
    if (this.#entered.has(path)) return undefined
    this.#entered.add(path)
    return this.script(invocationsIn(readShell(text)), folder, () => spot, depth + 1)
  }

  #packageScripts(folder: string | undefined): Readonly<Record<string, unknown>> | undefined {
    const text = folder === undefined ? undefined : this.#scripts.text(posix.join(folder, 'package.json'))
    if (text === undefined) return undefined
    try {
      const found = (JSON.parse(text) as { readonly scripts?: unknown } | null)?.scripts
      return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {}
    } catch {
      return undefined
    }
  }

  #taskText(names: readonly string[], folder: string | undefined): { readonly text?: string } {
    for (const name of folder === undefined ? [] : names) {
      const text = this.#scripts.text(posix.join(folder ?? '.', name))
      if (text !== undefined && text !== '') return { text }
    }
    return {}
  }
}

function within(folder: string | undefined, path: string | undefined): string | undefined {
  if (path === undefined || folder === undefined) return undefined
  const plain = workspacePath(path)
  if (/[$~*`]|^-/.test(plain)) return undefined
  if (plain.startsWith('/')) return undefined
  return plain === path ? posix.join(folder, plain) : plain
}

function workspacePath(path: string): string {
  return path.replace(/^(?:\$\{?GITHUB_WORKSPACE\}?|\$\{\{\s*github\.workspace\s*\}\})\/?/, './')
}

// A script of the repository that is called by its path, or handed to an interpreter.
function fileOf({ name, program, args }: Invocation): string | undefined {
  const path = workspacePath(program)
  if (/^(?:ba|da|z|k)?sh$|^source$|^\.$/.test(name)) {
    const first = args[skipOptions(args, ['-o', '-O', '--rcfile'])]
    return first === undefined || first.startsWith('$(') ? undefined : workspacePath(first)
  }
  if (/^(?:python3?|node|tsx|ts-node|bun|ruby|perl|pwsh|php)$/.test(name)) {
    const first = args[skipOptions(args, ['-r', '--require', '--import', '-W', '-X', '-c', '-e'])]
    return first !== undefined && /\.(?:py|[cm]?[jt]sx?|rb|pl|ps1|php)$/.test(first) ? workspacePath(first) : undefined
  }
  // Programs that are installed, or come with a package or a wrapper, are no scripts of the repository.
  if (
    !path.includes('/') ||
    /^[/~$]|node_modules|(?:^|\/)(?:gradlew|mvnw|goreleaser)$/.test(path) ||
    /^@[^/]+\/[^/]+$/.test(path)
  )
    return undefined
  return path
}

interface Task {
  readonly runner: 'package' | readonly string[]
  readonly name: string
  /** It can be nothing but a task of that name. */
  readonly named: boolean
}

const makefiles = ['GNUmakefile', 'makefile', 'Makefile']
const packageCommands = new Set(
  (
    'add audit bin build cache ci config create dedupe deploy dlx exec fetch help import info init install i link list login logout ls ' +
    'node npm outdated owner pack patch plugin prune publish rebuild remove run-script set set-version store tag unlink unplug up ' +
    'update upgrade version versions why whoami workspace workspaces x changeset'
  ).split(' '),
)

function taskOf({ name, args }: Invocation): Task | undefined {
  if (/^(?:npm|pnpm|yarn|bun)$/.test(name)) {
    const rest = args.slice(
      skipOptions(args, ['--prefix', '-C', '--dir', '--cwd', '--filter', '-F', '-w', '--workspace']),
    )
    const [verb, ...more] = rest
    if (verb === 'run' || verb === 'run-script') {
      const task = more[skipOptions(more, ['-w', '--workspace', '--prefix', '--filter'])]
      return task === undefined ? undefined : { runner: 'package', name: task, named: true }
    }
    if (verb === 'test' || verb === 'start' || verb === 'version')
      return { runner: 'package', name: verb, named: false }
    if (verb === undefined || name === 'npm' || packageCommands.has(verb)) return undefined
    return { runner: 'package', name: verb, named: false }
  }
  const files: Readonly<Record<string, readonly string[]>> = {
    make: makefiles,
    gmake: makefiles,
    just: ['justfile', 'Justfile'],
    task: [],
    rake: ['Rakefile'],
    invoke: [],
    nox: [],
    gradlew: [],
    gradle: [],
    mage: [],
  }
  const runner = files[name]
  if (runner === undefined || !Object.hasOwn(files, name)) return undefined
  const all = args.filter((arg) => !arg.startsWith('-') && !arg.includes('='))
  // Of Gradle's tasks only `release` of its plugins touches the repository.
  const tasks = name.startsWith('gradle') ? all.filter((task) => /(?:^|:)release/i.test(task)) : all
  return tasks.length === 0 ? undefined : { runner, name: tasks.join(' '), named: true }
}
