import { callOf, memberName, namePath, type Call } from '../../collect/sources/calls.ts'
import { children, parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import { kindOfName } from './secret-names.ts'

/** A literal that stands where a secret belongs, by the name that it is given. */
export interface NamedLiteral {
  readonly name: string
  readonly value: string
  readonly node: SyntaxNode
  /** It is taken where a setting is absent: nobody notices that the secret is missing. */
  readonly fallback: boolean
}

/** Every literal of the source with a name: variables, properties, defaults of settings and of functions. */
export function namedLiterals(source: Source): readonly NamedLiteral[] {
  const found = new Map<number, NamedLiteral>()
  const add = (name: string, node: SyntaxNode | undefined, fallback: boolean): void => {
    const literal = node === undefined ? undefined : literalIn(source, node)
    if (literal === undefined || name === '' || literal.value === '') return
    const known = found.get(literal.node.from)
    // The name of the setting says more than that of the variable that takes it, unless it says nothing at all.
    const own = says(literal.name) || !says(name) ? (literal.name ?? name) : name
    if (known === undefined || (literal.fallback || fallback) > known.fallback || (says(own) && !says(known.name)))
      found.set(literal.node.from, { ...literal, name: own, fallback: literal.fallback || fallback })
  }
  for (const each of source.nodes('CallExpression', 'CallExpr')) fromCall(source, each, add)
  for (const each of source.nodes('BinaryExpression')) {
    const literal = literalIn(source, each)
    if (literal?.name !== undefined) add(literal.name, each, true)
  }
  for (const each of source.nodes('VariableDeclaration', 'AssignStatement', 'VarDecl', 'VarSpec', 'ConstSpec'))
    fromDeclaration(source, each, add)
  for (const each of source.nodes('AssignmentExpression', 'Assignment')) {
    const [left, , right] = parts(each)
    if (left !== undefined && parts(each).length === 3) add(nameOf(source, left), right, false)
  }
  for (const each of source.nodes('Property', 'PropertyDeclaration', 'Element')) {
    const [key, value] = keyAndValue(each)
    if (key !== undefined) add(nameOf(source, key), value, false)
  }
  for (const each of source.nodes('PatternProperty', 'FunctionDefinition')) fromDefaults(source, each, add)
  for (const each of source.nodes('DictionaryExpression')) {
    const inner = children(each)
    for (const [at, colon] of inner.entries()) {
      const key = inner[at - 1]
      if (colon.name === ':' && key !== undefined) add(nameOf(source, key), inner[at + 1], false)
    }
  }
  return [...found.values()]
}

function says(name: string | undefined): boolean {
  return name !== undefined && kindOfName(name) !== undefined
}

type Add = (name: string, node: SyntaxNode | undefined, fallback: boolean) => void

const settingCall =
  /^(?:os\.)?getenv$|environ\.(?:get|setdefault)$|^(?:get_?env|env|env_?or|env_?or_?default|get_?env_?or(?:_?default)?|lookup_?env|must_?env|config|get_?setting)$|^(?:env|config|process\.env|settings|viper|decouple)\.(?:get|str|get_?string|set_?default|default|string)$/i

// `os.getenv(NAME, literal)`, keywords of Python, `jwt.sign(claims, literal)`.
function fromCall(source: Source, node: SyntaxNode, add: Add): void {
  const call = callOf(source, node)
  if (call === undefined) return
  const [first, second] = call.args
  const setting = source.literal(first)
  if (setting !== undefined && settingCall.test(call.path)) {
    add(setting, second ?? call.keywords.get('default'), true)
    return
  }
  if (signsTokens(call) && second !== undefined) add('jwtSecret', second, false)
  for (const [name, value] of call.keywords) add(name, value, false)
}

function signsTokens({ path }: Call): boolean {
  return /^(?:jwt|jsonwebtoken|JWT)\.(?:sign|verify|encode|decode)$/.test(path)
}

// `name: type = value`, several of them with commas, and the tuples of Go.
function fromDeclaration(source: Source, node: SyntaxNode, add: Add): void {
  if (node.name === 'VariableDeclaration' || node.name === 'AssignStatement') {
    const inner = children(node)
    for (const [at, equals] of inner.entries()) {
      if (equals.name !== 'Equals' && equals.name !== 'AssignOp') continue
      const before = inner
        .slice(Math.max(0, at - 2), at)
        .filter(({ name }) => name !== 'TypeAnnotation' && name !== 'TypeDef')
      const target = before.at(-1)
      if (target !== undefined) add(nameOf(source, target), inner[at + 1], false)
    }
    return
  }
  const inner = parts(node).filter(({ name }) => name !== 'TypeName')
  const at = inner.findIndex(({ name }) => name === '=' || name === ':=')
  if (at === -1) return
  const values = inner.slice(at + 1)
  for (const [index, target] of inner.slice(0, at).entries()) add(nameOf(source, target), values[index], false)
}

// `{ NAME = literal } = process.env`, `def f(secret="…")`.
function fromDefaults(source: Source, node: SyntaxNode, add: Add): void {
  const list = node.name === 'PatternProperty' ? node : node.getChild('ParamList')
  if (list === null) return
  const inner = children(list).filter(({ name }) => name !== 'TypeDef' && name !== 'TypeAnnotation')
  for (const [at, each] of inner.entries()) {
    const target = inner[at - 1]
    if ((each.name !== 'Equals' && each.name !== 'AssignOp') || target === undefined) continue
    const key = node.name === 'PatternProperty' ? inner[0] : target
    if (key !== undefined) add(nameOf(source, key), inner[at + 1], true)
  }
}

function keyAndValue(node: SyntaxNode): readonly [SyntaxNode | undefined, SyntaxNode | undefined] {
  const inner = children(node)
  const at = inner.findIndex(({ name }) => name === ':' || name === 'Equals')
  if (at < 1) return [undefined, undefined]
  const before = inner.slice(0, at).filter(({ name }) => name !== 'TypeAnnotation')
  return [before.at(-1), inner[at + 1]]
}

function nameOf(source: Source, node: SyntaxNode): string {
  if (node.name === 'String') return source.literal(node) ?? ''
  if (node.name === 'Key') return node.firstChild === null ? '' : nameOf(source, node.firstChild)
  const path = namePath(source, node)
  if (path !== '') return path.slice(path.lastIndexOf('.') + 1)
  if (node.name.endsWith('Definition') || node.name === 'PropertyName' || node.name === 'DefName')
    return source.text(node).replace(/^#/, '')
  return memberName(source, node)
}

interface Literal {
  readonly value: string
  readonly node: SyntaxNode
  readonly fallback: boolean
  /** Of the setting that it stands in for. */
  readonly name?: string
}

// Through what makes bytes or a default of it: Buffer.from('x'), []byte("x"), a ?? 'x', z.string().default('x').
function literalIn(source: Source, node: SyntaxNode, depth = 0): Literal | undefined {
  if (depth > 4) return undefined
  const value = source.literal(node)
  if (value !== undefined) return { value, node, fallback: false }
  if (node.name === 'Conversion' || node.name === 'ParenthesizedExpression') {
    const inner = parts(node).at(-1)
    return inner === undefined ? undefined : literalIn(source, inner, depth + 1)
  }
  if (node.name === 'BinaryExpression') {
    const [left, operator, right] = parts(node)
    if (left === undefined || operator === undefined || right === undefined) return undefined
    if (operator.name === 'as' || operator.name === 'satisfies') return literalIn(source, left, depth + 1)
    if (!['??', '||', 'or'].includes(source.text(operator)) || source.literal(left) !== undefined) return undefined
    const fallen = literalIn(source, right, depth + 1)
    if (fallen === undefined) return undefined
    const name = settingName(source, left)
    return { ...fallen, fallback: true, ...(name === '' ? {} : { name }) }
  }
  const call = callOf(source, node)
  const [first] = call?.args ?? []
  if (call === undefined || first === undefined) return undefined
  if (call.name === 'default' || call.name === 'catch') {
    const own = source.literal(first)
    return own === undefined ? undefined : { value: own, node: first, fallback: true }
  }
  if (/^Buffer\.from$|^(?:bytes|SecretStr|str)$|^createSecretKey$/.test(call.path) || call.name === 'encode')
    return literalIn(source, first, depth + 1)
  return undefined
}

// `process.env.NAME`, `os.environ["NAME"]`, `os.getenv("NAME")`, or the last name of whatever else stands there.
function settingName(source: Source, node: SyntaxNode): string {
  const call = callOf(source, node)
  if (call !== undefined) return source.literal(call.args[0]) ?? ''
  const path = namePath(source, node)
  return path === '' ? memberName(source, node) : path.slice(path.lastIndexOf('.') + 1)
}
