import type { Spot } from '../source-file.ts'
import type { Access, Grant, Table, Trigger } from './access.ts'
import { anyName } from './nested.ts'
import { constantOf, namesOf, nodeAt, nodesAt, textAt, type Node } from './node.ts'
import { changes, tableName, type Change, type Routine } from './routines.ts'
import type { SqlStatement } from './sql-files.ts'

type Open<T> = { -readonly [K in keyof T]: T[K] }
interface OpenTable extends Open<Omit<Table, 'grants' | 'triggers'>> {
  grants: (Grant & { readonly columns: boolean })[]
  triggers: Open<Trigger>[]
}

const eventBits: Readonly<Record<Change, number>> = { delete: 8, update: 16, truncate: 32 }
const insteadTiming = 64

/** Applies the statements one after the other, as the database would. */
export class AccessFold {
  readonly #schemas = new Set<string>()
  readonly #tables = new Map<string, OpenTable>()
  readonly #routines = new Map<string, Routine>()
  #future: (Grant & { readonly schema: string })[] = []
  #path = 'public'

  /** The search path of another file is its own. */
  beginFile(): void {
    this.#path = 'public'
  }

  routine(routine: Routine): void {
    this.#routines.set(routine.name.at(-1) ?? '', routine)
  }

  apply({ kind, node, spot, nested }: SqlStatement): void {
    switch (kind) {
      case 'VariableSetStmt':
        if (node['name'] === 'search_path') this.#path = constantOf(nodesAt(node, 'args')[0]) ?? 'public'
        return
      case 'CreateSchemaStmt':
        return this.#createSchema(node, spot, nested)
      case 'CreateStmt':
        return this.#createTable(node, spot)
      case 'CreateTableAsStmt':
        return this.#createTable({ relation: nodeAt(node, 'into', 'rel') }, spot)
      case 'GrantStmt':
        return this.#grant(node, spot)
      case 'AlterDefaultPrivilegesStmt':
        return this.#futureGrant(node, spot)
      case 'CreateTrigStmt':
        return this.#createTrigger(node)
      case 'RuleStmt':
        return this.#createRule(node)
      case 'AlterTableStmt':
        return this.#alterTable(node)
      case 'RenameStmt':
        if (node['renameType'] === 'OBJECT_TABLE') this.#move(node, { name: textAt(node, 'newname') ?? '' })
        return
      case 'AlterObjectSchemaStmt':
        if (node['objectType'] === 'OBJECT_TABLE') this.#move(node, { schema: textAt(node, 'newschema') ?? '' })
        return
      case 'DropStmt':
        return this.#drop(node)
      default:
    }
  }

