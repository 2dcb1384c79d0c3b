import type { Client } from 'pg'
import { readMigrations, schemaVersion, servesFrom } from './migrate.ts'

const entryTriggers = ['entries_refuse_row', 'entries_refuse_statement'] as const

// What keeps the ledger append-only, also for the owner and for superusers; see the migrations.
const triggers: Readonly<Record<string, readonly string[]>> = {
  'audits.entries': entryTriggers,
  'audits.heads': ['heads_only_grow', 'heads_refuse_row', 'heads_refuse_statement'],
  'audits.routes': ['routes_refuse_row', 'routes_refuse_statement'],
  'audits.holds': ['holds_only_end', 'holds_refuse_row', 'holds_refuse_statement'],
  'audits.prunes': ['prunes_only_end', 'prunes_refuse_row', 'prunes_refuse_statement'],
  'audits.kept_leaves': ['kept_leaves_refuse_row', 'kept_leaves_refuse_statement'],
  'audits.tiles': ['tiles_refuse_row', 'tiles_refuse_statement'],
  'audits.checkpoints': ['checkpoints_refuse_row', 'checkpoints_refuse_statement'],
  'audits.anchors': ['anchors_only_forward', 'anchors_refuse_row', 'anchors_refuse_statement'],
}

/**
 * What keeps the server from starting on this database: every problem at once, each with what to do (SPEC O2, L6). The start
 * creates nothing and repairs nothing.
 */
export async function inspectDatabase(client: Client): Promise<readonly string[]> {
  const version = await client.query<{ number: number }>(`select current_setting('server_version_num')::int as number`)
  const problems: string[] = []
  const number = version.rows[0]?.number ?? 0
  if (number < 150_000) problems.push(`PostgreSQL ${Math.floor(number / 10_000)} is too old: use 15 to 18`)
  const found = await schemaVersion(client)
  const wanted = Math.max(...(await readMigrations()).map((migration) => migration.version))
  // During an upgrade the schema is ahead of the binaries that are still to be replaced: expanding migrations let them serve.
  const ahead = found > wanted && (await servesFrom(client)) <= wanted
  if (found !== wanted && !ahead) {
    const todo =
      found < wanted
        ? 'run `portcullis migrate --config FILE` as the owner role'
        : 'install the version of Portcullis that made it'
    problems.push(`the schema has version ${found} and this version needs ${wanted}: ${todo}`)
    return problems
  }
  return [
    ...problems,
    ...(await inspectRole(client)),
    ...(await inspectTriggers(client)),
    ...(await inspectRowSecurity(client)),
  ]
}

async function inspectRole(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<Record<string, boolean | string>>(`
    select current_user as name, r.rolsuper as super, r.rolbypassrls as bypass, r.rolcreaterole or r.rolcreatedb as maker,
           exists (select from pg_class c join pg_namespace s on s.oid = c.relnamespace
                    where s.nspname in ('portcullis', 'audits', 'pgboss') and pg_has_role(r.oid, c.relowner, 'member')) as owns,
           has_schema_privilege('portcullis', 'create') or has_schema_privilege('audits', 'create') or has_schema_privilege('pgboss', 'create')
             or has_database_privilege(current_database(), 'create') as ddl,
           exists (select from pg_class c join pg_namespace s on s.oid = c.relnamespace
                    where s.nspname = 'audits' and c.relkind in ('r', 'p')
                      and (c.relname in ('entries', 'heads', 'routes', 'holds', 'prunes', 'kept_leaves', 'tiles', 'checkpoints', 'anchors', 'checkpoint_stops')
                        or exists (select from pg_partition_ancestors(c.oid) a where a.relid = to_regclass('audits.entries')))
                      and (has_any_column_privilege(c.oid, 'insert, update') or has_table_privilege(c.oid, 'delete, truncate, trigger'))) as writes_ledger
      from pg_roles r where r.rolname = current_user`)
  const role = rows[0]
  if (role === undefined) return ['the role of the connection is not in pg_roles']
  const name = String(role['name'])
  const claims: readonly [string, string][] = [
    ['super', 'is a superuser'],
    ['bypass', 'bypasses row-level security'],
    ['maker', 'may create roles or databases'],
    ['owns', 'owns tables of Portcullis, itself or through a role'],
    ['ddl', 'may create objects'],
    ['writes_ledger', 'may write the ledger past the append function'],
  ]
  return claims
    .filter(([column]) => role[column] === true)
    .map(
      ([, claim]) =>
        `the role ${name} ${claim}: serve as portcullis_app, and give that role no more than the migrations do`,
    )
}

async function inspectTriggers(client: Client): Promise<readonly string[]> {
  // Statement triggers are not inherited: each partition has its own, and one without them could be truncated by itself.
  // Asked for first: a partition that another server makes meanwhile is then not missed in the answer below.
  const partitions = await client.query<{ table: string }>(`
    select n.nspname || '.' || c.relname as table from pg_partition_tree(to_regclass('audits.entries')) t
      join pg_class c on c.oid = t.relid join pg_namespace n on n.oid = c.relnamespace where t.level > 0 order by 1`)
  const { rows } = await client.query<{ table: string; always: readonly string[] | null }>(`
    select n.nspname || '.' || c.relname as table, array_agg(t.tgname::text) filter (where t.tgenabled = 'A') as always
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      left join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
     where n.nspname = 'audits' and c.relkind in ('r', 'p') group by 1`)
  const problems: string[] = []
  const wantedOf = { ...triggers, ...Object.fromEntries(partitions.rows.map(({ table }) => [table, entryTriggers])) }
  for (const [table, wanted] of Object.entries(wantedOf)) {
    const row = rows.find((one) => one.table === table)
    const missing = wanted.filter((name) => row?.always?.includes(name) !== true)
    if (row === undefined) problems.push(`the table ${table} is missing: restore the schema from the migrations`)
    else if (missing.length > 0) {
      problems.push(
        `the append-only triggers ${missing.join(', ')} of ${table} are missing or not ENABLE ALWAYS: restore them from the migrations`,
      )
    }
  }
  return problems
}

async function inspectRowSecurity(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ table: string }>(`
    select n.nspname || '.' || c.relname as table
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('portcullis', 'audits') and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
       and (c.oid = to_regclass('portcullis.tenants')
         or exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped))
     order by 1`)
  return rows.map(({ table }) => `row-level security of ${table} is not forced: restore it from the migrations`)
}
