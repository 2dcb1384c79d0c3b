import type { SyntaxNode } from '@lezer/common'
import { parts, type Source } from './source.ts'

/** A call of any of the three languages, with what it calls and what it is given. */
export interface Call {
  readonly node: SyntaxNode
  /** As it is written, without blanks: `fs.promises.unlink`. Empty where it is not a chain of names. */
  readonly path: string
  /** The last name of the path, or of the member that is called on whatever else. */
  readonly name: string
  /** What the member is called on. */
  readonly target: SyntaxNode | undefined
  /** Positional arguments. */
  readonly args: readonly SyntaxNode[]
  /** Of Python: by keyword. */
  readonly keywords: ReadonlyMap<string, SyntaxNode>
}

/** All calls in the text, `new` among them. */
export function callsOf(source: Source): readonly Call[] {
  return source.nodes('CallExpression', 'NewExpression', 'CallExpr').flatMap((node) => callOf(source, node) ?? [])
}

export function callOf(source: Source, node: SyntaxNode | null | undefined): Call | undefined {
  if (node === null || node === undefined) return undefined
  if (!callKinds.has(node.name)) return undefined
  const callee = node.name === 'NewExpression' ? node.firstChild?.nextSibling : node.firstChild
  if (callee === null || callee === undefined) return undefined
  const list = node.getChild('ArgList') ?? node.getChild('Arguments')
  const keywords = new Map<string, SyntaxNode>()
  const args: SyntaxNode[] = []
  const given = parts(list)
  for (let at = 0; at < given.length; at += 1) {
    const arg = given[at]
    const value = given[at + 2]
    if (arg === undefined) break
    if (given[at + 1]?.name === 'AssignOp' && value !== undefined) {
      keywords.set(source.text(arg), value)
      at += 2
    } else args.push(arg)
  }
  const path = namePath(source, callee)
  const name = path === '' ? memberName(source, callee) : path.slice(path.lastIndexOf('.') + 1)
  const target = memberKinds.has(callee.name) ? (callee.firstChild ?? undefined) : undefined
  return { node, path, name, target, args, keywords }
}

/** `a.b.c` for a chain of names (optional chaining and brackets with a literal count), otherwise empty. */
export function namePath(source: Source, node: SyntaxNode): string {
  const names: string[] = []
  let at: SyntaxNode | null = node
  for (let level = 0; at !== null && level < 20; level += 1) {
    if (memberKinds.has(at.name)) {
      const name = memberName(source, at)
      if (name === '') return ''
      names.unshift(name)
      at = at.firstChild
    } else if (at.name === 'PostfixExpression' || at.name === 'ParenthesizedExpression') {
      // `a!` of TypeScript.
      at = parts(at)[0] ?? null
    } else if (at.name === 'VariableName' || at.name === 'this' || at.name === 'VariableDefinition') {
      names.unshift(source.text(at))
      return names.join('.')
    } else return ''
  }
  return ''
}

/** The name of the member that a member expression reads; the name itself of a name. */
export function memberName(source: Source, node: SyntaxNode): string {
  if (node.name === 'VariableName') return source.text(node)
  if (!memberKinds.has(node.name)) return ''
  const last = node.lastChild
  if (last === null) return ''
  if (last.name === 'PropertyName' || last.name === 'FieldName' || last.name === 'PrivatePropertyName')
    return source.text(last)
  const inner = parts(node).at(-1)
  return source.literal(inner) ?? ''
}

const callKinds = new Set(['CallExpression', 'NewExpression', 'CallExpr'])
const memberKinds = new Set(['MemberExpression', 'SelectorExpr', 'IndexExpr'])
