import { forEachChild, type ParsedScript, type SyntaxNode } from 'unbash'
import { maskExpressions } from '../workflows/expressions.ts'
import { parseScript } from './parse.ts'

/** How a variable is to be written in the place of an expression in a script of bash or sh. */
export interface ShellPlace {
  readonly start: number
  readonly end: number
  /** Inside of double quotes already. */
  readonly quoted: boolean
  /** The shell would have split the value into words, which quotes end. */
  readonly splits: boolean
}

// What they are given as an argument is code once more: a variable in it would be no better.
const interpreters =
  /^(?:eval|exec|source|\.|trap|alias|ssh|su|sudo|env|xargs|find|watch|parallel|awk|gawk|sed|jq|yq|psql|mysql|sqlite3|docker|podman|kubectl|cmd)$/
// These with a flag that says so.
const inline = /^(?:(?:ba|da|z|k)?sh|node|deno|bun|python[\d.]*|perl|ruby|php|lua|pwsh|powershell)$/
const inlineFlag = /^(?:-\w*[ceEp]\w*|--eval|--print|--command|eval)$/

// Of more, or in a longer script, a person has to see to it: each one is looked for from the top.
const spotsMax = 50
const charactersMax = 65_536

/** The place of each expression of a script, by where it starts; of those that stand where a variable is as good. */
export function shellPlaces(script: string, spots: readonly { start: number; end: number }[]): Map<number, ShellPlace> {
  const places = new Map<number, ShellPlace>()
  if (spots.length > spotsMax || script.length > charactersMax) return places
  const tree = parsed(script)
  if (tree === undefined || (tree.errors ?? []).length > 0) return places
  for (const { start, end } of spots) {
    const place = placeIn(pathTo(tree, start, end), script, start, end)
    if (place !== undefined) places.set(start, place)
  }
  return places
}

function parsed(script: string): ParsedScript | undefined {
  try {
    return parseScript(maskExpressions(script))
  } catch {
    // It is nested too deeply for a fix.
    return undefined
  }
}

function pathTo(root: SyntaxNode, start: number, end: number): readonly SyntaxNode[] {
  const path: SyntaxNode[] = []
  let node: SyntaxNode | undefined = root
  while (node !== undefined) {
    path.push(node)
    let next: SyntaxNode | undefined
    forEachChild(node, (child) => {
      if (next === undefined && child.pos <= start && child.end >= end) next = child
    })
    node = next
  }
  return path
}

// Heredocs, arithmetic, expansions with an operation: left to a person.
const understood = new Set<SyntaxNode['type']>([
  'AndOr',
  'Assignment',
  'BraceGroup',
  'Case',
  'CaseItem',
  'Command',
  'CommandExpansion',
  'CompoundList',
  'DoubleQuoted',
  'Elif',
  'For',
  'Function',
  'HereString',
  'If',
  'Literal',
  'Pipeline',
  'Redirect',
  'Redirected',
  'Script',
  'SingleQuoted',
  'Statement',
  'Subshell',
  'TestBinary',
  'TestCommand',
  'TestGroup',
  'TestLogical',
  'TestNot',
  'TestUnary',
  'While',
  'Word',
])

function placeIn(path: readonly SyntaxNode[], script: string, start: number, end: number): ShellPlace | undefined {
  if (path.some((node) => !understood.has(node.type) || (node.type === 'Script' && node.source !== undefined)))
    return undefined
  if (path.some((node) => node.type === 'Command' && interprets(node))) return undefined
  const at = path.findLastIndex(({ type }) => type === 'Word')
  const parts = path.slice(at + 1)
  const quotes = parts.findLast(({ type }) => type === 'DoubleQuoted' || type === 'SingleQuoted')
  if (at === -1) return undefined
  if (quotes?.type === 'DoubleQuoted') return { start, end, quoted: true, splits: false }
  if (quotes?.type === 'SingleQuoted') {
    const alone = quotes.pos === start - 1 && quotes.end === end + 1 && script[start - 1] === "'"
    return alone ? { start: start - 1, end: end + 1, quoted: false, splits: false } : undefined
  }
  const around = path[at - 1]
  if (around?.type === 'Assignment') return { start, end, quoted: false, splits: false }
  // Not where it is the program itself, a pattern, or the list of a loop.
  if (around?.type !== 'Command' || around.name === path[at]) return undefined
  return { start, end, quoted: false, splits: true }
}

function interprets({ name, suffix }: Extract<SyntaxNode, { type: 'Command' }>): boolean {
  const program = name?.value.split('/').at(-1) ?? ''
  if (interpreters.test(program)) return true
  return inline.test(program) && suffix.some((word) => word.type === 'Word' && inlineFlag.test(word.value))
}
