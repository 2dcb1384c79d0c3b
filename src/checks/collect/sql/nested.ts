import { constantOf, namesOf, nodeAt, nodesAt, textAt, within, type Node } from './node.ts'
import { queriesIn } from './routines.ts'
import type { SqlParser, SqlStatement } from './sql-files.ts'

/** Stands for a name that a `do` block puts in when it runs. */
export const anyName = 'any_name_put_in'

/** The statements inside a `do` block: the static ones, and those that it builds from a literal or from format() with one. */
export function statementsInside(
  { node, spot }: SqlStatement,
  { parse, parseBody }: SqlParser,
): readonly SqlStatement[] {
  let body: Node
  try {
    body = parseBody(spot.file.text.slice(spot.start, spot.end))
  } catch {
    // A language other than PL/pgSQL, or a body that PostgreSQL itself would read only when it runs.
    return []
  }
  const dynamic = [...within(body)].flatMap(
    (each) => textAt(each, 'PLpgSQL_stmt_dynexecute', 'query', 'PLpgSQL_expr', 'query') ?? [],
  )
  const built = dynamic.flatMap((expression) => builtText(expression, parse) ?? [])
  const fixed = queriesIn(body).filter((query) => !dynamic.includes(query))
  return [...fixed, ...built]
    .flatMap((text) => parsed(text, parse))
    .flatMap((stmt) => {
      const [kind = ''] = Object.keys(stmt)
      const inner = nodeAt(stmt, kind)
      return inner === undefined || inner === node ? [] : [{ kind, node: inner, spot, nested: true }]
    })
}

function parsed(text: string, parse: SqlParser['parse']): readonly Node[] {
  try {
    return parse(text)
  } catch {
    // An expression of the block, no statement.
    return []
  }
}

function builtText(expression: string, parse: SqlParser['parse']): string | undefined {
  const [select] = parsed(`select ${expression}`, parse)
  const value = nodeAt(nodesAt(select, 'SelectStmt', 'targetList')[0], 'ResTarget', 'val')
  const literal = constantOf(value)
  if (literal !== undefined) return literal
  const call = nodeAt(value, 'FuncCall')
  if (namesOf(nodesAt(call, 'funcname')).at(-1) !== 'format') return undefined
  const [template, ...values] = nodesAt(call, 'args').map(constantOf)
  let next = 0
  return template?.replaceAll(/%(?:\d+\$)?([sIL%])/g, (_, kind: string) => {
    if (kind === '%') return '%'
    const given = values[next]
    next += 1
    return kind === 'L' ? `'${given ?? ''}'` : (given ?? anyName)
  })
}
