-- serves from 0016
-- Jobs. pg-boss queues them, hands them out and tries again; it has ids and times only. What a job is and what it found stands in
-- portcullis.jobs, under row-level security like everything of a tenant, and follows the queue in its transactions.
-- pg-boss begins: written by tools/generate-job-queue.ts
CREATE SCHEMA IF NOT EXISTS pgboss;

    CREATE TYPE pgboss.job_state AS ENUM (
      'created',
      'retry',
      'active',
      'completed',
      'cancelled',
      'failed'
    );

    CREATE FUNCTION pgboss.job_now()
    RETURNS timestamp with time zone AS
    $$
      SELECT pg_catalog.now();
    $$
    LANGUAGE sql STABLE;;

    CREATE TABLE pgboss.version (
      version int primary key,
      cron_on timestamp with time zone,
      bam_on timestamp with time zone,
      flow_on timestamp with time zone,
      reindex_on timestamp with time zone,
      monitor_backoff_on timestamp with time zone
    );

    CREATE TABLE pgboss.queue (
      name text NOT NULL,
      policy text NOT NULL,
      retry_limit int NOT NULL,
      retry_delay int NOT NULL,
      retry_backoff bool NOT NULL,
      retry_delay_max int,
      expire_seconds int NOT NULL,
      retention_seconds int NOT NULL,
      deletion_seconds int NOT NULL,
      dead_letter text REFERENCES pgboss.queue (name) CHECK (dead_letter IS DISTINCT FROM name),
      partition bool NOT NULL,
      table_name text NOT NULL,
      deferred_count int NOT NULL default 0,
      queued_count int NOT NULL default 0,
      ready_count int NOT NULL default 0,
      warning_queued int NOT NULL default 0,
      active_count int NOT NULL default 0,
      failed_count int NOT NULL default 0,
      total_count int NOT NULL default 0,
      created_delta int NOT NULL default 0,
      completed_delta int NOT NULL default 0,
      failed_delta int NOT NULL default 0,
      delta_on timestamp with time zone,
      delta_seconds int,
      ready_history int[] NOT NULL default '{}',
      heartbeat_seconds int,
      notify bool NOT NULL DEFAULT false,
      singletons_active text[],
      monitor_claim_on timestamp with time zone,
      monitor_on timestamp with time zone,
      maintain_on timestamp with time zone,
      created_on timestamp with time zone not null default now(),
      updated_on timestamp with time zone not null default now(),
      PRIMARY KEY (name)
    );

    CREATE TABLE pgboss.schedule (
      name text REFERENCES pgboss.queue ON DELETE CASCADE,
      key text not null DEFAULT '',
      kind text not null DEFAULT 'cron' CHECK (kind IN ('cron', 'rrule')),
      cron text not null,
      timezone text DEFAULT 'UTC',
      data jsonb,
      options jsonb,
      created_on timestamp with time zone not null default now(),
      updated_on timestamp with time zone not null default now(),
      last_job_id uuid,
      PRIMARY KEY (name, key)
    );

    CREATE TABLE pgboss.subscription (
      event text not null,
      name text not null REFERENCES pgboss.queue ON DELETE CASCADE,
      created_on timestamp with time zone not null default now(),
      updated_on timestamp with time zone not null default now(),
      PRIMARY KEY(event, name)
    );

    CREATE TABLE pgboss.bam (
      id uuid PRIMARY KEY default gen_random_uuid(),
      name text NOT NULL,
      version int NOT NULL,
      status text NOT NULL DEFAULT 'pending',
      queue text,
      table_name text NOT NULL,
      command text NOT NULL,
      error text,
      created_on timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
      started_on timestamp with time zone,
      completed_on timestamp with time zone
    );

    CREATE FUNCTION pgboss.job_table_format(command text, table_name text)
    RETURNS text AS
    $$
      SELECT format(
        regexp_replace(
          regexp_replace(command, '\.job\y', '.%1$I', 'g'),
          '\yjob_i(\d+)', '%1$s_i\1', 'g'
        ),
        table_name
      );
    $$
    LANGUAGE sql IMMUTABLE;;

    CREATE FUNCTION pgboss.job_table_run(command text, tbl_name text DEFAULT NULL, queue_name text DEFAULT NULL)
    RETURNS VOID AS
    $$
    DECLARE
      tbl RECORD;
    BEGIN
      IF queue_name IS NOT NULL THEN
        SELECT table_name INTO tbl_name FROM pgboss.queue WHERE name = queue_name;
      END IF;

      IF tbl_name IS NOT NULL THEN
        EXECUTE pgboss.job_table_format(command, tbl_name);
        RETURN;
      END IF;

      EXECUTE pgboss.job_table_format(command, 'job_common');

      FOR tbl IN SELECT table_name FROM pgboss.queue WHERE partition = true
      LOOP
        EXECUTE pgboss.job_table_format(command, tbl.table_name);
      END LOOP;
    END;
    $$
    LANGUAGE plpgsql;;

    CREATE FUNCTION pgboss.job_table_run_async(command_name text, version int, command text, tbl_name text DEFAULT NULL, queue_name text DEFAULT NULL)
    RETURNS VOID AS
    $$
    BEGIN
      IF queue_name IS NOT NULL THEN
        SELECT table_name INTO tbl_name FROM pgboss.queue WHERE name = queue_name;
      END IF;

      IF tbl_name IS NOT NULL THEN
        INSERT INTO pgboss.bam (name, version, status, queue, table_name, command)
        VALUES (
          command_name,
          version,
          'pending',
          queue_name,
          tbl_name,
          pgboss.job_table_format(command, tbl_name)
        );
        RETURN;
      END IF;

      INSERT INTO pgboss.bam (name, version, status, queue, table_name, command)
      SELECT
        command_name,
        version,
        'pending',
        NULL,
        'job_common',
        pgboss.job_table_format(command, 'job_common')
      UNION ALL
      SELECT
        command_name,
        version,
        'pending',
        queue.name,
        queue.table_name,
        pgboss.job_table_format(command, queue.table_name)
      FROM pgboss.queue
      WHERE partition = true;
    END;
    $$
    LANGUAGE plpgsql;;

    CREATE TABLE pgboss.job (
      id uuid not null default gen_random_uuid(),
      name text not null,
      priority integer not null default(0),
      data jsonb,
      state pgboss.job_state not null default 'created',
      retry_limit integer not null default 2,
      retry_count integer not null default 0,
      retry_delay integer not null default 0,
      retry_backoff boolean not null default false,
      retry_delay_max integer,
      expire_seconds int not null default 900,
      deletion_seconds int not null default 604800,
      singleton_key text,
      singleton_on timestamp without time zone,
      group_id text,
      group_tier text,
      start_after timestamp with time zone not null default now(),
      created_on timestamp with time zone not null default now(),
      started_on timestamp with time zone,
      completed_on timestamp with time zone,
      keep_until timestamp with time zone NOT NULL default now() + interval '1209600',
      output jsonb,
      dead_letter text,
      policy text,
      heartbeat_on timestamp with time zone,
      heartbeat_seconds int,
      blocked boolean not null default false,
      blocking boolean not null default false,
      pending_dependencies int not null default 0,
      source_name text,
      source_id uuid,
      source_created_on timestamp with time zone,
      source_retry_count int,
      source_output jsonb,
      source_root_id uuid
    ) PARTITION BY LIST (name);
