import type { SyntaxNode } from '@lezer/common'
import { callsOf, type Call } from './calls.ts'
import { collect, type Collector } from '../collector.ts'
import { enclosing, isTestPath, parts, type Source } from './source.ts'
import type { Spot } from '../source-file.ts'
import { sources } from './sources.ts'
import { splitSql } from '../sql/split.ts'
import { sqlParser, type SqlParser } from '../sql/sql-files.ts'

/** A place in the code of an application that changes the schema of its database when it runs. */
export interface SchemaCall {
  readonly spot: Spot
  /** What it does: makes the schema from models, runs migrations, sends DDL. */
  readonly does: 'models' | 'migrations' | 'ddl'
  /** As a person would call it. */
  readonly called: string
  /** It stands behind a question for the environment. */
  readonly guarded: boolean
  /** The file is one that an application begins with. */
  readonly start: boolean
}

export interface SchemaCalls {
  readonly calls: readonly SchemaCall[]
  /** How many files of code there are. */
  readonly files: number
  readonly unread: readonly { readonly file: Spot['file']; readonly why: string }[]
}

const mentions =
  /create_all|automigrate|synchronize|migrationsRun|runMigrations|\.sync\(|updateSchema|Schema\.Create\(|migrate|\b(?:create|alter|drop)\s{1,10}(?:or\s{1,10}replace\s{1,10})?(?:unique\s{1,10})?(?:table|index|schema|view|function|trigger|type|extension|sequence|materialized|role|policy)\b/i
const ownPath =
  /(?:^|\/)(?:migrations?|migrate|migrators?|alembic|seeds?|seeders?|scripts?|tools?|cli|bench(?:marks?)?|dev)\/|(?:^|\/)[^/]*(?:migrat|seed|provision)[^/]*$/i
const startName =
  /(?:^|\/)(?:main|server|app|application|index|start|startup|boot|bootstrap|entrypoint|wsgi|asgi|run|db|database|data-?source|connection|init|__init__|__main__|models?)\.[a-z]+$/i

export const schemaCalls: Collector<'repo', SchemaCalls> = async (tree) => {
  const { files, unread } = await collect(sources, tree)
  const own = files.filter(({ test, file }) => !test && !isTestPath(file.path))
  const asked = own.filter((source) => !ownPath.test(source.file.path) && source.mentions(mentions))
  const parser = asked.length === 0 ? undefined : await sqlParser()
  const calls = parser === undefined ? [] : asked.flatMap((source) => callsIn(source, parser))
  const unclear = asked.flatMap((source) =>
    source.unclear === undefined ? [] : [{ file: source.file, why: source.unclear }],
  )
  return { calls, files: own.length, unread: [...unread.filter(({ file }) => !isTestPath(file.path)), ...unclear] }
}

function callsIn(source: Source, parser: SqlParser): readonly SchemaCall[] {
  const start = startName.test(source.file.path)
  const make = (node: SyntaxNode, does: SchemaCall['does'], called: string): SchemaCall => ({
    spot: source.spot(node),
    does,
    called,
    guarded: isGuarded(source, node),
    start,
  })
  const found = callsOf(source).flatMap((call) => {
    const known = modelCall(source, call) ?? migrationCall(source, call)
    if (known !== undefined) return [make(call.node, known.does, known.called)]
    const ddl = sentDdl(source, call, parser)
    return ddl === undefined ? [] : [make(call.node, 'ddl', ddl)]
  })
  return [...found, ...optionsIn(source).map(({ node, called }) => make(node, 'models', called))]
}

type Known = Pick<SchemaCall, 'does' | 'called'>

function modelCall(source: Source, { name, path }: Call): Known | undefined {
  const does = 'models'
  if (name === 'create_all' && /(?:metadata|db)\.create_all$/i.test(path)) return { does, called: path }
  if (name === 'AutoMigrate') return { does, called: path || name }
  if (
    name === 'sync' &&
    /sequelize/i.test(source.file.text) &&
    /(?:sequelize|\bdb|database|connection|models?)\.sync$/i.test(path)
  )
    return { does, called: path }
  if (name === 'synchronize' && /typeorm/i.test(source.file.text)) return { does, called: path }
  if (name === 'updateSchema' || name === 'createSchema')
    return /mikro-?orm/i.test(source.file.text) ? { does, called: path || name } : undefined
  if (name === 'Create' && path.endsWith('.Schema.Create')) return { does, called: path }
  return undefined
}

function migrationCall(source: Source, { name, path, args }: Call): Known | undefined {
  const does = 'migrations'
  const { text } = source.file
  if (name === 'runMigrations') return /typeorm/i.test(text) ? { does, called: path } : undefined
  if (/\bmigrate\.(?:latest|up)$/.test(path)) return { does, called: path }
  if (name === 'upgrade' && /^(?:alembic\.)?command\.upgrade$/.test(path)) return { does, called: path }
  if (name === 'call_command' && source.literal(args[0]) === 'migrate')
    return { does, called: 'call_command("migrate")' }
  if (name === 'migrate' && /drizzle-orm/.test(text)) return { does, called: path }
  if (name === 'Up' && /golang-migrate|pressly\/goose/.test(text)) return { does, called: path }
  return undefined
}

/** `synchronize: true` of TypeORM, and its `migrationsRun`. */
function optionsIn(source: Source): readonly { readonly node: SyntaxNode; readonly called: string }[] {
  if (source.language !== 'javascript' || !/typeorm|DataSource/i.test(source.file.text)) return []
  return source.nodes('Property').flatMap((node) => {
    const [key, value] = parts(node)
    if (key === undefined || value === undefined) return []
    const name = source.text(key).replaceAll(/["']/g, '')
    const isOn = (name === 'synchronize' || name === 'migrationsRun') && source.text(value) === 'true'
    return isOn ? [{ node, called: `${name}: true` }] : []
  })
}

const sending =
  /^(?:query|execute|exec|execute_sql|executescript|executemany|exec_driver_sql|raw|rawQuery|unsafe|\$executeRaw|\$executeRawUnsafe|\$queryRaw|\$queryRawUnsafe|text|Exec|ExecContext|MustExec|MustExecContext|Raw|QueryRow|run|batch)$/
const ddlStart = /^(?:create|alter|drop)\s/i
const ddlKinds =
  /^(?:Create(?!TableAs|d?bStmt|RoleStmt)\w*Stmt|CreateTableAsStmt|IndexStmt|AlterTableStmt|DropStmt|ViewStmt|RenameStmt|DefineStmt)$/

/** The DDL that a call sends to a database, shortened; a local file of SQLite is no server with roles. */
function sentDdl(source: Source, { name, args }: Call, { parse }: SqlParser): string | undefined {
  if (!sending.test(name) || /sqlite/i.test(source.file.text)) return undefined
  for (const arg of args.slice(0, 2)) {
    const text = textOf(source, arg)
    if (text === undefined) continue
    for (const { start, end } of splitSql(text)) {
      const statement = text.slice(start, end)
      if (ddlStart.test(statement) && isDdl(statement, parse)) return shown(statement)
    }
  }
  return undefined
}

// Its texts may be passwords.
function shown(statement: string): string {
  return statement
    .slice(0, 1000)
    .replaceAll(/'[^']*(?:'|$)/g, "'…'")
    .replaceAll(/\s+/g, ' ')
    .slice(0, 60)
}

function isDdl(statement: string, parse: SqlParser['parse']): boolean {
  if (statement.length > 50_000) return true
  try {
    return parse(statement).some((stmt) => {
      const [kind = ''] = Object.keys(stmt)
      return ddlKinds.test(kind) && !JSON.stringify(stmt).includes('"relpersistence":"t"')
    })
  } catch {
    // English that begins like SQL, or another dialect.
    return false
  }
}

/** A literal, a template with names in place of what is put in, or the literal that a name of the file stands for. */
function textOf(source: Source, node: SyntaxNode): string | undefined {
  const literal = source.literal(node)
  if (literal !== undefined) return literal
  if (node.name === 'TemplateString')
    return source
      .text(node)
      .slice(1, -1)
      .replaceAll(/\$\{[^}]{0,1000}\}/g, 'x')
  if (node.name !== 'VariableName') return undefined
  const name = source.text(node)
  for (const declared of source.nodes('VariableDeclaration', 'AssignStatement', 'VarSpec', 'ConstSpec')) {
    const [first, ...rest] = parts(declared).filter(
      (part) => !['const', 'let', 'var', 'export', 'Equals', 'AssignOp'].includes(part.name),
    )
    if (first === undefined || source.text(first) !== name) continue
    const value = rest.at(-1)
    return value === undefined || value.name === 'VariableName' ? undefined : textOf(source, value)
  }
  return undefined
}

const conditions = new Set(['IfStatement', 'ConditionalExpression'])
const environment =
  /\b(?:env|environment|NODE_ENV|production|prod|development|dev|debug|testing|test|local)\b|_ENV\b|DEBUG/i

function isGuarded(source: Source, node: SyntaxNode): boolean {
  const around = enclosing(node, conditions)
  if (around === undefined) return false
  // The condition stands before what depends on it.
  const condition =
    source.file.text.slice(around.from, Math.min(node.from, around.from + 200)).split(/[{\n]/, 1)[0] ?? ''
  return environment.test(condition)
}
