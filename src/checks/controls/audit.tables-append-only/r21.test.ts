import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const path = 'migrations/0001_audits.sql'
const table = 'create schema audits;\ncreate table audits.events (id bigint, body jsonb);\n'
const refuse = `create function audits.refuse() returns trigger language plpgsql as $$
begin
  raise exception 'append-only: % is refused; see the manual', tg_op;
end $$;
`
const trigger =
  'create trigger keep before update or delete or truncate on audits.events for each statement execute function audits.refuse();\n'
const grants = 'grant select, insert on audits.events to app;\n'
const sound = table + refuse + trigger + grants

async function outcome(sql: string | Record<string, string>, parameters = {}): Promise<string> {
  return (await judged('R21', typeof sql === 'string' ? { [path]: sql } : sql, parameters)).outcome
}

describe('R21', () => {
  it.each([
    ['grants and one trigger', sound],
    ['CRLF', sound.replaceAll('\n', '\r\n')],
    [
      'quoted names and upper case',
      sound.replaceAll('audits', '"audits"').toUpperCase().replaceAll('AUDITS', 'audits'),
    ],
    [
      'row triggers and one for truncate',
      `${table}${refuse}${grants}
      create trigger a before update or delete on audits.events for each row execute function audits.refuse();
      create trigger b before truncate on audits.events for each statement execute procedure audits.refuse();`,
    ],
    [
      'a grant that is revoked',
      `${sound}grant all on audits.events to app;revoke update, delete, truncate on audits.events from app;`,
    ],
    [
      'a function that asks which change it is',
      `${table}${grants}${refuse.replace('raise', "if tg_op in ('UPDATE', 'DELETE', 'TRUNCATE') then raise").replace('tg_op;', 'tg_op; end if; return new;')}${trigger}`,
    ],
    ['the owner', `${sound}alter table audits.events owner to keeper; grant all on audits.events to keeper;`],
    [
      'a search path',
      `create schema audits; set search_path = audits; create table events (id int);${refuse}${trigger}`,
    ],
    [
      'psql',
      `\\set role app\n\\connect hub\n${sound.replace('to app', 'to :role').replace('insert on', 'insert on')}\\i more.sql\n`,
    ],
    ['a dump with rows', `${sound}copy audits.events (id, body) from stdin;\n1\t{"a": "it's; grant"}\n\\.\n`],
  ])('R21: holds with %s', async (_, sql) => {
    const result = await judged('R21', { [path]: sql })
    expect(result.evidence).toEqual([])
  })

  it.each([
    ['a grant', 'grant update on audits.events to app;'],
    ['a grant of everything', 'GRANT ALL PRIVILEGES ON TABLE audits.events TO app;'],
    ['a grant of a column', 'grant update (body) on audits.events to app;'],
    ['a grant to everybody', 'grant delete on audits.events to public;'],
    ['a grant on the schema', 'grant select, truncate on all tables in schema audits to app;'],
    ['a grant in a do block', "do $$ begin execute 'grant delete on audits.events to app'; end $$;"],
    ['a psql variable', 'grant delete on audits.events to :"app";'],
  ])('R21: is broken by %s', async (_, grant) => {
    const result = await judged('R21', { [path]: `${sound}-- why not\n${grant}\n` })
    expect(places(result)).toEqual([`${path}:10:1 FAIL`])
  })

  it('R21: is broken by default privileges for tables that come later', async () => {
    const first = 'create schema audits;\nalter default privileges in schema audits grant all on tables to app;\n'
    const files = { 'db/V2__grants.sql': first, 'db/V10__audits.sql': sound.replace('create schema audits;\n', '') }
    expect(places(await judged('R21', files))).toEqual(['db/V2__grants.sql:2:1 FAIL'])
  })

  it.each([
    ['no trigger', table],
    ['a trigger that is taken away', `${sound}drop trigger keep on audits.events;`],
    ['a trigger that is disabled', `${sound}alter table audits.events disable trigger all;`],
    ['a trigger for rows alone', sound.replace(' or truncate', '')],
    ['a function that lets it be', sound.replace(/raise exception.*/, 'return new;')],
    ['a function that only warns', sound.replace('raise exception', 'raise notice')],
    [
      'a function that only refuses what it does not get',
      sound.replace('raise', "if tg_op = 'INSERT' then raise").replace('tg_op;', 'tg_op; end if; return new;'),
    ],
  ])('R21: is broken by %s', async (_, sql) => {
    expect(places(await judged('R21', { [path]: sql }))).toEqual([`${path}:2:1 FAIL`])
  })

  it.each([
    [
      'a condition on the trigger',
      sound.replace('for each statement', 'for each row when (old.id > 1)').replace(' or truncate', '') +
        trigger.replace('keep before update or delete or', 'cut before'),
    ],
    ['a function from elsewhere', table + trigger + grants],
    [
      'a condition in the function',
      sound.replace('raise', "if current_user = 'app' then raise").replace('tg_op;', 'tg_op; end if; return null;'),
    ],
  ])('R21: cannot be told with %s', async (_, sql) => {
    expect(await outcome(sql)).toBe('WARN')
  })

  it('R21: what takes a migration back is not there', async () => {
    const files = {
      [path]: `-- +goose Up\n${sound}-- +goose Down\ndrop trigger keep on audits.events;\n`,
      'migrations/0001_audits.down.sql': 'drop trigger keep on audits.events;',
    }
    expect(await outcome(files)).toBe('PASS')
  })

  it('R21: tables are named by a parameter', async () => {
    const sql = 'create table public.log_entries (id int);'
    expect(await outcome(sql)).toBe('NOT_APPLICABLE')
    expect(await outcome(sql, { tables: ['log_entries'] })).toBe('FAIL')
    expect(await outcome(sql, { tables: ['public.log_entries'] })).toBe('FAIL')
    expect(await outcome('create table audits (id int);')).toBe('FAIL')
  })

  it('R21: SQL that cannot be read is an error at its place, and the rest is judged', async () => {
    const result = await judged('R21', { [path]: `${table}grant deleet everything audits;\n` })
    expect(places(result)).toEqual([`${path}:2:1 FAIL`, `${path}:3:14 ERROR`])
  })

  it('R21: another dialect says nothing about PostgreSQL', async () => {
    const sql = 'CREATE TABLE `audits` (`id` int AUTO_INCREMENT) ENGINE=InnoDB;'
    expect(await outcome(sql)).toBe('NOT_APPLICABLE')
  })

  it('R21: hostile text ends', async () => {
    const deep = `select ${'('.repeat(100_000)};`
    expect(await outcome(`${sound}${deep}`)).toBe('ERROR')
    expect(await outcome(`${sound}select $tag$ never closed`)).toBe('ERROR')
    expect(await outcome(`${sound}/* /* never closed */`)).toBe('PASS')
  })
})
