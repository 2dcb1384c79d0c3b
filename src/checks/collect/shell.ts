import { forEachChild, parse, type Command, type SyntaxNode } from 'unbash'
import { maskExpressions } from './expressions.ts'

/** One command of a script with its words; offsets are positions in the text that was parsed. */
export interface ShellCommand {
  /** The program, without its folder: `pip` of `/usr/bin/pip`; empty where it is a variable. */
  readonly name: string
  /** All words, the program first; assignments before it and redirections are not among them. */
  readonly words: readonly ShellWord[]
  readonly start: number
  readonly end: number
}

export interface ShellWord {
  /** Quotes removed; an expansion stays as it is written. */
  readonly text: string
  readonly start: number
  readonly end: number
}

export interface ShellScript {
  /** Every simple command in the order of the text, also those in functions, substitutions and pipes. */
  readonly commands: readonly ShellCommand[]
  /** Where a shell would refuse the text. */
  readonly errors: readonly { readonly offset: number; readonly why: string }[]
}

/** Reads a script of a POSIX shell or of bash. */
export function parseShell(text: string): ShellScript {
  // An expression of a workflow is put in before the shell sees the text: it is no expansion of the shell.
  const script = parse(maskExpressions(text))
  const commands: ShellCommand[] = []
  const visit = (node: SyntaxNode): void => {
    if (node.type === 'Command') commands.push(commandOf(node, text))
    // Positions in a substitution with escaped backticks count in a text of its own.
    if (node.type === 'Script' && node.source !== undefined) return
    forEachChild(node, visit)
  }
  visit(script)
  return {
    commands: commands.toSorted((a, b) => a.start - b.start),
    errors: (script.errors ?? []).map(({ pos, message }) => ({ offset: pos, why: message })),
  }
}

function commandOf(node: Command, text: string): ShellCommand {
  const suffix = node.suffix.flatMap((each) => (each.type === 'Word' ? [each] : []))
  const words = [...(node.name === undefined ? [] : [node.name]), ...suffix].map(({ value, pos, end }) => {
    const written = text.slice(pos, end)
    return { text: written.includes('${{') ? written : value, start: pos, end }
  })
  const [first] = words
  const name = first === undefined || first.text.startsWith('$') ? '' : (first.text.split('/').at(-1) ?? '')
  return { name, words, start: node.pos, end: node.end }
}
