import type { ToolCommand, ToolWord } from '../../collect/shell/tool-commands.ts'
import { kindOf } from '../../collect/packages/requirements.ts'

/** What a `pip install` or `uv pip install` installs. */
export interface PipInstall {
  /** The words behind `-r`. */
  readonly files: readonly ToolWord[]
  readonly constrained: boolean
  readonly packages: readonly PipPackage[]
  readonly requireHashes: boolean
  readonly noDependencies: boolean
}

export interface PipPackage {
  readonly word: ToolWord
  readonly text: string
  /** `name`: from the index; `project`: a folder; `file`: a wheel or an archive here; `address`: fetched from somewhere. */
  readonly kind: 'name' | 'project' | 'file' | 'address'
  readonly pinned: boolean
  /** It depends on a variable or an expression. */
  readonly unclear: boolean
}

const valued = new Set(
  (
    '-c --constraint -t --target -i --index-url --extra-index-url -f --find-links --prefix --root --src --cache-dir --log --platform ' +
    '--python-version --implementation --abi --upgrade-strategy --config-settings -C --progress-bar --report --no-binary --only-binary ' +
    '--trusted-host --proxy --timeout --retries --cert --client-cert --exists-action -p --python --index --default-index --link-mode ' +
    '--resolution --prerelease --exclude-newer --group --extra --override --overrides --build-constraint --index-strategy --torch-backend'
  ).split(' '),
)

/** Undefined where a command is none. */
export function pipInstallOf({ name, words }: ToolCommand): PipInstall | undefined {
  const from = installs(name, words)
  if (from === undefined) return undefined
  const files: ToolWord[] = []
  const packages: PipPackage[] = []
  const flags = new Set<string>()
  for (let at = from; at < words.length; at += 1) {
    const word = words[at]
    if (word === undefined) break
    const { text } = word
    const next = words[at + 1]
    if (text === '-r' || text === '--requirement' || text === '--requirements') {
      if (next !== undefined) files.push(next)
      at += 1
    } else if (/^(?:-r|--requirements?=)./.test(text))
      files.push(renamed(word, text.replace(/^(?:-r|--requirements?=)/, '')))
    else if (text === '-e' || text === '--editable') {
      if (next !== undefined)
        packages.push({ ...packageOf(next), kind: /:\/\//.test(next.text) ? 'address' : 'project' })
      at += 1
    } else if (valued.has(text)) {
      flags.add(text)
      at += 1
    } else if (text.startsWith('-')) flags.add(text.split('=', 1)[0] ?? '')
    else if (text !== '.\\' && text !== '`' && text !== '^') packages.push(packageOf(word))
  }
  // `uv pip sync` installs files.
  const syncs = words[from - 1]?.text === 'sync'
  return {
    files: syncs ? packages.map(({ word }) => word) : files,
    packages: syncs ? [] : packages,
    constrained: flags.has('-c') || flags.has('--constraint'),
    requireHashes: flags.has('--require-hashes'),
    noDependencies: flags.has('--no-deps'),
  }
}

// Where the words behind `install` begin.
function installs(name: string, words: readonly ToolWord[]): number | undefined {
  const text = (at: number): string => words[at]?.text ?? ''
  if (/^pip[\d.]*$/.test(name)) {
    const at = words.findIndex((word, index) => index > 0 && !word.text.startsWith('-'))
    return text(at) === 'install' ? at + 1 : undefined
  }
  if (name === 'uv' && text(1) === 'pip' && (text(2) === 'install' || text(2) === 'sync')) return 3
  return undefined
}

function packageOf(word: ToolWord): PipPackage {
  const { text } = word
  const plain = text.replace(/\[[^\]]*\]$/, '')
  const kind = /:\/\/|^git\+/.test(text)
    ? 'address'
    : /\.(?:whl|zip|tar\.gz)$|\*/.test(plain) && !/[=<>~]/.test(text)
      ? 'file'
      : /^[./~]|^[A-Za-z]:\\/.test(plain) || /^[\w.-]+\/[\w./-]*$/.test(plain)
        ? 'project'
        : 'name'
  // What a version is taken from does not say what is taken.
  const unclear = /\$|`/.test(text)
  return { word, text, kind, unclear, pinned: kindOf(text).pinned || /^[\w.[\],-]+={2,3}[^=]*\$/.test(text) }
}

function renamed(word: ToolWord, text: string): ToolWord {
  return {
    text,
    get spot() {
      return word.spot
    },
  }
}
