import type { Spot } from '../../collect/source-file.ts'
import type { ToolCommand, ToolWord } from '../../collect/shell/tool-commands.ts'
import type { Confidence } from '../../outcome.ts'
import { toolPrecision } from './version.ts'

/** A tool that a command takes at whatever version there is. */
export interface Floating {
  readonly word: Pick<ToolWord, 'spot'>
  readonly detail: string
  readonly confidence: Confidence
  /** Nobody can tell from here which version it will be. */
  readonly unclear?: boolean
  /** It has an exact version after all. */
  readonly exact?: boolean
}

/** Names that `npx` and its like find in the project itself, at the version of its lock file. */
export type LocalNames = ReadonlySet<string>

/** The tools that a command installs or runs without an exact version. Python packages are not among them. */
export function floatingTools(
  command: ToolCommand,
  around: readonly ToolCommand[],
  local: LocalNames,
): readonly Floating[] {
  return toolsOf(command, around, local).filter(({ exact }) => exact !== true)
}

/** The tools that a command installs or runs at an exact version. */
export function pinnedTools(command: ToolCommand): readonly Floating[] {
  return toolsOf(command, [], new Set()).filter(({ exact }) => exact === true)
}

function toolsOf(command: ToolCommand, around: readonly ToolCommand[], local: LocalNames): readonly Floating[] {
  const read = Object.hasOwn(readers, command.name) ? readers[command.name] : undefined
  return read?.(command, around, local) ?? []
}

type Reader = (command: ToolCommand, around: readonly ToolCommand[], local: LocalNames) => readonly Floating[]

const npmValued = [
  '-p',
  '--package',
  '-w',
  '--workspace',
  '--prefix',
  '--registry',
  '-C',
  '--dir',
  '--filter',
  '-F',
  '--cwd',
  '-c',
  '--call',
  '--tag',
  '--cache',
]

const readers: Readonly<Record<string, Reader>> = {
  npm: node(['install', 'i', 'in', 'add'], ['exec', 'x']),
  pnpm: node(['install', 'i', 'add'], ['dlx']),
  yarn: node(['add', 'global'], ['dlx']),
  bun: node(['install', 'i', 'add'], ['x']),
  npx: (command, _, local) => executed(command, 1, local),
  pnpx: (command, _, local) => executed(command, 1, local),
  bunx: (command, _, local) => executed(command, 1, local),
  corepack: ({ words }) => (['prepare', 'use'].includes(words[1]?.text ?? '') ? specs(words.slice(2), 'corepack') : []),
  go: golang,
  cargo,
  gem,
  dotnet,
  gh: released,
  curl: fetched,
  wget: fetched,
}

function node(installing: readonly string[], running: readonly string[]): Reader {
  return (command, _, local) => {
    const words = positional(command.words.slice(1), npmValued)
    const verb = words[0]?.text ?? ''
    if (running.includes(verb))
      return executed(command, command.words.findIndex(({ text }) => text === verb) + 1, local)
    if (!installing.includes(verb)) return []
    const rest = verb === 'global' ? words.slice(words[1]?.text === 'add' ? 2 : words.length) : words.slice(1)
    return specs(rest, command.name)
  }
}

// Packages as npm writes them: `name@version`, with `@` before the name of a scope.
function specs(words: readonly ToolWord[], program: string): readonly Floating[] {
  return words.flatMap((word) => {
    const { text } = word
    if (text.startsWith('-') || isLocalPath(text)) return []
    // An address or a repository: a commit, a tag or a version in it holds it still.
    if (/:\/\/|^(?:github|gitlab|git):|^[\w-]+\/[\w.-]+(?:#|$)/.test(text))
      return /[0-9a-f]{40}|\d+\.\d+\.\d+/.test(text)
        ? []
        : [{ word, detail: `${program} takes ${text} as it is today.`, confidence: 'high' }]
    return floating(word, program, ...nameAndVersion(text))
  })
}

function floating(word: ToolWord, program: string, name: string, version: string): readonly Floating[] {
  const precision = version === '' && name.includes('$') ? 'unclear' : toolPrecision(version)
  if (precision === 'exact') return [{ word, detail: `${name} ${version}`, confidence: 'high', exact: true }]
  if (precision === 'unclear')
    return [
      {
        word,
        detail: `Which version of ${name} ${program} takes is decided elsewhere.`,
        confidence: 'low',
        unclear: true,
      },
    ]
  const detail =
    version === ''
      ? `${program} takes the newest version of ${name}.`
      : `${program} takes ${name} at "${version}", which is no exact version.`
  return [{ word, detail, confidence: 'high' }]
}

function executed({ words, name: program }: ToolCommand, from: number, local: LocalNames): readonly Floating[] {
  const rest = words.slice(from)
  // It runs what is there, or nothing.
  if (rest.some(({ text }) => text === '--no-install' || text === '--no' || text === '--offline')) return []
  const named = rest.flatMap(({ text }, index) => {
    if (text === '-p' || text === '--package') return rest[index + 1] ?? []
    return text.startsWith('--package=') ? (rest[index] ?? []) : []
  })
  const first = rest.find(
    ({ text }, index) => !text.startsWith('-') && !npmValued.includes(rest[index - 1]?.text ?? ''),
  )
  const packages = named.length > 0 ? named : first === undefined ? [] : [first]
  return packages.flatMap((word) => {
    const text = word.text.replace(/^--package=/, '')
    const [name, version] = nameAndVersion(text)
    if (isLocalPath(text) || (version === '' && local.has(name))) return []
    const [found] = floating(word, program, name, version)
    // A binary may have another name than the package that brings it.
    return found === undefined ? [] : [version === '' && local.size > 0 ? { ...found, confidence: 'medium' } : found]
  })
}

function nameAndVersion(text: string): readonly [string, string] {
  const at = text.indexOf('@', 1)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1).replace(/^npm:.*@/, '')]
}

