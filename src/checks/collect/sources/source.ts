import type { Parser, SyntaxNode, Tree as SyntaxTree } from '@lezer/common'
import type { SourceFile, Spot } from '../source-file.ts'

export type { SyntaxNode } from '@lezer/common'

/** TypeScript is JavaScript here: the nodes have the same names. */
export type Language = 'javascript' | 'python' | 'go'

/** More characters than this are not parsed. */
const sourceCharsMax = 1024 * 1024

const testPath =
  /(?:^|\/)(?:tests?|__tests__|__mocks__|specs?|e2e|fixtures?|testdata|testing|mocks?|examples?|samples?|demos?|bench(?:marks?)?)\/|[._-](?:test|tests|spec|e2e|fixture|fixtures|stories|mock)\.[^/]+$|(?:^|\/)(?:test_[^/]+|conftest)\.py$|_test\.(?:go|py)$/i

/** Code that runs for tests, examples and measurements only, by its path. */
export function isTestPath(path: string): boolean {
  return testPath.test(path)
}

/** One source file and, once somebody asks for it, its syntax tree. The parser recovers from errors; see {@link Source.unclear}. */
export class Source {
  readonly file: SourceFile
  readonly language: Language
  readonly test: boolean
  readonly #parser: Parser
  #index: ReadonlyMap<string, readonly SyntaxNode[]> | undefined
  #unclear: string | undefined

  constructor(file: SourceFile, language: Language, parser: Parser) {
    this.file = file
    this.language = language
    this.test = isTestPath(file.path)
    this.#parser = parser
  }

  /** A pattern without backtracking that is true for each text in which a lint could find something. */
  mentions(pattern: RegExp): boolean {
    return pattern.test(this.file.text)
  }

  /** Why nothing can be said about the file; parses it. */
  get unclear(): string | undefined {
    this.#nodes()
    return this.#unclear
  }

  /** All nodes of these kinds in the order of the text, kind by kind; none where the file is unclear. */
  nodes(...kinds: readonly string[]): readonly SyntaxNode[] {
    const index = this.#nodes()
    return kinds.flatMap((kind) => index.get(kind) ?? [])
  }

  text({ from, to }: { readonly from: number; readonly to: number }): string {
    return this.file.text.slice(from, to)
  }

  spot({ from, to }: { readonly from: number; readonly to: number }): Spot {
    return { file: this.file, start: from, end: to }
  }

  /** The value of a literal without anything put in; undefined for everything else. Escapes stay as they are written. */
  literal(node: SyntaxNode | null | undefined): string | undefined {
    if (node === null || node === undefined) return undefined
    if (node.name === 'TemplateString') return node.firstChild === null ? this.#unquoted(node) : undefined
    if (node.name === 'String') return this.#unquoted(node)
    if (node.name === 'ContinuedString')
      return children(node)
        .map((each) => this.literal(each) ?? '')
        .join('')
    return undefined
  }

  #unquoted(node: SyntaxNode): string {
    return this.text(node)
      .replace(/^[a-z]{0,2}(?:"""|'''|["'`])/i, '')
      .replace(/(?:"""|'''|["'`])$/, '')
  }

  #nodes(): ReadonlyMap<string, readonly SyntaxNode[]> {
    return (this.#index ??= this.#parse())
  }

  #parse(): ReadonlyMap<string, readonly SyntaxNode[]> {
    const { text } = this.file
    const index = new Map<string, SyntaxNode[]>()
    if (text.length > sourceCharsMax) {
      this.#unclear = `It is longer than ${sourceCharsMax} characters and was not parsed.`
      return index
    }
    let tree: SyntaxTree
    try {
      tree = this.#parser.parse(text)
    } catch (error) {
      this.#unclear = `It could not be parsed: ${error instanceof Error ? error.message : 'the parser failed'}.`
      return index
    }
    let nodes = 0
    let errors = 0
    tree.iterate({
      enter(reference) {
        nodes += 1
        if (reference.type.isError) errors += 1
        else if (indexed.has(reference.name)) {
          const alike = index.get(reference.name)
          if (alike === undefined) index.set(reference.name, [reference.node])
          else alike.push(reference.node)
        }
      },
    })
    if (errors < errorsMin || errors < nodes * errorShareMax) return index
    this.#unclear = `It does not parse: the parser gave up at ${errors} of ${nodes} places.`
    return new Map()
  }
}

const errorsMin = 20
const errorShareMax = 0.25
// What the lints ask for; nodes of other kinds are reached from these.
const indexed: ReadonlySet<string> = new Set(
  (
    'CallExpression NewExpression BinaryExpression AssignmentExpression Property ' +
    'VariableDeclaration PropertyDeclaration PatternProperty CatchClause TryStatement ' +
    'AssignStatement DictionaryExpression RaiseStatement WithStatement TupleExpression FunctionDefinition ' +
    'CallExpr BinaryExp Assignment VarDecl VarSpec ConstSpec Element IfStatement'
  ).split(' '),
)

/** The named and anonymous children of a node, in order. */
export function children(node: SyntaxNode): readonly SyntaxNode[] {
  const found: SyntaxNode[] = []
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child)
  return found
}

const punctuation = new Set(['(', ')', '[', ']', '{', '}', ',', ';', ':', 'Comment', 'LineComment', 'BlockComment'])

/** The children that are no punctuation and no comment. */
export function parts(node: SyntaxNode | null | undefined): readonly SyntaxNode[] {
  if (node === null || node === undefined) return []
  return children(node).filter(({ name }) => !punctuation.has(name))
}

/** The nearest node around it of one of these kinds; a few hundred levels are looked at. */
export function enclosing(node: SyntaxNode, kinds: ReadonlySet<string>): SyntaxNode | undefined {
  let around = node.parent
  for (let level = 0; around !== null && level < 400; level += 1) {
    if (kinds.has(around.name)) return around
    around = around.parent
  }
  return undefined
}
