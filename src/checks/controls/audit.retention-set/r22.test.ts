import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const path = 'db/001_metrics.sql'
const table = 'create table metrics (at timestamptz not null, value float8);\n'
const hyper = `${table}select create_hypertable('metrics', by_range('at'));\n`
const retention = "select add_retention_policy('metrics', interval '90 days');\n"
const compression = "select add_compression_policy('metrics', compress_after => interval '7 days');\n"

describe('R22', () => {
  it.each([
    ['both policies', hyper + retention + compression],
    ['CRLF', (hyper + retention + compression).replaceAll('\n', '\r\n')],
    ['a schema and a cast', (hyper + retention + compression).replaceAll("'metrics'", "'public.metrics'::regclass")],
    ['the columnstore', `${hyper}${retention}call add_columnstore_policy('metrics', after => interval '7d');`],
    [
      'several in one select',
      `${table}select create_hypertable('metrics', 'at'), add_retention_policy('metrics', interval '1 day'), add_compression_policy('metrics', interval '1 day');`,
    ],
    [
      'a do block',
      `${hyper}do $$ begin perform add_retention_policy('metrics', interval '1d'); perform add_compression_policy('metrics', interval '1d'); end $$;`,
    ],
    [
      'a table that is one from the start',
      `create table metrics (at timestamptz) with (tsdb.hypertable, tsdb.partition_column='at');${retention}`,
    ],
    [
      'pg_partman',
      `create table public.m (at timestamptz) partition by range (at);
      select partman.create_parent(p_parent_table := 'public.m', p_control := 'at', p_interval := '1 day');
      update partman.part_config set retention = '90 days', retention_keep_table = false where parent_table = 'public.m';`,
    ],
    ['a table that is gone', `${hyper}drop table metrics;${hyper}${retention}${compression}`],
  ])('R22: holds with %s', async (_, sql) => {
    expect((await judged('R22', { [path]: sql })).outcome).toBe('PASS')
  })

  it.each([
    ['no policy', hyper, 2],
    ['retention alone', hyper + retention, 1],
    ['compression alone', hyper + compression, 1],
    ['a policy that is taken away', `${hyper}${retention}${compression}select remove_retention_policy('metrics');`, 1],
    ['a policy of another table', hyper + retention.replace('metrics', 'other') + compression, 1],
    ['policies in a comment', `${hyper}-- ${retention}/* ${compression} */`, 2],
  ])('R22: is broken with %s', async (_, sql, count) => {
    const found = places(await judged('R22', { [path]: sql }))
    expect(found).toEqual(Array.from({ length: count }, () => `${path}:2:1 FAIL`))
  })

  it('R22: is broken by managed partitions that stay for ever', async () => {
    const sql = "select partman.create_parent('public.m', 'at', '1 day');"
    expect(places(await judged('R22', { [path]: sql }))).toEqual([`${path}:1:1 FAIL`])
  })

  it('R22: cannot be told where the table is put in', async () => {
    const sql =
      "do $$ declare t text; begin foreach t in array array['a'] loop perform create_hypertable(t, 'at'); end loop; end $$;"
    expect((await judged('R22', { [path]: sql })).outcome).toBe('WARN')
  })

  it.each([
    ['no SQL', { 'README.md': '' }],
    ['plain PostgreSQL', { [path]: 'create table m (at timestamptz) partition by range (at);' }],
  ])('R22: does not apply to %s', async (_, files) => {
    expect((await judged('R22', files)).outcome).toBe('NOT_APPLICABLE')
  })

  it('R22: SQL that cannot be read is an error at its place', async () => {
    expect(places(await judged('R22', { [path]: `${hyper}${retention}${compression}selec 1;` }))).toEqual([
      `${path}:5:1 ERROR`,
    ])
  })
})