function isLocalPath(text: string): boolean {
  return /^(?:\.|\/|~\/|file:|link:|workspace:)|\.tgz$|\.tar\.gz$/.test(text) && !/^https?:/.test(text)
}

function golang({ words }: ToolCommand): readonly Floating[] {
  const verb = words[1]?.text ?? ''
  if (!['install', 'run', 'get'].includes(verb)) return []
  return words.slice(2).flatMap((word) => {
    const at = word.text.lastIndexOf('@')
    if (at <= 0 || word.text.startsWith('-') || !word.text.slice(0, at).includes('/')) return []
    const version = word.text.slice(at + 1)
    return /^[0-9a-f]{12,}$/.test(version) ? [] : floating(word, 'go', word.text.slice(0, at), version)
  })
}

const cargoValued =
  '--version --vers --git --branch --tag --rev --path --root --features -F --target --profile --bin --example --index --registry -j --jobs --target-dir --config'.split(
    ' ',
  )

function cargo({ words }: ToolCommand): readonly Floating[] {
  const verb = words[1]?.text.startsWith('+') === true ? 2 : 1
  const name = words[verb]?.text
  if (name !== 'install' && name !== 'binstall') return []
  const rest = words.slice(verb + 1)
  if (optionOf(rest, '--path') !== undefined) return []
  const packages = positional(rest, cargoValued)
  const [first] = packages
  const git = optionWord(rest, '--git')
  if (git !== undefined) {
    const fixed = optionOf(rest, '--rev') ?? optionOf(rest, '--tag')
    return fixed === undefined
      ? [{ word: git, detail: 'cargo builds whatever the branch holds.', confidence: 'high' }]
      : []
  }
  const version = optionOf(rest, '--version') ?? optionOf(rest, '--vers')
  const found = packages.flatMap((word) => {
    const [crate, own] = nameAndVersion(word.text)
    return floating(word, `cargo ${name}`, crate, (version ?? own).replace(/^=/, ''))
  })
  if (found.some(({ exact }) => exact !== true) || first === undefined || name === 'binstall') return found
  if (rest.some(({ text }) => text === '--locked' || text === '--frozen')) return found
  const detail = `cargo resolves the dependencies of ${nameAndVersion(first.text)[0]} anew: without --locked its lock file does not count.`
  return [...found, { word: first, detail, confidence: 'medium', unclear: true }]
}

function gem({ words }: ToolCommand): readonly Floating[] {
  if (words[1]?.text !== 'install') return []
  const rest = words.slice(2)
  const version = optionOf(rest, '-v') ?? optionOf(rest, '--version')
  return positional(rest, ['-v', '--version', '-i', '--install-dir', '-n', '--bindir', '--source', '-s', '-P']).flatMap(
    (word) => {
      if (isLocalPath(word.text) || word.text.endsWith('.gem')) return []
      const [name = '', own = ''] = word.text.split(':')
      return floating(word, 'gem', name, version ?? own)
    },
  )
}

