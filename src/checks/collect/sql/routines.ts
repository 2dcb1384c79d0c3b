import { constantOf, namesOf, nodeAt, nodesAt, textAt, within, type Node } from './node.ts'
import type { SqlParser } from './sql-files.ts'

type Parse = SqlParser['parse']

export const changes = ['update', 'delete', 'truncate'] as const
/** What takes an entry of a log away or makes it another one. */
export type Change = (typeof changes)[number]

/** How sure a change is refused. */
export type Refusal = 'always' | 'sometimes' | 'never'

export interface Routine {
  /** As it was named, schema and all. */
  readonly name: readonly string[]
  /** As a trigger: which changes end in an error. */
  readonly refuses: Readonly<Record<Change, Refusal>>
  /** What it changes itself, by the name of the table. */
  readonly writes: readonly { readonly change: Change; readonly table: readonly string[] }[]
}

const never: Routine['refuses'] = { update: 'never', delete: 'never', truncate: 'never' }
const unknown: Routine['refuses'] = { update: 'sometimes', delete: 'sometimes', truncate: 'sometimes' }

/** Reads a `create function`; a language that is not read here may refuse or not. */
export function routineOf(node: Node, source: string, { parse, parseBody }: SqlParser): Routine {
  const name = namesOf(nodesAt(node, 'funcname'))
  const language = optionOf(node, 'language')?.toLowerCase() ?? 'sql'
  if (language === 'sql') return { name, refuses: never, writes: writesIn([node], parse, bodyOf(node)) }
  // The parser of bodies ends the process where there is no body.
  if (language !== 'plpgsql' || bodyOf(node) === '') return { name, refuses: unknown, writes: [] }
  try {
    const body = parseBody(source)
    const statements = nodesAt(body, 'plpgsql_funcs')
    const block = nodeAt(statements[0], 'PLpgSQL_function', 'action')
    const isTrigger = namesOf(nodesAt(node, 'returnType', 'names')).includes('trigger')
    const refuses = (change: Change): Refusal => {
      if (!isTrigger) return 'never'
      const ends = endsOf(block === undefined ? [] : [block], change, parse)
      if (!ends.has('error')) return 'never'
      return ends.size === 1 ? 'always' : 'sometimes'
    }
    return {
      name,
      refuses: { update: refuses('update'), delete: refuses('delete'), truncate: refuses('truncate') },
      writes: queriesIn(body).flatMap((query) => writesIn([], parse, query)),
    }
  } catch {
    // PostgreSQL reads a body when it runs it: what this reader cannot follow may refuse or not.
    return { name, refuses: unknown, writes: [] }
  }
}

/** The static SQL and the expressions of a body. */
export function queriesIn(body: Node): readonly string[] {
  return [...within(body)].flatMap((node) => textAt(node, 'PLpgSQL_expr', 'query') ?? [])
}

export function optionOf(node: Node, name: string): string | undefined {
  const option = nodesAt(node, 'options').find((each) => textAt(each, 'DefElem', 'defname') === name)
  return constantOf(nodeAt(option, 'DefElem', 'arg'))
}

export function tableName(relation: Node | undefined): readonly string[] {
  const inner = nodeAt(relation, 'RangeVar') ?? relation
  const [schema, name] = [textAt(inner, 'schemaname'), textAt(inner, 'relname')]
  if (name === undefined) return []
  return schema === undefined ? [name] : [schema, name]
}

function bodyOf(node: Node): string {
  const as = nodesAt(node, 'options').find((each) => textAt(each, 'DefElem', 'defname') === 'as')
  return constantOf(nodesAt(as, 'DefElem', 'arg', 'List', 'items')[0]) ?? ''
}

function writesIn(nodes: readonly Node[], parse: Parse, text: string): Routine['writes'] {
  const parsed = /\b(?:update|delete|truncate)\b/i.test(text) ? attempt(text, parse) : []
  return [...nodes, ...parsed].flatMap((node) =>
    [...within(node)].flatMap((each) => {
      const inserted = nodeAt(each, 'InsertStmt')
      const overwrites = textAt(inserted, 'onConflictClause', 'action') === 'ONCONFLICT_UPDATE'
      const updated = overwrites ? nodeAt(inserted, 'relation') : nodeAt(each, 'UpdateStmt', 'relation')
      const deleted = nodeAt(each, 'DeleteStmt', 'relation')
      return [
        ...(updated === undefined ? [] : [write('update', updated)]),
        ...(deleted === undefined ? [] : [write('delete', deleted)]),
        ...nodesAt(each, 'TruncateStmt', 'relations').map((relation) => write('truncate', relation)),
      ]
    }),
  )
}

function write(change: Change, relation: Node): Routine['writes'][number] {
  return { change, table: tableName(relation) }
}

