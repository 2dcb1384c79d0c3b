-- serves from 0004
-- Runs of guarded scripts (SPEC O5): one row when it is about to begin, one when it has ended. A run without its second row is a finding.
create table audits.script_records (
  tenant_id uuid not null,
  id uuid not null,
  phase text collate "C" not null check (phase in ('intent', 'outcome')),
  name text not null,
  operator text not null,
  args text[] not null,
  destructive boolean not null,
  confirmed boolean not null,
  exit_code int,
  signal text,
  duration_ms bigint,
  recorded_at timestamptz not null default now(),
  primary key (tenant_id, id, phase)
);
create trigger script_records_refuse_statement before update or delete or truncate on audits.script_records
  for each statement execute function audits.refuse_change();
create trigger script_records_refuse_row before update or delete on audits.script_records
  for each row execute function audits.refuse_change();
alter table audits.script_records enable always trigger script_records_refuse_statement;
alter table audits.script_records enable always trigger script_records_refuse_row;
alter table audits.script_records enable row level security;
alter table audits.script_records force row level security;
create policy tenant on audits.script_records using (tenant_id = (select portcullis.tenant()));
create policy owner on audits.script_records to portcullis_owner using (true);
grant select on audits.script_records to portcullis_app, portcullis_reader;
grant insert on audits.script_records to portcullis_app;
