import {
  forEachChild,
  type Command,
  type ParsedScript,
  type Pipeline,
  type SyntaxNode,
  type Word,
  type WordPart,
} from 'unbash'
import { maskExpressions } from '../workflows/expressions.ts'
import type { ScalarValue } from '../values/value.ts'
import { parseScript } from './parse.ts'

/** A script with what becomes of the output of its commands and where its variables come from. */
export interface ShellScript {
  /** Every simple command in the order of the text, also those in functions, substitutions and pipes. */
  readonly commands: readonly ShellCommand[]
  /** What each variable is set to, as it is written; a loop variable to its list. */
  readonly assigned: ReadonlyMap<string, readonly string[]>
  /** Words that are compared in tests, as they are written: `[ "$1" = --confirm ]`, `case "$1" in --confirm)`. */
  readonly compared: readonly string[]
  /** Where a shell would refuse the text. */
  readonly errors: readonly { readonly offset: number; readonly why: string }[]
}

/** One command of a script with its words; offsets are positions in the text that was read. */
export interface ShellCommand {
  /** The program, without its folder: `pip` of `/usr/bin/pip`; empty where it is a variable. */
  readonly name: string
  /** The program first; assignments and redirections are not among them. */
  readonly words: readonly ShellWord[]
  /** The bodies of its here-documents. */
  readonly hereDocuments: readonly ShellWord[]
  /** Where its standard output goes: to whoever reads the log, a file, the next command, a variable. */
  readonly output: 'log' | 'file' | 'pipe' | 'captured'
  /** The names of the commands behind it in the pipe. */
  readonly pipedTo: readonly string[]
  readonly start: number
  readonly end: number
}

export interface ShellWord {
  /** Quotes removed; an expansion stays as it is written. */
  readonly text: string
  /** Names of the variables whose value the word brings; not `${#NAME}`, `${NAME:+x}`. */
  readonly variables: readonly string[]
  readonly start: number
  readonly end: number
}

interface Around {
  readonly output: ShellCommand['output']
  readonly pipedTo: readonly string[]
}

const scripts = new WeakMap<ScalarValue, ShellScript>()

/** The script in the `run` of a step; each is read once. */
export function scriptOf(run: ScalarValue): ShellScript {
  const script = scripts.get(run) ?? readShell(run.text)
  scripts.set(run, script)
  return script
}

/** Reads a script of a POSIX shell or of bash. */
export function readShell(text: string): ShellScript {
  let script: ParsedScript
  try {
    // An expression of a workflow is put in before the shell sees the text: it is no expansion of the shell.
    script = parseScript(maskExpressions(text))
  } catch {
    return { commands: [], assigned: new Map(), compared: [], errors: [{ offset: 0, why: 'It is nested too deeply.' }] }
  }
  const reader = new Reader(text)
  reader.visit(script, { output: 'log', pipedTo: [] }, 0)
  return {
    commands: reader.commands.toSorted((a, b) => a.start - b.start),
    assigned: reader.assigned,
    compared: reader.compared,
    errors: (script.errors ?? []).map(({ pos, message }) => ({ offset: pos, why: message })),
  }
}

const depthMax = 300
const testPrograms = new Set(['[', 'test', '[['])

class Reader {
  readonly commands: ShellCommand[] = []
  readonly assigned = new Map<string, string[]>()
  readonly compared: string[] = []
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  visit(node: SyntaxNode, around: Around, depth: number): void {
    if (depth > depthMax) return
    // Positions in a substitution with escaped backticks count in a text of its own.
    if (node.type === 'Script' && node.source !== undefined) return
    if (node.type === 'Pipeline') {
      this.#pipeline(node, around, depth)
      return
    }
    if (node.type === 'Redirected') {
      const own = takesOutput(node.redirects) ? { output: 'file' as const, pipedTo: [] } : around
      this.visit(node.command, own, depth + 1)
      for (const redirect of node.redirects) this.visit(redirect, around, depth + 1)
      return
    }
    if (node.type === 'CommandExpansion' || node.type === 'ProcessSubstitution') {
      if (node.script !== undefined) this.visit(node.script, { output: 'captured', pipedTo: [] }, depth + 1)
      return
    }
    this.#note(node)
    if (node.type === 'Command') this.#command(node, around)
    forEachChild(node, (child) => this.visit(child, around, depth + 1))
  }