  result(): Access {
    return {
      schemas: this.#schemas,
      tables: [...this.#tables.values()],
      futureGrants: this.#future,
      refusal: (routine, change) => this.#routines.get(routine.at(-1) ?? '')?.refuses[change] ?? 'sometimes',
      writers: ({ schema, name }, change) =>
        [...this.#routines.values()]
          .filter(({ writes }) => writes.some((each) => each.change === change && isNamed(each.table, schema, name)))
          .map((routine) => routine.name.join('.')),
    }
  }

  #createSchema(node: Node, spot: Spot, nested: boolean): void {
    const name = textAt(node, 'schemaname') ?? textAt(node, 'authrole', 'rolename') ?? ''
    this.#schemas.add(name)
    const before = this.#path
    this.#path = name
    for (const element of nodesAt(node, 'schemaElts')) {
      const [kind = ''] = Object.keys(element)
      this.apply({ kind, node: nodeAt(element, kind) ?? {}, spot, nested })
    }
    this.#path = before
  }

  #createTable(node: Node, spot: Spot): void {
    const [schema, name] = this.#placed(tableName(nodeAt(node, 'relation')))
    const key = `${schema}.${name}`
    if (name === '' || this.#tables.has(key) || textAt(node, 'relation', 'relpersistence') === 't') return
    const grants = this.#future
      .filter((each) => each.schema === '' || each.schema === schema)
      .map((each) => ({ ...each, columns: false }))
    this.#tables.set(key, {
      schema,
      name,
      spot,
      partition: nodeAt(node, 'partbound') !== undefined,
      owner: undefined,
      grants,
      triggers: [],
    })
  }

  #grant(node: Node, spot: Spot): void {
    if (node['objtype'] !== 'OBJECT_TABLE') return
    const tables = nodesAt(node, 'objects').flatMap((object) =>
      node['targtype'] === 'ACL_TARGET_ALL_IN_SCHEMA'
        ? this.#tablesOf(constantOf(object) ?? '', anyName)
        : this.#found(tableName(object)),
    )
    const guessed = JSON.stringify(node['objects'] ?? '').includes(anyName)
    const columns = nodesAt(node, 'privileges').some((each) => nodesAt(each, 'AccessPriv', 'cols').length > 0)
    for (const table of tables)
      for (const role of rolesOf(node))
        for (const change of changesOf(node)) {
          const isSame = (each: OpenTable['grants'][number]): boolean => each.change === change && each.role === role
          if (node['is_grant'] === true) {
            if (!table.grants.some(isSame)) table.grants.push({ change, role, spot, guessed, columns })
          } else if (node['grant_option'] !== true && !guessed)
            table.grants = table.grants.filter((each) => !isSame(each) || (columns && !each.columns))
        }
  }

  #futureGrant(node: Node, spot: Spot): void {
    const action = nodeAt(node, 'action')
    if (action === undefined || action['objtype'] !== 'OBJECT_TABLE') return
    const options = nodesAt(node, 'options')
    const named = options.find((each) => textAt(each, 'DefElem', 'defname') === 'schemas')
    const schemas = namesOf(nodesAt(named, 'DefElem', 'arg', 'List', 'items'))
    for (const schema of schemas.length === 0 ? [''] : schemas)
      for (const role of rolesOf(action))
        for (const change of changesOf(action)) {
          this.#future = this.#future.filter(
            (each) => each.schema !== schema || each.role !== role || each.change !== change,
          )
          if (action['is_grant'] === true) this.#future.push({ schema, role, change, spot, guessed: false })
        }
  }

  #createTrigger(node: Node): void {
    const events = Number(node['events'] ?? 0)
    if (node['timing'] === insteadTiming) return
    const name = textAt(node, 'trigname') ?? ''
    const target = tableName(nodeAt(node, 'relation'))
    const trigger = {
      name,
      changes: changes.filter((change) => (events & eventBits[change]) !== 0),
      routine: namesOf(nodesAt(node, 'funcname')),
      conditional: 'whenClause' in node || 'columns' in node || target.includes(anyName),
      disabled: false,
    }
    for (const table of this.#found(target)) replace(table, trigger)
  }

  #createRule(node: Node): void {
    const change = node['event'] === 'CMD_UPDATE' ? 'update' : node['event'] === 'CMD_DELETE' ? 'delete' : undefined
    if (change === undefined || node['instead'] !== true || nodesAt(node, 'actions').length > 0) return
    const name = textAt(node, 'rulename') ?? ''
    const conditional = 'whereClause' in node
    for (const table of this.#found(tableName(nodeAt(node, 'relation'))))
      replace(table, { name, changes: [change], routine: undefined, conditional, disabled: false })
  }

  #alterTable(node: Node): void {
    const tables = this.#found(tableName(nodeAt(node, 'relation')))
    for (const each of nodesAt(node, 'cmds')) {
      const command = nodeAt(each, 'AlterTableCmd')
      const kind = textAt(command, 'subtype') ?? ''
      const name = textAt(command, 'name')
      const disabled = kind.startsWith('AT_DisableTrig')
      for (const table of tables) {
        if (kind === 'AT_ChangeOwner') table.owner = textAt(command, 'newowner', 'rolename') ?? table.owner
        else if (disabled || /^AT_Enable\w*Trig/.test(kind))
          for (const trigger of table.triggers)
            if (name === undefined || trigger.name === name) trigger.disabled = disabled
      }
      if (kind === 'AT_AttachPartition')
        for (const part of this.#found(tableName(nodeAt(command, 'def', 'PartitionCmd', 'name')))) part.partition = true
    }
  }

  #move(node: Node, to: { readonly schema?: string; readonly name?: string }): void {
    for (const table of this.#found(tableName(nodeAt(node, 'relation')))) {
      this.#tables.delete(`${table.schema}.${table.name}`)
      Object.assign(table, to)
      this.#tables.set(`${table.schema}.${table.name}`, table)
    }
  }

  #drop(node: Node): void {
    for (const object of nodesAt(node, 'objects')) {
      const items = nodesAt(object, 'List', 'items')
      const names = items.length > 0 ? namesOf(items) : namesOf([object])
      if (node['removeType'] === 'OBJECT_TABLE')
        for (const { schema, name } of this.#found(names)) this.#tables.delete(`${schema}.${name}`)
      else if (node['removeType'] === 'OBJECT_SCHEMA') {
        this.#schemas.delete(names[0] ?? '')
        for (const { schema, name } of this.#tablesOf(names[0] ?? '', anyName)) this.#tables.delete(`${schema}.${name}`)
      } else if (node['removeType'] === 'OBJECT_TRIGGER' || node['removeType'] === 'OBJECT_RULE')
        for (const table of this.#found(names.slice(0, -1)))
          table.triggers = table.triggers.filter(({ name }) => name !== names.at(-1))
    }
  }

  #placed(name: readonly string[]): readonly [string, string] {
    const [schema, table] = name.length > 1 ? name.slice(-2) : [this.#path, name[0]]
    return [schema ?? '', table ?? '']
  }

  #found(name: readonly string[]): readonly OpenTable[] {
    return this.#tablesOf(...this.#placed(name))
  }

  #tablesOf(schema: string, name: string): readonly OpenTable[] {
    if (schema !== anyName && name !== anyName) {
      const table = this.#tables.get(`${schema}.${name}`)
      return table === undefined ? [] : [table]
    }
    return [...this.#tables.values()].filter(
      (table) => (schema === anyName || table.schema === schema) && (name === anyName || table.name === name),
    )
  }
}

function replace(table: OpenTable, trigger: Open<Trigger>): void {
  table.triggers = [...table.triggers.filter(({ name }) => name !== trigger.name), { ...trigger }]
}

function rolesOf(node: Node): readonly string[] {
  return nodesAt(node, 'grantees').flatMap((grantee) => {
    const kind = textAt(grantee, 'RoleSpec', 'roletype')
    if (kind === 'ROLESPEC_PUBLIC') return ['PUBLIC']
    // Who runs the migrations owns what they make.
    return kind === 'ROLESPEC_CSTRING' ? [textAt(grantee, 'RoleSpec', 'rolename') ?? ''] : []
  })
}

function changesOf(node: Node): readonly Change[] {
  const privileges = nodesAt(node, 'privileges')
  if (privileges.length === 0) return changes
  const named = privileges.map((each) => textAt(each, 'AccessPriv', 'priv_name')?.toLowerCase())
  return changes.filter((change) => named.includes(change))
}

function isNamed(written: readonly string[], schema: string, name: string): boolean {
  return written.at(-1) === name && (written.length === 1 || written.at(-2) === schema)
}
