import type { Spot } from '../source-file.ts'
import { anyName } from './nested.ts'
import { constantOf, namesOf, nodeAt, nodesAt, textAt, within, type Node } from './node.ts'
import { tableName } from './routines.ts'
import type { SqlStatement } from './sql-files.ts'

/** A table that an extension cuts into pieces of time. */
export interface TimeSeries {
  readonly name: readonly string[]
  readonly by: 'timescaledb' | 'pg_partman'
  readonly spot: Spot
  retained: boolean
  compressed: boolean
}

export interface TimeSeriesFacts {
  readonly tables: readonly TimeSeries[]
  /** Tables are made or given policies under names that are put in when the statement runs. */
  readonly guessed: readonly Spot[]
}

/** What the extensions are told about time-series tables, statement by statement. */
export function timeSeriesOf(statements: readonly SqlStatement[]): TimeSeriesFacts {
  const tables: TimeSeries[] = []
  const guessed: Spot[] = []
  const named = (name: readonly string[] | undefined, spot: Spot): readonly TimeSeries[] => {
    if (name === undefined || name.includes(anyName)) {
      guessed.push(spot)
      return []
    }
    return tables.filter((table) => isSame(table.name, name))
  }
  for (const { kind, node, spot } of statements) {
    if (kind === 'CreateFunctionStmt') continue
    if (kind === 'CreateStmt' && optionOf(node, 'hypertable') === true) {
      // TimescaleDB gives such a table its policy for the columnstore, unless it is told not to.
      const compressed = optionOf(node, 'columnstore') !== false
      tables.push({ name: tableName(nodeAt(node, 'relation')), by: 'timescaledb', spot, retained: false, compressed })
    } else if (kind === 'DropStmt' && node['removeType'] === 'OBJECT_TABLE') {
      for (const object of nodesAt(node, 'objects')) {
        const gone = tables.findIndex(({ name }) => isSame(name, namesOf(nodesAt(object, 'List', 'items'))))
        if (gone !== -1) tables.splice(gone, 1)
      }
    } else if (kind === 'UpdateStmt' && textAt(node, 'relation', 'relname') === 'part_config') {
      for (const table of partmanTables(node, tables)) table.retained = true
    } else
      for (const { called, name } of callsIn(node)) {
        if (called === 'create_hypertable' || called === 'create_distributed_hypertable') {
          if (named(name, spot).length === 0 && name !== undefined && !name.includes(anyName))
            tables.push({ name, by: 'timescaledb', spot, retained: false, compressed: false })
        } else if (called === 'create_parent' && name !== undefined)
          tables.push({ name, by: 'pg_partman', spot, retained: false, compressed: true })
        else if (/^(?:add|remove)_retention_policy$/.test(called))
          for (const table of named(name, spot)) table.retained = called.startsWith('add')
        else if (/^(?:add|remove)_(?:compression|columnstore)_policy$/.test(called))
          for (const table of named(name, spot)) table.compressed = called.startsWith('add')
      }
  }
  return { tables, guessed }
}

const relationNames = new Set(['relation', 'hypertable', 'main_table', 'p_parent_table'])

/** The functions that a statement calls, with the table that each is given first. */
function callsIn(node: Node): readonly { readonly called: string; readonly name: readonly string[] | undefined }[] {
  return [...within(node)].flatMap((each) => {
    const call = nodeAt(each, 'FuncCall') ?? nodeAt(each, 'funccall')
    const called = namesOf(nodesAt(call, 'funcname')).at(-1)?.toLowerCase()
    if (call === undefined || called === undefined) return []
    const args = nodesAt(call, 'args')
    const table = args.find((arg) => relationNames.has(textAt(arg, 'NamedArgExpr', 'name') ?? '')) ?? args[0]
    return [{ called, name: constantOf(table)?.replaceAll('"', '').split('.') }]
  })
}

function optionOf(node: Node, name: string): boolean | undefined {
  const option = nodesAt(node, 'options')
    .map((each) => nodeAt(each, 'DefElem'))
    .find(
      (each) =>
        ['tsdb', 'timescaledb'].includes(textAt(each, 'defnamespace') ?? '') && textAt(each, 'defname') === name,
    )
  if (option === undefined) return undefined
  const value = nodeAt(option, 'arg')
  // `= false` is a word here, and a node of its own elsewhere.
  if (value !== undefined && 'Boolean' in value) return nodeAt(value, 'Boolean')?.['boolval'] === true
  return !/^(?:false|off|0)$/i.test(constantOf(value) ?? 'true')
}

/** Those that `update part_config set retention = …` is about: the parent that it names, or all. */
function partmanTables(node: Node, tables: readonly TimeSeries[]): readonly TimeSeries[] {
  const sets = nodesAt(node, 'targetList').some(
    (each) =>
      textAt(each, 'ResTarget', 'name') === 'retention' && constantOf(nodeAt(each, 'ResTarget', 'val')) !== undefined,
  )
  if (!sets) return []
  const own = tables.filter(({ by }) => by === 'pg_partman')
  const condition = nodeAt(node, 'whereClause')
  if (condition === undefined) return own
  const names = [...within(condition)].flatMap((each) => constantOf(each)?.split('.') ?? []).map((each) => [each])
  return own.filter(({ name }) => names.some(([last]) => last === name.at(-1)))
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.at(-1) !== b.at(-1)) return false
  return a.length < 2 || b.length < 2 || a.at(-2) === b.at(-2)
}