  #pipeline({ commands }: Pipeline, around: Around, depth: number): void {
    const names = commands.map((each) => (each.type === 'Command' ? programOf(each.name?.value ?? '') : ''))
    for (const [at, each] of commands.entries()) {
      const behind = names.slice(at + 1)
      this.visit(each, behind.length === 0 ? around : { output: 'pipe', pipedTo: behind }, depth + 1)
    }
  }

  // What variables are set to, and what is compared.
  #note(node: SyntaxNode): void {
    if (node.type === 'Assignment') {
      const { value } = node
      this.#assign(
        node.name,
        value.type === 'Word' ? [this.#written(value)] : value.elements.map((each) => this.#written(each)),
      )
    } else if (node.type === 'For')
      this.#assign(node.name.value, node.wordlist?.map((each) => this.#written(each)) ?? [])
    else if (node.type === 'TestUnary') this.compared.push(node.operand.text)
    else if (node.type === 'TestBinary') this.compared.push(node.left.text, node.right.text)
    else if (node.type === 'Case')
      this.compared.push(node.word.text, ...node.items.flatMap(({ pattern }) => pattern.map(({ value }) => value)))
  }

  #assign(name: string, values: readonly string[]): void {
    const known = this.assigned.get(name)
    if (known === undefined) this.assigned.set(name, [...values])
    else known.push(...values)
  }

  #command(node: Command, around: Around): void {
    const suffix = node.suffix.filter((each) => each.type === 'Word')
    const words = [...(node.name === undefined ? [] : [node.name]), ...suffix].map((word) => this.#word(word))
    const hereDocuments = node.redirects.flatMap((redirect) => {
      if (redirect.type !== 'HereDoc') return []
      const { text, parts, pos, end } = redirect.body
      return [{ text, variables: variablesOf(parts), start: pos, end }]
    })
    const name = programOf(words[0]?.text ?? '')
    if (testPrograms.has(name)) this.compared.push(...suffix.map(({ text }) => text))
    // `local name=value`, `export name=value`.
    for (const each of node.suffix) {
      if (each.type === 'Assignment' && each.value.type === 'Word') this.#assign(each.name, [this.#written(each.value)])
    }
    const own = takesOutput(node.redirects) ? { output: 'file' as const, pipedTo: [] } : around
    this.commands.push({ name, words, hereDocuments, ...own, start: node.pos, end: node.end })
  }

  // The expressions of a workflow were masked for the parser.
  #written({ pos, end }: Word): string {
    return this.#text.slice(pos, end)
  }

  #word(word: Word): ShellWord {
    const { pos, end, value, parts } = word
    const written = this.#written(word)
    return { text: written.includes('${{') ? written : value, variables: variablesOf(parts), start: pos, end }
  }
}

function programOf(text: string): string {
  return text.startsWith('$') ? '' : (text.split('/').at(-1) ?? '')
}

function takesOutput(redirects: Command['redirects']): boolean {
  return redirects.some((each) => {
    if (each.type !== 'Redirect' || !each.operator.includes('>') || each.operator === '<>') return false
    const descriptor = each.descriptor?.type === 'FileDescriptor' ? each.descriptor.value : 1
    if (descriptor !== 1) return false
    const target = each.target?.value ?? ''
    return target !== '2' && !/^\/dev\/(?:stdout|stderr|tty)$/.test(target)
  })
}

// Of the shell's special parameters none is a variable of the environment.
function variablesOf(parts: readonly WordPart[] | undefined, depth = 0): readonly string[] {
  if (parts === undefined || depth > 20) return []
  return parts.flatMap((part): readonly string[] => {
    if (part.type === 'SimpleExpansion') return [part.text.slice(1)]
    if (part.type === 'ParameterExpansion') {
      const said = part.operation?.type === 'Default' && part.operation.operator.includes('+')
      return part.prefix === '#' || said ? [] : [part.parameter]
    }
    if (part.type === 'DoubleQuoted' || part.type === 'LocaleString') return variablesOf(part.parts, depth + 1)
    return []
  })
}