function dotnet({ words }: ToolCommand): readonly Floating[] {
  if (words[1]?.text !== 'tool' || !['install', 'update'].includes(words[2]?.text ?? '')) return []
  const rest = words.slice(3)
  const version = optionOf(rest, '--version')
  const [word] = positional(rest, [
    '--version',
    '--tool-path',
    '--add-source',
    '--configfile',
    '--framework',
    '-v',
    '--verbosity',
  ])
  if (word === undefined) return []
  const [name, own] = nameAndVersion(word.text)
  return floating(word, 'dotnet', name, version ?? own)
}

function released({ words, spot }: ToolCommand): readonly Floating[] {
  if (words[1]?.text !== 'release' || words[2]?.text !== 'download') return []
  const valued = ['-A', '--archive', '-D', '--dir', '-O', '--output', '-p', '--pattern', '-R', '--repo']
  if (positional(words.slice(3), valued).length > 0) return []
  return [{ word: { spot }, detail: 'gh downloads from the newest release.', confidence: 'medium' }]
}

const shells = /^(?:ba|da|z|k)?sh$|^python[\d.]*$|^node$|^perl$|^ruby$/
const ownHosts = /^https?:\/\/(?:localhost|127\.|0\.0\.0\.0|169\.254\.|\[|\$|[^/]*\.local\b)/

function fetched(command: ToolCommand, around: readonly ToolCommand[]): readonly Floating[] {
  const run = isRun(command, around) || (command.captured && handedOver(command, around))
  return command.words.slice(1).flatMap((word): readonly Floating[] => {
    const { text } = word
    if (!/^https?:\/\//.test(text) || ownHosts.test(text)) return []
    // Somebody may only ask what is newest.
    if (/^https?:\/\/api\.[^?]*\/latest(?:[/?]|$)/.test(text))
      return [{ word, detail: `${command.name} asks which version is newest.`, confidence: 'low', unclear: true }]
    if (/[/@._-]latest(?:[/._-]|$)/i.test(text.replace(/[?#].*$/, '')))
      return [{ word, detail: `${command.name} takes whatever is newest.`, confidence: 'high' }]
    if (!run || /\d+\.\d+|[0-9a-f]{40}|\$/.test(text.replace(/^https?:\/\/[^/]*/, ''))) return []
    return [
      {
        word,
        detail: `${command.name} runs a script as it is today: its address names no version.`,
        confidence: 'medium',
      },
    ]
  })
}

// Behind a pipe, in front of which `sudo` may stand.
function isRun(command: ToolCommand, around: readonly ToolCommand[]): boolean {
  const { pipedTo } = command
  if (pipedTo.some((name) => shells.test(name))) return true
  if (pipedTo[0] !== 'sudo' && pipedTo[0] !== 'env') return false
  const next = around[(surroundings(around).index.get(command) ?? -2) + 1]
  return next !== undefined && shells.test(next.name)
}

// `sh -c "$(curl …)"`, `bash <(curl …)`.
function handedOver({ words }: ToolCommand, around: readonly ToolCommand[]): boolean {
  const at = words[0]?.spot.start ?? -1
  return surroundings(around).scripts.some(({ start, end }) => start <= at && at < end)
}

interface Surroundings {
  readonly index: ReadonlyMap<ToolCommand, number>
  /** Words that are scripts for a shell and have a substitution. */
  readonly scripts: readonly Spot[]
}

const surrounded = new WeakMap<readonly ToolCommand[], Surroundings>()
const scriptsMax = 200

// Worked out once for all commands of a script.
function surroundings(around: readonly ToolCommand[]): Surroundings {
  let found = surrounded.get(around)
  if (found === undefined) {
    const outer = around.filter(({ name }) => shells.test(name)).flatMap(({ words }) => words)
    const scripts = outer.filter(({ text }) => /\$\(|<\(|`/.test(text)).slice(0, scriptsMax)
    found = {
      index: new Map(around.map((command, at) => [command, at])),
      scripts: scripts.map(({ spot }) => spot),
    }
    surrounded.set(around, found)
  }
  return found
}

function positional(words: readonly ToolWord[], valued: readonly string[]): readonly ToolWord[] {
  const found: ToolWord[] = []
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]
    if (word === undefined) break
    if (valued.includes(word.text)) at += 1
    else if (!word.text.startsWith('-')) found.push(word)
  }
  return found
}

function optionWord(words: readonly ToolWord[], name: string): ToolWord | undefined {
  const at = words.findIndex(({ text }) => text === name || text.startsWith(`${name}=`))
  return at === -1 ? undefined : words[at]?.text === name ? words[at + 1] : words[at]
}

function optionOf(words: readonly ToolWord[], name: string): string | undefined {
  const text = optionWord(words, name)?.text
  return text?.startsWith(`${name}=`) === true ? text.slice(name.length + 1) : text
}
