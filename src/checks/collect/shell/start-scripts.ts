import { collect, type Collector } from '../collector.ts'
import { composes } from '../containers/composes.ts'
import { dockerfiles, execForm, type Instruction } from '../containers/dockerfiles.ts'
import { parseJson } from '../values/json5.ts'
import { migrates } from './migration-commands.ts'
import { readShell, type ShellCommand } from './script.ts'
import { isReadable, type Spot } from '../source-file.ts'
import type { Tree } from '../tree.ts'
import { listed, texts, type Value } from '../values/value.ts'
import { innerScript } from './wrappers.ts'

/** What a container, a process manager or a package starts with. */
export interface StartScript {
  /** Such as `CMD` or `start`. */
  readonly called: string
  readonly commands: readonly StartCommand[]
  /** It always runs before the application does, and starts nothing itself. */
  readonly before: boolean
}

export interface StartCommand {
  readonly spot: Spot
  /** With the assignments in front of it. */
  readonly text: string
  readonly kind: 'migration' | 'start' | 'other'
}

const scriptPath =
  /(?:^|\/)(?:docker-)?(?:entry-?point|start(?:up)?|boot(?:strap)?|run|serve|launch)(?:[._-][\w.-]*)?\.(?:ba)?sh$|(?:^|\/)docker-entrypoint$/i
const initFolder = /docker-entrypoint-initdb\.d\//

export const startScripts: Collector<'repo', readonly StartScript[]> = async (tree) => {
  const found = await Promise.all([
    ofShell(tree),
    ofDockerfiles(tree),
    ofComposes(tree),
    ofPackages(tree),
    ofProcfiles(tree),
  ])
  return found.flat().filter(({ commands }) => commands.some(({ kind }) => kind === 'migration'))
}

async function ofShell(tree: Tree): Promise<readonly StartScript[]> {
  const files = await tree.readAll(tree.matching(scriptPath).filter(({ path }) => !initFolder.test(path)))
  return files.flatMap((parsed) => {
    if (!isReadable(parsed)) return []
    const { value: file } = parsed
    const spot = (start: number, end: number): Spot => ({ file, start, end })
    return [{ called: file.path, commands: commandsOf(file.text, spot), before: false }]
  })
}

async function ofDockerfiles(tree: Tree): Promise<readonly StartScript[]> {
  const files = await collect(dockerfiles, tree)
  return files.flatMap((parsed) => {
    const last = isReadable(parsed) ? parsed.value.stages.at(-1) : undefined
    const starting = ['ENTRYPOINT', 'CMD'].flatMap(
      (keyword) => last?.instructions.findLast((each) => each.keyword === keyword) ?? [],
    )
    if (starting.length === 0) return []
    return [{ called: 'the image', commands: starting.flatMap(instructionCommands), before: false }]
  })
}

function instructionCommands(instruction: Instruction): readonly StartCommand[] {
  const { file, text, textStart, start, end } = instruction
  const words = execForm(text)
  if (words !== undefined) return wordCommands(words, { file, start, end })
  return commandsOf(text, (from, to) => ({ file, start: textStart + from, end: textStart + to }))
}

async function ofComposes(tree: Tree): Promise<readonly StartScript[]> {
  const files = await collect(composes, tree)
  return files.flatMap((parsed) =>
    (isReadable(parsed) ? parsed.value.services : []).map(({ name, settings }) => ({
      called: `the service ${name.text}`,
      commands: ['entrypoint', 'command'].flatMap((key) => valueCommands(settings.get(key))),
      before: false,
    })),
  )
}

function valueCommands(value: Value | undefined): readonly StartCommand[] {
  if (value?.kind === 'scalar') return commandsOf(value.text, (from, to) => value.inside(from, to))
  return value?.kind === 'list' && listed(value).length > 0 ? wordCommands(texts(value), value) : []
}

async function ofPackages(tree: Tree): Promise<readonly StartScript[]> {
  const files = await tree.readAll(tree.matching(/(?:^|\/)package\.json$/))
  const found = await Promise.all(
    files.map(async (parsed) => {
      // The package itself is judged elsewhere: what cannot be read here starts nothing.
      if (!isReadable(parsed) || !/"(?:pre)?start/.test(parsed.value.text)) return []
      const json = await parseJson(parsed.value)
      const scripts = isReadable(json) && json.value.kind === 'map' ? json.value.map('scripts') : undefined
      return (scripts?.entries ?? []).flatMap(({ key, value }) =>
        /^(?:pre)?start(?::prod(?:uction)?)?$/.test(key.text)
          ? [{ called: `the script ${key.text}`, commands: valueCommands(value), before: key.text.startsWith('pre') }]
          : [],
      )
    }),
  )
  return found.flat()
}

async function ofProcfiles(tree: Tree): Promise<readonly StartScript[]> {
  const files = await tree.readAll(tree.matching(/(?:^|\/)Procfile$/))
  return files.flatMap((parsed) => {
    if (!isReadable(parsed)) return []
    const { value: file } = parsed
    return [...file.text.matchAll(/^(?!release:)([\w-]+):[ \t]*(.*)$/gm)].map(
      ({ index, 0: line, 1: name = '', 2: text = '' }) => {
        const from = index + line.length - text.length
        const spot = (start: number, end: number): Spot => ({ file, start: from + start, end: from + end })
        return { called: `the process ${name}`, commands: commandsOf(text, spot), before: false }
      },
    )
  })
}

function commandsOf(text: string, spotOf: (start: number, end: number) => Spot): readonly StartCommand[] {
  return readShell(text).commands.flatMap((command) => {
    const spot = spotOf(command.start, command.end)
    const words = command.words.map((word) => word.text)
    return shellOf(words) ?? [{ spot, text: text.slice(command.start, command.end), kind: kindOf(words, command) }]

    function shellOf(all: readonly string[]): readonly StartCommand[] | undefined {
      return inner(all)?.map(({ text: part, kind }) => ({ spot, text: part, kind }))
    }
  })
}

function wordCommands(words: readonly string[], spot: Spot): readonly StartCommand[] {
  const nested = inner(words)
  if (nested !== undefined) return nested.map(({ text, kind }) => ({ spot, text, kind }))
  return words.length === 0 ? [] : [{ spot, text: words.join(' '), kind: kindOf(words) }]
}

/** The commands of `sh -c '…'`. */
function inner(words: readonly string[]): readonly Omit<StartCommand, 'spot'>[] | undefined {
  const script = innerScript(words)
  return script === undefined
    ? undefined
    : readShell(script).commands.map((command) => {
        const own = command.words.map((word) => word.text)
        return { text: script.slice(command.start, command.end), kind: kindOf(own, command) }
      })
}

const neutral = new Set(
  'set echo printf cd export source . sleep wait test [ true false exit return trap local read mkdir chown chmod ls cat env until if nc pg_isready wait-for-it.sh wait-for-it wait-for dockerize date umask ulimit shift sh bash'.split(
    ' ',
  ),
)

function kindOf(words: readonly string[], command?: ShellCommand): StartCommand['kind'] {
  if (migrates(words)) return 'migration'
  const name = command?.name ?? words[0]?.split('/').at(-1) ?? ''
  return neutral.has(name) && words[1] !== '"$@"' ? 'other' : 'start'
}