ALTER TABLE pgboss.job ADD PRIMARY KEY (name, id);

    CREATE TABLE pgboss.job_common (LIKE pgboss.job INCLUDING GENERATED INCLUDING DEFAULTS);

    SELECT pgboss.job_table_run($cmd$ALTER TABLE pgboss.job ADD PRIMARY KEY (name, id)$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$ALTER TABLE pgboss.job ADD CONSTRAINT q_fkey FOREIGN KEY (name) REFERENCES pgboss.queue (name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$ALTER TABLE pgboss.job ADD CONSTRAINT dlq_fkey FOREIGN KEY (dead_letter) REFERENCES pgboss.queue (name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE UNIQUE INDEX job_i1 ON pgboss.job (name, COALESCE(singleton_key, '')) WHERE state = 'created' AND policy = 'short'$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE UNIQUE INDEX job_i2 ON pgboss.job (name, COALESCE(singleton_key, '')) WHERE state = 'active' AND policy = 'singleton'$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE UNIQUE INDEX job_i3 ON pgboss.job (name, state, COALESCE(singleton_key, '')) WHERE state <= 'active' AND policy = 'stately'$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE UNIQUE INDEX job_i6 ON pgboss.job (name, COALESCE(singleton_key, '')) WHERE state <= 'active' AND policy = 'exclusive'$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE UNIQUE INDEX job_i8 ON pgboss.job (name, singleton_key) WHERE state IN ('active', 'retry', 'failed') AND policy = 'key_strict_fifo'$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE INDEX job_i10 ON pgboss.job (name, singleton_key, state DESC, created_on, id) INCLUDE (start_after) WHERE state < 'active' AND NOT blocked AND policy = 'key_strict_fifo'$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$ALTER TABLE pgboss.job ADD CONSTRAINT job_key_strict_fifo_singleton_key_check CHECK (NOT (policy = 'key_strict_fifo' AND singleton_key IS NULL))$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE UNIQUE INDEX job_i4 ON pgboss.job (name, singleton_on, COALESCE(singleton_key, '')) WHERE state <> 'cancelled' AND singleton_on IS NOT NULL$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE INDEX job_i11 ON pgboss.job (name, priority DESC, created_on, start_after) WHERE state < 'active' AND NOT blocked$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE INDEX job_i7 ON pgboss.job (name, group_id) WHERE state = 'active' AND group_id IS NOT NULL$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE INDEX job_i9 ON pgboss.job (name, id) WHERE blocking AND state = 'completed'$cmd$, 'job_common');
    SELECT pgboss.job_table_run($cmd$CREATE INDEX job_i12 ON pgboss.job (source_root_id) WHERE source_root_id IS NOT NULL$cmd$, 'job_common');

    ALTER TABLE pgboss.job ATTACH PARTITION pgboss.job_common DEFAULT;;

    CREATE TABLE pgboss.warning (
      id uuid PRIMARY KEY default gen_random_uuid(),
      type text NOT NULL,
      message text NOT NULL,
      data jsonb,
      created_on timestamp with time zone NOT NULL DEFAULT now()
    );
CREATE INDEX warning_i1 ON pgboss.warning (created_on DESC);

    CREATE TABLE pgboss.queue_stats (
      id uuid NOT NULL DEFAULT gen_random_uuid(),
      name text NOT NULL,
      deferred_count int NOT NULL DEFAULT 0,
      queued_count   int NOT NULL DEFAULT 0,
      ready_count    int NOT NULL DEFAULT 0,
      active_count   int NOT NULL DEFAULT 0,
      failed_count   int NOT NULL DEFAULT 0,
      total_count    int NOT NULL DEFAULT 0,
      created_delta   int,
      completed_delta int,
      failed_delta    int,
      delta_seconds   int,
      delta_on        timestamptz,
      captured_on timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (id, captured_on)
    ) PARTITION BY RANGE (captured_on);
CREATE INDEX queue_stats_i1 ON pgboss.queue_stats (name, captured_on DESC) INCLUDE (deferred_count, queued_count, ready_count, active_count, failed_count, total_count);

    DO $$
    DECLARE
      d date;
      i int;
      part_name text;
    BEGIN
      FOR i IN 0..1 LOOP
        d := (pgboss.job_now() AT TIME ZONE 'UTC')::date + i;
        part_name := 'queue_stats_' || to_char(d, 'YYYYMMDD');
        IF NOT EXISTS (
          SELECT 1 FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'pgboss' AND c.relname = part_name
        ) THEN
          EXECUTE format(
            'CREATE TABLE pgboss.%I PARTITION OF pgboss.queue_stats FOR VALUES FROM (%L) TO (%L)',
            part_name,
            to_char(d, 'YYYY-MM-DD') || ' 00:00:00+00',
            to_char(d + 1, 'YYYY-MM-DD') || ' 00:00:00+00'
          );
        END IF;
      END LOOP;
    END;
    $$;

    CREATE TABLE pgboss.job_dependency (
      child_name text NOT NULL,
      child_id uuid NOT NULL,
      parent_name text NOT NULL,
      parent_id uuid NOT NULL,
      PRIMARY KEY (child_name, child_id, parent_name, parent_id)
    );
CREATE INDEX IF NOT EXISTS job_dep_parent_idx ON pgboss.job_dependency (parent_name, parent_id);

    CREATE FUNCTION pgboss.create_queue(queue_name text, options jsonb)
    RETURNS VOID AS
    $$
    DECLARE
      tablename varchar := CASE WHEN options->>'partition' = 'true'
                            THEN 'j' || encode(sha224(queue_name::bytea), 'hex')
                            ELSE 'job_common'
                            END;
      queue_created_on timestamptz;
    BEGIN

      WITH q as (
        INSERT INTO pgboss.queue (
          name,
          policy,
          retry_limit,
          retry_delay,
          retry_backoff,
          retry_delay_max,
          expire_seconds,
          retention_seconds,
          deletion_seconds,
          warning_queued,
          dead_letter,
          partition,
          table_name,
          heartbeat_seconds,
          notify,
          created_on,
          updated_on
        )
        VALUES (
          queue_name,
          options->>'policy',
          COALESCE((options->>'retryLimit')::int, 2),
          COALESCE((options->>'retryDelay')::int, 0),
          COALESCE((options->>'retryBackoff')::bool, false),
          (options->>'retryDelayMax')::int,
          COALESCE((options->>'expireInSeconds')::int, 900),
          COALESCE((options->>'retentionSeconds')::int, 1209600),
          COALESCE((options->>'deleteAfterSeconds')::int, 604800),
          COALESCE((options->>'warningQueueSize')::int, 0),
          options->>'deadLetter',
          COALESCE((options->>'partition')::bool, false),
          tablename,
          (options->>'heartbeatSeconds')::int,
          COALESCE((options->>'notify')::bool, false),
          pgboss.job_now(),
          pgboss.job_now()
        )
        ON CONFLICT DO NOTHING
        RETURNING created_on
      )
      SELECT created_on into queue_created_on from q;

      IF queue_created_on IS NULL OR options->>'partition' IS DISTINCT FROM 'true' THEN
        RETURN;
      END IF;

      EXECUTE format('CREATE TABLE pgboss.%I (LIKE pgboss.job INCLUDING DEFAULTS)', tablename);

      EXECUTE pgboss.job_table_format($cmd$ALTER TABLE pgboss.job ADD PRIMARY KEY (name, id)$cmd$, tablename);
      EXECUTE pgboss.job_table_format($cmd$ALTER TABLE pgboss.job ADD CONSTRAINT q_fkey FOREIGN KEY (name) REFERENCES pgboss.queue (name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED$cmd$, tablename);
      EXECUTE pgboss.job_table_format($cmd$ALTER TABLE pgboss.job ADD CONSTRAINT dlq_fkey FOREIGN KEY (dead_letter) REFERENCES pgboss.queue (name) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED$cmd$, tablename);

      EXECUTE pgboss.job_table_format($cmd$CREATE INDEX job_i11 ON pgboss.job (name, priority DESC, created_on, start_after) WHERE state < 'active' AND NOT blocked$cmd$, tablename);
      EXECUTE pgboss.job_table_format($cmd$CREATE UNIQUE INDEX job_i4 ON pgboss.job (name, singleton_on, COALESCE(singleton_key, '')) WHERE state <> 'cancelled' AND singleton_on IS NOT NULL$cmd$, tablename);
      EXECUTE pgboss.job_table_format($cmd$CREATE INDEX job_i7 ON pgboss.job (name, group_id) WHERE state = 'active' AND group_id IS NOT NULL$cmd$, tablename);
      EXECUTE pgboss.job_table_format($cmd$CREATE INDEX job_i9 ON pgboss.job (name, id) WHERE blocking AND state = 'completed'$cmd$, tablename);
      EXECUTE pgboss.job_table_format($cmd$CREATE INDEX job_i12 ON pgboss.job (source_root_id) WHERE source_root_id IS NOT NULL$cmd$, tablename);

      IF options->>'policy' = 'short' THEN
        EXECUTE pgboss.job_table_format($cmd$CREATE UNIQUE INDEX job_i1 ON pgboss.job (name, COALESCE(singleton_key, '')) WHERE state = 'created' AND policy = 'short'$cmd$, tablename);
      ELSIF options->>'policy' = 'singleton' THEN
        EXECUTE pgboss.job_table_format($cmd$CREATE UNIQUE INDEX job_i2 ON pgboss.job (name, COALESCE(singleton_key, '')) WHERE state = 'active' AND policy = 'singleton'$cmd$, tablename);
      ELSIF options->>'policy' = 'stately' THEN
        EXECUTE pgboss.job_table_format($cmd$CREATE UNIQUE INDEX job_i3 ON pgboss.job (name, state, COALESCE(singleton_key, '')) WHERE state <= 'active' AND policy = 'stately'$cmd$, tablename);
      ELSIF options->>'policy' = 'exclusive' THEN
        EXECUTE pgboss.job_table_format($cmd$CREATE UNIQUE INDEX job_i6 ON pgboss.job (name, COALESCE(singleton_key, '')) WHERE state <= 'active' AND policy = 'exclusive'$cmd$, tablename);
      ELSIF options->>'policy' = 'key_strict_fifo' THEN
        EXECUTE pgboss.job_table_format($cmd$CREATE UNIQUE INDEX job_i8 ON pgboss.job (name, singleton_key) WHERE state IN ('active', 'retry', 'failed') AND policy = 'key_strict_fifo'$cmd$, tablename);
        EXECUTE pgboss.job_table_format($cmd$CREATE INDEX job_i10 ON pgboss.job (name, singleton_key, state DESC, created_on, id) INCLUDE (start_after) WHERE state < 'active' AND NOT blocked AND policy = 'key_strict_fifo'$cmd$, tablename);
        EXECUTE pgboss.job_table_format($cmd$ALTER TABLE pgboss.job ADD CONSTRAINT job_key_strict_fifo_singleton_key_check CHECK (NOT (policy = 'key_strict_fifo' AND singleton_key IS NULL))$cmd$, tablename);
      END IF;

      EXECUTE format('ALTER TABLE pgboss.%I ADD CONSTRAINT cjc CHECK (name=%L)', tablename, queue_name);
      EXECUTE format('ALTER TABLE pgboss.job ATTACH PARTITION pgboss.%I FOR VALUES IN (%L)', tablename, queue_name);
    END;
    $$
    LANGUAGE plpgsql;;

    CREATE FUNCTION pgboss.delete_queue(queue_name text)
    RETURNS VOID AS
    $$
    DECLARE
      v_table varchar;
      v_partition bool;
    BEGIN

      SELECT table_name, partition
      FROM pgboss.queue
      WHERE name = queue_name
      INTO v_table, v_partition;

      IF v_partition THEN
        EXECUTE format('DROP TABLE IF EXISTS pgboss.%I', v_table);
      ELSE
        EXECUTE format('DELETE FROM pgboss.%I WHERE name = %L', v_table, queue_name);
      END IF;

      DELETE FROM pgboss.queue WHERE name = queue_name;
    END;
    $$
    LANGUAGE plpgsql;;
INSERT INTO pgboss.version(version) VALUES ('43');
-- pg-boss ends

create table portcullis.jobs (
  tenant_id uuid not null references portcullis.tenants,
  id uuid not null,
  kind text not null check (length(kind) between 1 and 64),
  -- The numbers of portcullis.v1.JobState.
  state smallint not null default 1 check (state between 1 and 6),
  trigger text not null check (trigger in ('manual', 'schedule')),
  actor text not null,
  request_id text not null,
  -- No other of the kind may be there until it has ended; no other may run while it does.
  exclusive boolean not null,
  serial boolean not null,
  data_json text not null,
  attempts int not null default 0,
  -- The process that has it.
  worker text not null default '',
  error text not null default '',
  result_json text not null default '',
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  -- The ledger says how it ended.
  recorded boolean not null default false,
  primary key (tenant_id, id),
  check ((state >= 4) = (finished_at is not null))
);
-- The queue names a job by its id alone. No list may be read along this one.
create index on portcullis.jobs using hash (id);
create index on portcullis.jobs (tenant_id, kind, id);
create index on portcullis.jobs (tenant_id, state, id);
create unique index jobs_exclusive on portcullis.jobs (tenant_id, kind) where exclusive and finished_at is null;
create unique index jobs_serial on portcullis.jobs (tenant_id, kind) where serial and state = 2;
create index on portcullis.jobs (tenant_id, kind) where finished_at is null;
create index on portcullis.jobs (finished_at) where not recorded and finished_at is not null;
create index on portcullis.jobs (finished_at) where finished_at is not null;

alter table portcullis.jobs enable row level security;
alter table portcullis.jobs force row level security;
create policy tenant on portcullis.jobs using (tenant_id = (select portcullis.tenant()));
create policy owner on portcullis.jobs to portcullis_owner using (true);
grant select on portcullis.jobs to portcullis_app, portcullis_reader;

revoke all on all functions in schema pgboss from public;
grant usage on schema pgboss to portcullis_app;
grant execute on function pgboss.job_now() to portcullis_app;
grant select on pgboss.version, pgboss.queue, pgboss.schedule, pgboss.subscription, pgboss.job_dependency to portcullis_app;
grant update on pgboss.queue to portcullis_app;
grant delete on pgboss.job_dependency to portcullis_app;
grant select, insert, update, delete on pgboss.job, pgboss.job_common to portcullis_app;

select pgboss.create_queue('portcullis_jobs_dead', '{"policy": "standard", "retentionSeconds": 1209600}');
select pgboss.create_queue('portcullis_jobs', '{"policy": "standard", "deadLetter": "portcullis_jobs_dead"}');

-- Whatever moves a job in the queue moves its row here, in the same transaction. What it found is taken out of the queue.
create function portcullis.follow_job() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.name = 'portcullis_jobs' then
    update portcullis.jobs j set
      state = case new.state when 'created' then 1 when 'active' then 2 when 'retry' then 3 when 'completed' then 4 when 'failed' then 5 else 6 end,
      attempts = case when new.state = 'active' then new.retry_count + 1 else j.attempts end,
      started_at = case when new.state = 'active' then coalesce(j.started_at, now()) else j.started_at end,
      finished_at = case when new.state in ('completed', 'failed', 'cancelled') then now() end,
      worker = case when new.state = 'active' then '' else j.worker end,
      result_json = case when new.state <> 'completed' or new.output is null then j.result_json
        when octet_length(new.output::text) > 65536 then '{"truncated":true}' else new.output::text end,
      error = case
        when new.state in ('retry', 'failed') then left(coalesce(new.output ->> 'message', new.output -> 'value' ->> 'message', 'it failed without a message'), 2000)
        when new.state = 'cancelled' then left(coalesce(new.output ->> 'message', j.error), 2000)
        when new.state = 'completed' then '' else j.error end
     where j.id = new.id and j.finished_at is null;
    if new.state in ('completed', 'failed', 'cancelled') then
      perform pg_notify('portcullis_jobs', '');
    end if;
  end if;
  new.data := null;
  new.output := null;
  new.source_output := null;
  return new;
end
$$;
create trigger follow before insert or update of state on pgboss.job_common
  for each row execute function portcullis.follow_job();

/*
 * One trigger of a kind, decided and done under the locks of its rows: of two replicas that trigger the same kind one is refused.
 * `p_overlap` is a number of portcullis.v1.JobOverlap. Answers the id that is in the way with the verdict job.running.
 */
create function portcullis.trigger_job(p_id uuid, p_kind text, p_trigger text, p_actor text, p_request text, p_overlap int,
  p_retries int, p_timeout_seconds int, p_data text, p_waiting_max int)
returns table (verdict text, id uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenant uuid := portcullis.tenant();
  v_other uuid;
  v_count bigint;
begin
  loop
    select (array_agg(j.id order by j.id))[1], count(*) into v_other, v_count from (
      select o.id from portcullis.jobs o
       where o.tenant_id = v_tenant and o.kind = p_kind and o.finished_at is null limit p_waiting_max) j;
    if (p_overlap = 1 and v_count > 0) or v_count >= p_waiting_max then
      return query select 'job.running', v_other;
      return;
    end if;
    insert into portcullis.jobs (tenant_id, id, kind, trigger, actor, request_id, exclusive, serial, data_json)
      values (v_tenant, p_id, p_kind, p_trigger, p_actor, p_request, p_overlap = 1, p_overlap <> 3, p_data)
      on conflict (tenant_id, kind) where exclusive and finished_at is null do nothing;
    -- Not there: another replica's has committed meanwhile, and the next look sees it.
    exit when found;
  end loop;
  insert into pgboss.job (id, name, policy, retry_limit, retry_delay, retry_backoff, retry_delay_max, expire_seconds, deletion_seconds,
      keep_until, group_id, group_tier, dead_letter, heartbeat_seconds)
    values (p_id, 'portcullis_jobs', 'standard', p_retries, 2, true, 300, p_timeout_seconds, 86400,
      now() + interval '14 days', v_tenant || ' ' || p_kind, case when p_overlap = 3 then 'allow' end, 'portcullis_jobs_dead', 5);
  perform pg_notify('portcullis_jobs', '');
  return query select 'done', p_id;
end
$$;

-- Ends a job of the tenant before its time; whoever works on it is told by its next heartbeat. Nothing where the job is not there.
create function portcullis.cancel_job(p_id uuid, p_reason text) returns table (verdict text, job portcullis.jobs)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_done bigint := 0;
begin
  if not exists (select from portcullis.jobs j where j.tenant_id = portcullis.tenant() and j.id = p_id) then
    return;
  end if;
  update pgboss.job_common b set state = 'cancelled', completed_on = now(), output = jsonb_build_object('message', p_reason)
   where b.name = 'portcullis_jobs' and b.id = p_id and b.state < 'completed';
  get diagnostics v_done = row_count;
  return query select case when v_done > 0 then 'done' else 'object.state' end, j
    from portcullis.jobs j where j.tenant_id = portcullis.tenant() and j.id = p_id;
end
$$;

-- What a worker needs of the job that the queue has given it.
create function portcullis.start_job(p_id uuid, p_worker text)
returns table (tenant_id uuid, tenant text, kind text, trigger text, actor text, request_id text, data_json text)
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with started as (
    update portcullis.jobs j set worker = p_worker where j.id = p_id and j.state = 2 returning j.*)
  select s.tenant_id, t.name, s.kind, s.trigger, s.actor, s.request_id, s.data_json
    from started s join portcullis.tenants t on t.id = s.tenant_id;
end;

-- What a job has to say while it runs; of the attempt that runs now only.
create function portcullis.job_progress(p_id uuid, p_attempt int, p_result text) returns void
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  update portcullis.jobs j set result_json = p_result
   where j.id = p_id and j.state = 2 and j.attempts = p_attempt and octet_length(p_result) <= 65536;
end;

-- What there is to do: jobs whose worker has not been heard of, whether one is due, whether the end of one has no entry yet.
create function portcullis.look_at_jobs() returns table (what text, id uuid, attempt int)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  (select 'lost', b.id, b.retry_count from pgboss.job_common b
    where b.name = 'portcullis_jobs' and b.state = 'active' and b.group_id is not null
      and coalesce(b.heartbeat_on, b.started_on) + make_interval(secs => b.heartbeat_seconds) < now() limit 20)
  union all
  (select 'due', b.id, b.retry_count from pgboss.job_common b
    where b.name = 'portcullis_jobs' and b.state < 'active' and not b.blocked and b.start_after <= now() limit 1)
  union all
  (select 'ended', j.id, 0 from portcullis.jobs j where j.finished_at is not null and not j.recorded limit 1);
end;

-- Jobs that have ended and whose end is not in the ledger yet: each is taken once, by who appends its entry in the same transaction.
create function portcullis.take_ended_jobs(p_at_most int)
returns table (tenant_id uuid, tenant text, id uuid, kind text, state smallint, trigger text, actor text, request_id text,
  attempts int, error text, elapsed_ms float8)
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  with ended as materialized (
    select j.tenant_id, j.id from portcullis.jobs j where j.finished_at is not null and not j.recorded
     order by j.finished_at limit p_at_most for update skip locked),
  taken as (
    update portcullis.jobs j set recorded = true from ended e where j.tenant_id = e.tenant_id and j.id = e.id returning j.*)
  select k.tenant_id, t.name, k.id, k.kind, k.state, k.trigger, k.actor, k.request_id, k.attempts, k.error,
         round(extract(epoch from k.finished_at - k.created_at) * 1000)::float8
    from taken k join portcullis.tenants t on t.id = k.tenant_id order by t.name, k.id;
end;

-- Forgets jobs that ended long ago, and ends those that the queue has dropped.
create function portcullis.purge_jobs(p_older interval, p_at_most int) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  update portcullis.jobs j set state = 5, finished_at = now(), error = 'it waited for longer than jobs are kept'
   where j.finished_at is null and j.created_at < now() - interval '1 hour'
     and not exists (select from pgboss.job_common b where b.name = 'portcullis_jobs' and b.id = j.id);
  with gone as (
    delete from portcullis.jobs j where (j.tenant_id, j.id) in (
      select o.tenant_id, o.id from portcullis.jobs o
       -- Not younger than the least that the settings may say, whoever asks.
       where o.finished_at < now() - greatest(p_older, interval '24 hours') and o.recorded order by o.finished_at limit p_at_most)
    returning 1)
  select count(*) from gone;
end;

do $$
declare f text;
begin
  foreach f in array array[
    'trigger_job(uuid, text, text, text, text, int, int, int, text, int)', 'cancel_job(uuid, text)', 'start_job(uuid, text)',
    'job_progress(uuid, int, text)', 'look_at_jobs()', 'take_ended_jobs(int)', 'purge_jobs(interval, int)'] loop
    execute format('revoke all on function portcullis.%s from public', f);
    execute format('grant execute on function portcullis.%s to portcullis_app', f);
  end loop;
end
$$;
revoke all on function portcullis.follow_job() from public;
