import type { Command } from 'commander'
import { scopes } from '#core'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** What can be typed after the commands in `path`, such as `agent create`. */
interface Place {
  readonly path: string
  readonly words: readonly Word[]
}

interface Word {
  readonly text: string
  readonly help: string
  /** An option that is followed by a value. */
  readonly takesValue?: boolean
}

/** A script for one shell. It is complete in itself: completing starts no process. */
export function completionScript(shell: Shell, program: Command, methods: readonly string[]): string {
  const places = [...placesOf(program, [], methods)]
  const scopeNames = [...scopes.keys()]
  const writers = { bash, zsh, fish } as const satisfies Record<Shell, unknown>
  return writers[shell](places, scopeNames)
}

function* placesOf(command: Command, path: readonly string[], methods: readonly string[]): Generator<Place> {
  const inner = command.commands.map((each) => ({ text: each.name(), help: each.summary() || each.description() }))
  const options = command.options.map(({ long = '', description, required }) => ({
    text: long,
    help: description,
    takesValue: required,
  }))
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices)
  const values = (command.name() === 'call' ? methods : choices).map((text) => ({ text, help: '' }))
  yield {
    path: path.join(' '),
    words: [...inner, ...values, ...options, { text: '--help', help: 'help for this command' }],
  }
  for (const each of command.commands) yield* placesOf(each, [...path, each.name()], methods)
}

function bash(places: readonly Place[], scopeNames: readonly string[]): string {
  const cases = places.map(({ path, words }) => `    '${path}') words='${words.map(({ text }) => text).join(' ')}' ;;`)
  return `# portcullis completion for bash: source <(portcullis completion bash)
_portcullis() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${pathPattern(places)}) path="\${path:+$path }$word" ;;
    esac
  done
  if [[ $prev == --scopes ]]; then
    COMPREPLY=($(compgen -W '${scopeNames.join(' ')}' -- "$cur"))
    return
  fi
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _portcullis portcullis
`
}

function zsh(places: readonly Place[], scopeNames: readonly string[]): string {
  const cases = places.map(({ path, words }) => `    '${path}') entries=(${words.map(zshItem).join(' ')}) ;;`)
  return `#compdef portcullis
# portcullis completion for zsh: portcullis completion zsh > "\${fpath[1]}/_portcullis"
_portcullis() {
  local where='' word
  local -a entries
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${where:+$where }$word" in
      ${pathPattern(places)}) where="\${where:+$where }$word" ;;
    esac
  done
  if [[ $words[CURRENT-1] == --scopes ]]; then
    _values -s , scope ${scopeNames.map((name) => quoted(name.replaceAll(':', '\\:'))).join(' ')}
    return
  fi
  case "$where" in
${cases.join('\n')}
  esac
  _describe portcullis entries || _files
}
if [[ $funcstack[1] == _portcullis ]]; then _portcullis "$@"; else compdef _portcullis portcullis; fi
`
}

function fish(places: readonly Place[], scopeNames: readonly string[]): string {
  const lines = places.flatMap(({ path, words }) => words.map((word) => fishLine(path, word)))
  return `# portcullis completion for fish: portcullis completion fish > ~/.config/fish/completions/portcullis.fish
function __portcullis_at
  set -l where ''
  for word in (commandline -opc)[2..]
    switch (string trim "$where $word")
      case ${places.flatMap(({ path }) => (path === '' ? [] : `'${path}'`)).join(' ')}
        set where (string trim "$where $word")
    end
  end
  test "$where" = "$argv[1]"
end
${lines.join('\n')}
complete -c portcullis -l scopes -x -a '${scopeNames.join(' ')}'
`
}

function zshItem({ text, help }: Word): string {
  return quoted(`${text.replaceAll(':', '\\:')}${help && `:${oneLine(help)}`}`)
}

function fishLine(path: string, { text, help, takesValue }: Word): string {
  const about = help && ` -d ${quoted(oneLine(help))}`
  const what = text.startsWith('--') ? `-l ${text.slice(2)}${takesValue ? ' -r' : ''}` : `-f -a ${quoted(text)}`
  return `complete -c portcullis -n '__portcullis_at "${path}"' ${what}${about}`
}

function pathPattern(places: readonly Place[]): string {
  return places.flatMap(({ path }) => (path === '' ? [] : `'${path}'`)).join('|')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ')
}
