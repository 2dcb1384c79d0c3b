-- serves from 0025
-- What checks found about how hardened a deployment is (SPEC V5). A report is written once: its digest is in the ledger.
create table portcullis.posture_reports (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  report_sha256 text not null,
  tool_version text not null,
  target text not null,
  started_at timestamptz not null,
  counts jsonb not null,
  findings jsonb not null,
  findings_left_out int not null,
  actor text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index on portcullis.posture_reports (tenant_id, target, id);

alter table portcullis.posture_reports enable row level security;
alter table portcullis.posture_reports force row level security;
create policy tenant on portcullis.posture_reports using (tenant_id = (select portcullis.tenant()));
create policy owner on portcullis.posture_reports to portcullis_owner using (true);
grant select on portcullis.posture_reports to portcullis_app, portcullis_reader;
grant insert on portcullis.posture_reports to portcullis_app;
