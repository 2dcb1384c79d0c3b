import type { Collector } from '../collector.ts'
import { isReadable, type Parsed, type Problem, type SourceFile, type Spot } from '../source-file.ts'
import { statementsInside } from './nested.ts'
import type { Node } from './node.ts'
import { splitSql, type Piece } from './split.ts'

/** The statements of an SQL file, those that take a migration back left out. */
export interface SqlFile {
  readonly file: SourceFile
  readonly statements: readonly SqlStatement[]
}

export interface SqlStatement {
  /** Of PostgreSQL's parser, such as `GrantStmt`. */
  readonly kind: string
  readonly node: Node
  readonly spot: Spot
  /** It stands in a `do` block: whether it runs depends on what is around it. */
  readonly nested: boolean
}

const sqlPath = /\.(?:sql|psql|pgsql|ddl)$/i
// Never run against the database that is judged, or only to go back.
const otherPath =
  /(?:^|\/)(?:tests?|testdata|fixtures|examples?|down|rollbacks?|node_modules|vendor)\/|(?:\.|_|-|^|\/)(?:down|rollback|undo)\.[a-z]+$|(?:^|\/)U\d[^/]*__[^/]*$/i
// Rows, and what changes nothing that is judged. The rest is parsed, so that what is no SQL at all is said.
const skipped = /^(?:insert|comment|set\s+(?!search_path|schema|role)|analyze|vacuum|begin|commit|start|end|reset)\b/i
const statementCharsMax = 200_000
const nestingMax = 300
const problemsMax = 5
const statementsMax = 40_000

/** In the order in which migrations run: by path, numbers by their value. */
export const sqlFiles: Collector<'repo', readonly Parsed<SqlFile>[]> = async (tree) => {
  const found = tree.matching(sqlPath).filter(({ path }) => tree.single || !otherPath.test(path))
  if (found.length === 0) return []
  const order = new Intl.Collator('en', { numeric: true })
  const sorted = found.toSorted((a, b) => order.compare(a.path, b.path))
  const [files, parser] = await Promise.all([tree.readAll(sorted), sqlParser()])
  return files.flatMap((parsed) => (isReadable(parsed) ? fileOf(parsed.value, parser) : [parsed]))
}

/** PostgreSQL's own parsers, as JSON; both throw where the text is none. */
export interface SqlParser {
  readonly parse: (text: string) => readonly Node[]
  /** Of a whole `create function` or `do`. */
  readonly parseBody: (text: string) => Node
}

export async function sqlParser(): Promise<SqlParser> {
  const { loadModule, parseSync, parsePlPgSQLSync } = await import('libpg-query')
  await loadModule()
  return {
    parse: (text) => {
      const parsed = parseSync(text) as { readonly stmts?: readonly { readonly stmt?: Node }[] }
      return (parsed.stmts ?? []).flatMap(({ stmt }) => (stmt === undefined ? [] : [stmt]))
    },
    parseBody: (text) => parsePlPgSQLSync(text) as Node,
  }
}

function fileOf(file: SourceFile, parser: SqlParser): readonly Parsed<SqlFile>[] {
  const statements: SqlStatement[] = []
  const problems: Problem[] = []
  let count = 0
  for (const piece of splitSql(file.text)) {
    if (piece.undo || isSkipped(file.text, piece)) continue
    if ((count += 1) > statementsMax)
      return [{ file, unreadable: { offset: piece.start, why: `It has more than ${statementsMax} statements.` } }]
    const spot = { file, start: piece.start, end: piece.end }
    try {
      for (const stmt of parsedPiece(file.text, piece, parser.parse)) {
        const [kind = ''] = Object.keys(stmt)
        const statement = { kind, node: stmt[kind] as Node, spot, nested: false }
        statements.push(statement, ...(kind === 'DoStmt' ? statementsInside(statement, parser) : []))
      }
    } catch (error) {
      const { why, offset } = reasonOf(error, file.text, piece)
      problems.push({ spot: { file, start: offset, end: offset }, why })
    }
  }
  // Another dialect, or a template that something fills in first: nothing of it is PostgreSQL's.
  if (problems.length > 0 && isForeign(file.text)) return []
  return [{ file, value: { file, statements }, problems: problems.slice(0, problemsMax) }]
}

function isSkipped(text: string, { start, end }: Piece): boolean {
  if (!skipped.test(text.slice(start, start + 40))) return false
  return end - start > statementCharsMax || !text.slice(start, end).includes('part_config')
}

function parsedPiece(text: string, { start, end }: Piece, parse: SqlParser['parse']): readonly Node[] {
  const statement = text.slice(start, end)
  if (statement.length > statementCharsMax || isNestedTooDeeply(statement)) throw new TooLarge()
  try {
    return parse(statement)
  } catch (error) {
    // Variables of psql (:name, :'name') stand for a name or a value.
    const filled = statement.replaceAll(/(?<![:\w\])]):(?=["']?[A-Za-z_])/g, ' ')
    if (filled === statement) throw error
    return parse(filled)
  }
}

class TooLarge extends Error {
  override readonly name = 'TooLarge'
}

// The parser recurses, and its memory is not ours to overflow.
function isNestedTooDeeply(statement: string): boolean {
  let depth = 0
  let deepest = 0
  for (const char of statement) {
    if (char === '(' || char === '[') deepest = Math.max(deepest, (depth += 1))
    else if (char === ')' || char === ']') depth -= 1
  }
  return deepest > nestingMax
}

function reasonOf(error: unknown, text: string, { start }: Piece): { readonly why: string; readonly offset: number } {
  if (error instanceof TooLarge)
    return { why: 'This statement is too long or nested too deeply to be read.', offset: start }
  const place =
    (error as { readonly sqlDetails?: { readonly cursorPosition?: number } }).sqlDetails?.cursorPosition ?? 0
  // It counts bytes.
  const bytes = Buffer.from(text.slice(start, start + statementCharsMax))
  const offset = start + bytes.subarray(0, place).toString().length
  return { why: 'PostgreSQL would not accept this statement.', offset }
}

const foreignMarks = [
  /^[^'\n]{0,200}`\w/m,
  /\b(?:engine\s{0,5}=|auto_increment|autoincrement|identity\s{0,5}\(\s{0,5}1|nvarchar|varchar2|pragma\s)/i,
  /^\s{0,20}(?:go|delimiter\b.{0,10})\s{0,20}$/im,
  /\[dbo\]|\bdbo\./i,
  /@[A-Za-z_]{3,40}@|\{\{|\{%|<%|\$\{\w/,
]

function isForeign(text: string): boolean {
  return foreignMarks.some((mark) => mark.test(text))
}