function attempt(text: string, parse: Parse): readonly Node[] {
  try {
    return parse(text)
  } catch {
    // An expression, an assignment: nothing that writes.
    return []
  }
}

const errorLevel = 21
const depthMax = 50

/** How a run of statements can end: with an error, with a RETURN, or by going on behind them. */
type End = 'error' | 'return' | 'on'

function endsOf(statements: readonly Node[], change: Change, parse: Parse, depth = 0): ReadonlySet<End> {
  const ends = new Set<End>()
  for (const statement of statements) {
    const own = depth > depthMax ? either : endsOfOne(statement, change, parse, depth)
    for (const end of own) if (end !== 'on') ends.add(end)
    if (!own.has('on')) return ends
  }
  return ends.add('on')
}

const on: ReadonlySet<End> = new Set(['on'])
const either: ReadonlySet<End> = new Set(['on', 'error'])

function endsOfOne(statement: Node, change: Change, parse: Parse, depth: number): ReadonlySet<End> {
  const raise = nodeAt(statement, 'PLpgSQL_stmt_raise')
  if (raise !== undefined) return raise['elog_level'] === errorLevel ? new Set(['error']) : on
  if ('PLpgSQL_stmt_return' in statement) return new Set(['return'])
  const block = nodeAt(statement, 'PLpgSQL_stmt_block')
  if (block !== undefined) {
    const ends = endsOf(nodesAt(block, 'body'), change, parse, depth + 1)
    // What it raises may be caught right there.
    return ends.has('error') && 'exceptions' in block ? new Set([...ends, 'on']) : ends
  }
  const branch = nodeAt(statement, 'PLpgSQL_stmt_if')
  if (branch !== undefined) return endsOfBranch(branch, change, parse, depth)
  const asks = ['PLpgSQL_stmt_case', 'PLpgSQL_stmt_loop', 'PLpgSQL_stmt_while', 'PLpgSQL_stmt_fors'].some(
    (kind) => kind in statement,
  )
  return asks && JSON.stringify(statement).includes('PLpgSQL_stmt_raise') ? either : on
}

function endsOfBranch(branch: Node, change: Change, parse: Parse, depth: number): ReadonlySet<End> {
  const otherwise = nodesAt(branch, 'elsif_list').map((each) => nodeAt(each, 'PLpgSQL_if_elsif') ?? {})
  const arms = [
    { condition: conditionOf(branch), statements: nodesAt(branch, 'then_body') },
    ...otherwise.map((each) => ({ condition: conditionOf(each), statements: nodesAt(each, 'stmts') })),
    { condition: 'true', statements: nodesAt(branch, 'else_body') },
  ]
  const ends = new Set<End>()
  for (const { condition, statements } of arms) {
    const holds = condition === 'true' ? true : holdsFor(condition, change, parse)
    if (holds === false) continue
    for (const end of endsOf(statements, change, parse, depth + 1)) ends.add(end)
    if (holds === true) break
  }
  return ends
}

function conditionOf(node: Node): string {
  return textAt(node, 'cond', 'PLpgSQL_expr', 'query') ?? ''
}

/** Whether a condition on TG_OP holds for the change; undefined where it asks something else. */
function holdsFor(condition: string, change: Change, parse: Parse): boolean | undefined {
  if (!/\btg_op\b/i.test(condition)) return undefined
  const [select] = attempt(`select ${condition}`, parse)
  const target = nodesAt(select, 'SelectStmt', 'targetList')[0]
  return valueOf(nodeAt(target, 'ResTarget', 'val'), change)
}

function valueOf(node: Node | undefined, change: Change): boolean | undefined {
  const combined = nodeAt(node, 'BoolExpr')
  if (combined !== undefined) {
    const values = nodesAt(combined, 'args').map((each) => valueOf(each, change))
    const kind = textAt(combined, 'boolop')
    if (kind === 'NOT_EXPR') return values[0] === undefined ? undefined : !values[0]
    const deciding = kind === 'OR_EXPR'
    if (values.includes(deciding)) return deciding
    return values.includes(undefined) ? undefined : !deciding
  }
  const compared = nodeAt(node, 'A_Expr')
  const column = namesOf(nodesAt(compared, 'lexpr', 'ColumnRef', 'fields'))
    .join('.')
    .toLowerCase()
  if (compared === undefined || column !== 'tg_op') return undefined
  const right = nodeAt(compared, 'rexpr')
  const values = nodesAt(right, 'List', 'items').flatMap((each) => constantOf(each) ?? [])
  const wanted = values.length > 0 ? values : [constantOf(right) ?? '']
  const isIn = wanted.some((each) => each.toLowerCase() === change)
  const operator = namesOf(nodesAt(compared, 'name'))[0]
  if (operator === '=') return isIn
  return operator === '<>' ? !isIn : undefined
}
