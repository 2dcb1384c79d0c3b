import { namePath } from '../../collect/sources/calls.ts'
import { children, enclosing, parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'

const functionKinds: ReadonlySet<string> = new Set(
  (
    'FunctionDeclaration FunctionExpression ArrowFunction MethodDeclaration Property FunctionDefinition ' +
    'LambdaExpression FunctionDecl MethodDecl FunctionLiteral'
  ).split(' '),
)

/** The function around a node; a property counts where it is a method. */
export function functionAround(node: SyntaxNode): SyntaxNode | undefined {
  let around = enclosing(node, functionKinds)
  while (around?.name === 'Property' && around.getChild('ParamList') === null) around = enclosing(around, functionKinds)
  return around
}

/** What a function is called: its own name, or that of the variable or property that holds it; empty where nothing does. */
export function functionName(source: Source, node: SyntaxNode): string {
  const own = [
    'VariableDefinition',
    'PropertyDefinition',
    'PrivatePropertyDefinition',
    'DefName',
    'FieldName',
    'VariableName',
  ]
  for (const kind of node.name === 'ArrowFunction' || node.name === 'FunctionLiteral' ? [] : own) {
    const child = node.getChild(kind)
    if (child !== null) return source.text(child)
  }
  const holder = node.parent
  if (holder === null) return ''
  const inner = children(holder)
  const at = inner.findIndex(({ from }) => from === node.from)
  const before = inner.slice(0, at).filter(({ name }) => name !== 'TypeAnnotation' && !/^(?:Equals|:|:=|=)$/.test(name))
  const target = before.at(-1)
  if (
    target === undefined ||
    !/^(?:VariableDeclaration|Property|PropertyDeclaration|AssignmentExpression|VarDecl|Assignment|Element)$/.test(
      holder.name,
    )
  )
    return ''
  const path = namePath(source, target)
  return path === '' ? source.text(target) : path.slice(path.lastIndexOf('.') + 1)
}

/** The statements that stand directly in a block, without punctuation and comments. */
export function statementsOf(block: SyntaxNode | null | undefined): readonly SyntaxNode[] {
  return parts(block)
}
