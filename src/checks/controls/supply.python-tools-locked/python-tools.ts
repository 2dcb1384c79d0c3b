import { kindOf } from '../../collect/packages/requirements.ts'
import type { ToolCommand, ToolWord } from '../../collect/shell/tool-commands.ts'

/** What a command of uv, pipx, Poetry, PDM or Pipenv takes. */
export type PythonTool =
  | {
      readonly kind: 'package'
      readonly word: ToolWord
      readonly text: string
      readonly exact: boolean
      readonly unclear: boolean
    }
  | {
      readonly kind: 'project'
      readonly manager: 'uv' | 'poetry' | 'pdm' | 'pipenv'
      /** The word behind which an option would stand. */
      readonly word: ToolWord
      /** The command without its options. */
      readonly words: string
      /** The lock file is held to; another one ends the job. */
      readonly checks: boolean
      /** What would hold it to the lock file. */
      readonly option?: string
    }

export function pythonTools(command: ToolCommand): readonly PythonTool[] {
  const read = Object.hasOwn(readers, command.name) ? readers[command.name] : undefined
  return read?.(command.words) ?? []
}

type Words = readonly ToolWord[]

const readers: Readonly<Record<string, (words: Words) => readonly PythonTool[]>> = {
  uvx: (words) => toolRun(words.slice(1), ['--from', '--with', '-w']),
  uv,
  pipx,
  poetry: (words) => (['install', 'sync'].includes(verbOf(words)) ? [project('poetry', words, false)] : []),
  pdm: (words) => (['install', 'sync'].includes(verbOf(words)) ? [project('pdm', words, false)] : []),
  pipenv,
}

function uv(words: Words): readonly PythonTool[] {
  const verb = verbOf(words)
  const at = words.findIndex(({ text }) => text === verb)
  if (verb === 'tool') {
    const inner = words[at + 1]?.text
    if (inner === 'run') return toolRun(words.slice(at + 2), ['--from', '--with', '-w'])
    return inner === 'install' ? toolRun(words.slice(at + 2), ['--from', '--with', '-w']) : []
  }
  if (verb === 'lock') {
    const checks = words.some(({ text }) => text === '--check' || text === '--locked')
    return checks ? [project('uv', words, true)] : []
  }
  if (verb !== 'run' && verb !== 'sync' && verb !== 'export') return []
  const options = ownOptions(words.slice(at + 1))
  const outside = options.some(({ text }) => ['--no-project', '--script', '--no-sync', '--isolated'].includes(text))
  const script = verb === 'run' && options.some(({ text }) => text === '-s')
  const withs = valuesOf(words.slice(at + 1, at + 1 + options.length), ['--with', '-w']).flatMap(packageTool)
  if (outside || script) return withs
  const checks = options.some(({ text }) => ['--locked', '--frozen', '--check'].includes(text))
  const word = words[at]
  return word === undefined ? withs : [project('uv', words, checks, word, '--locked'), ...withs]
}

const uvValued =
  '--with -w --with-editable --with-requirements --python -p --group --only-group --no-group --extra --no-extra --env-file --directory --project --package --index --default-index -m --module --exclude-newer --cache-dir --config-file --color -o --output-file --format'.split(
    ' ',
  )

// The options before the program that is run.
function ownOptions(words: Words): Words {
  let at = 0
  for (; at < words.length; at += 1) {
    const text = words[at]?.text ?? ''
    if (text === '--' || !text.startsWith('-')) break
    if (uvValued.includes(text)) at += 1
  }
  return words.slice(0, Math.min(at, words.length))
}

function pipx(words: Words): readonly PythonTool[] {
  const verb = verbOf(words)
  if (verb !== 'run' && verb !== 'install') return []
  const rest = words.slice(words.findIndex(({ text }) => text === verb) + 1)
  return toolRun(rest, ['--spec'], ['--python', '--suffix', '--index-url', '-i', '--pip-args'], verb === 'install')
}

function pipenv(words: Words): readonly PythonTool[] {
  const verb = verbOf(words)
  if (verb === 'sync') return [project('pipenv', words, true)]
  if (verb !== 'install') return []
  const checks = words.some(({ text }) => text === '--deploy' || text === '--ignore-pipfile')
  return [
    project(
      'pipenv',
      words,
      checks,
      words.find(({ text }) => text === verb),
      '--deploy',
    ),
  ]
}

// `uvx --from 'ruff==0.6.1' ruff`: what is named by options counts instead of the program.
function toolRun(words: Words, named: readonly string[], valued = uvValued, several = false): readonly PythonTool[] {
  const all = [...valued, ...named]
  const given = valuesOf(words, named)
  const source = words.some(({ text }) => /^--(?:from|spec)\b/.test(text))
  const found: ToolWord[] = [...given]
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]
    if (word === undefined || word.text === '--') break
    if (all.includes(word.text)) at += 1
    else if (!word.text.startsWith('-')) {
      if (!source) found.push(word)
      if (!several) break
    }
  }
  return found.flatMap(packageTool)
}

function packageTool(word: ToolWord): readonly PythonTool[] {
  const text = word.text.replace(/^--[a-z]+=/, '')
  if (/^[./~]|:\/\/|^git\+|\.whl$/.test(text)) return []
  const [, version] = /^[\w.[\],-]+@(.+)$/.exec(text) ?? []
  const unclear = /\$/.test(text)
  const exact = version === undefined ? kindOf(text).pinned : /^\d+(?:\.\d+)+[\w.+!-]*$/.test(version)
  return text === '' ? [] : [{ kind: 'package', word, text, exact, unclear }]
}

function valuesOf(words: Words, names: readonly string[]): Words {
  return words.flatMap((word, index) => {
    const next = words[index + 1]
    if (names.includes(word.text)) return next === undefined ? [] : [next]
    return names.some((name) => word.text.startsWith(`${name}=`)) ? [word] : []
  })
}

function project(
  manager: 'uv' | 'poetry' | 'pdm' | 'pipenv',
  words: Words,
  checks: boolean,
  word: ToolWord | undefined = words[0],
  option?: string,
): PythonTool {
  const [first] = words
  const at = word ?? first
  if (at === undefined) throw new Error('a command has a word')
  const plain = words.filter(({ text }) => !text.startsWith('-')).map(({ text }) => text)
  const base = { kind: 'project', manager, word: at, words: plain.slice(1, 4).join(' '), checks } as const
  return option === undefined ? base : { ...base, option }
}

function verbOf(words: Words): string {
  const valued = ['--directory', '--project', '-C', '-P', '--config-file', '--cache-dir', '--color', '-p']
  for (let at = 1; at < words.length; at += 1) {
    const text = words[at]?.text ?? ''
    if (valued.includes(text)) at += 1
    else if (!text.startsWith('-')) return text
  }
  return ''
}
