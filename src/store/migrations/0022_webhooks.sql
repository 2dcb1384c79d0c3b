-- serves from 0016
-- Webhooks (SPEC O11). They look at the logs of every tenant, so the app role reaches what is below through the functions alone.
create table portcullis.webhooks (
  name text collate "C" primary key check (name ~ '^[a-z][a-z0-9-]{0,31}$'),
  -- Empty for all.
  tenant text not null
);

-- Everything before next_seq was looked at. A log without a row was made after the webhook: it begins at its first entry.
create table portcullis.webhook_cursors (
  webhook text collate "C" not null references portcullis.webhooks,
  log text collate "C" not null,
  next_seq bigint not null,
  primary key (webhook, log)
) with (fillfactor = 50);

-- Events that are to be delivered, by where their entries stand. A row that was delivered is gone.
create table portcullis.webhook_deliveries (
  webhook text collate "C" not null,
  log text collate "C" not null,
  seq bigint not null,
  -- 1 waits until due_at; 2 was given up at due_at.
  state smallint not null default 1 check (state in (1, 2)),
  action text not null,
  attempts int not null default 0,
  due_at timestamptz not null,
  error text not null default '',
  primary key (webhook, log, seq)
);
create index on portcullis.webhook_deliveries (webhook, state, due_at, log, seq);
create index on portcullis.webhook_deliveries (due_at);

do $$
declare t text;
begin
  foreach t in array array['webhooks', 'webhook_cursors', 'webhook_deliveries'] loop
    execute format('alter table portcullis.%I enable row level security', t);
    execute format('alter table portcullis.%I force row level security', t);
    execute format('create policy owner on portcullis.%I to portcullis_owner using (true) with check (true)', t);
  end loop;
end
$$;

/*
 * Looks through up to p_at_most entries that a webhook has not seen, and puts those it wants in line: an action with the outcome beside it,
 * or any where that is empty. In one transaction with the cursor, so that nothing is lost or put in line twice. While p_waiting are in line
 * it looks no further: the ledger keeps the rest. A webhook that is new begins now. Answers how many entries were not there any more.
 */
create function portcullis.collect_webhook(p_webhook text, p_tenant text, p_actions text[], p_outcomes text[], p_at_most int,
  p_waiting int, out looked bigint, out missing bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_before text;
  v_log record;
  v_upto bigint;
begin
  looked := 0;
  missing := 0;
  select w.tenant into v_before from portcullis.webhooks w where w.name = p_webhook for update;
  if v_before is distinct from p_tenant then
    insert into portcullis.webhooks values (p_webhook, p_tenant) on conflict (name) do update set tenant = excluded.tenant;
    insert into portcullis.webhook_cursors select p_webhook, h.log, h.size from audits.heads h on conflict do nothing;
  end if;
  if (select count(*) from (select from portcullis.webhook_deliveries d
        where d.webhook = p_webhook and d.state = 1 limit p_waiting) d) >= p_waiting then
    return;
  end if;
  for v_log in
    select h.log, h.size, h.min_index, coalesce(c.next_seq, 0) as next_seq
      from audits.heads h
      left join portcullis.webhook_cursors c on c.webhook = p_webhook and c.log = h.log
      left join portcullis.tenants t on t.id = h.tenant_id
     where h.size > coalesce(c.next_seq, 0) and (p_tenant = '' or t.name = p_tenant)
     order by h.size - coalesce(c.next_seq, 0)
  loop
    exit when looked >= p_at_most;
    missing := missing + greatest(0, v_log.min_index - v_log.next_seq);
    v_log.next_seq := greatest(v_log.next_seq, v_log.min_index);
    v_upto := least(v_log.size, v_log.next_seq + p_at_most - looked);
    insert into portcullis.webhook_deliveries (webhook, log, seq, action, due_at)
    select p_webhook, e.log, e.seq, e.action, e.ts from audits.entries e
     where e.log = v_log.log and e.seq >= v_log.next_seq and e.seq < v_upto
       and exists (select from unnest(p_actions, p_outcomes) w(action, outcome)
                    where w.action = e.action and w.outcome in ('', e.outcome))
    on conflict do nothing;
    insert into portcullis.webhook_cursors values (p_webhook, v_log.log, v_upto)
      on conflict (webhook, log) do update set next_seq = excluded.next_seq;
    looked := looked + v_upto - v_log.next_seq;
  end loop;
end
$$;

-- What is due, the oldest first, with the entries as far as they are kept.
create function portcullis.due_webhook(p_webhook text, p_at_most int)
returns table (log text, seq bigint, action text, attempts int, entry bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select d.log, d.seq, d.action, d.attempts, e.entry
    from (select * from portcullis.webhook_deliveries d
           where d.webhook = p_webhook and d.state = 1 and d.due_at <= clock_timestamp()
           order by d.due_at, d.log, d.seq limit p_at_most) d
    left join lateral (select e.entry from audits.entries e where e.log = d.log and e.seq = d.seq) e on true
   order by d.due_at, d.log, d.seq;
end;

-- What became of one delivery: done without an error; with one it is due again, or given up where p_again_ms is null. Of those that were
-- given up each webhook keeps the newest p_kept.
create function portcullis.settle_webhook(p_webhook text, p_log text, p_seq bigint, p_error text, p_again_ms float8, p_kept int)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_error is null then
    delete from portcullis.webhook_deliveries d where d.webhook = p_webhook and d.log = p_log and d.seq = p_seq;
    return;
  end if;
  update portcullis.webhook_deliveries d
     set attempts = d.attempts + 1, error = p_error, state = case when p_again_ms is null then 2 else 1 end,
         due_at = clock_timestamp() + interval '1 ms' * coalesce(p_again_ms, 0)
   where d.webhook = p_webhook and d.log = p_log and d.seq = p_seq and d.state = 1;
  if p_again_ms is null then
    delete from portcullis.webhook_deliveries d using (
      select o.log, o.seq from portcullis.webhook_deliveries o where o.webhook = p_webhook and o.state = 2
       order by o.due_at desc, o.log desc, o.seq desc offset p_kept limit 1000) o
     where d.webhook = p_webhook and d.log = o.log and d.seq = o.seq;
  end if;
end
$$;

-- How many events wait and were given up, of each webhook, and how many entries it has not looked at.
create function portcullis.webhook_counts(p_webhooks text[], p_tenants text[])
returns table (webhook text, waiting bigint, dead bigint, behind bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select w.name,
         (select count(*) from portcullis.webhook_deliveries d where d.webhook = w.name and d.state = 1),
         (select count(*) from portcullis.webhook_deliveries d where d.webhook = w.name and d.state = 2),
         (select coalesce(sum(h.size - coalesce(c.next_seq, 0)), 0)::bigint from audits.heads h
            left join portcullis.webhook_cursors c on c.webhook = w.name and c.log = h.log
            left join portcullis.tenants t on t.id = h.tenant_id
           where exists (select from portcullis.webhooks k where k.name = w.name) and (w.tenant = '' or t.name = w.tenant))
    from unnest(p_webhooks, p_tenants) as w(name, tenant);
end;

-- What was given up, the newest first; of every webhook where none is named.
create function portcullis.dead_webhooks(p_webhook text, p_at_most int)
returns table (webhook text, log text, seq bigint, action text, attempts int, given_up_at timestamptz, error text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select d.webhook, d.log, d.seq, d.action, d.attempts, d.due_at, d.error from portcullis.webhook_deliveries d
   where d.state = 2 and (p_webhook is null or d.webhook = p_webhook)
   order by d.due_at desc, d.webhook, d.log, d.seq limit p_at_most;
end;

-- Puts into line again what was given up: one, or all of the webhook where p_log is null. Says so in the log `system`, if there was any.
create function portcullis.replay_webhook(p_webhook text, p_log text, p_seq bigint, p_entry text, out again bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update portcullis.webhook_deliveries d set state = 1, attempts = 0, due_at = clock_timestamp()
   where d.webhook = p_webhook and d.state = 2 and (p_log is null or (d.log = p_log and d.seq = p_seq));
  get diagnostics again = row_count;
  if again > 0 then
    perform audits.append('system', '', '', '', 'webhook.replayed', 'allow', '', '', p_entry);
  end if;
end
$$;

-- What was given up long ago, and what waits for a webhook that is in nobody's settings any more.
create function portcullis.purge_webhooks(p_older interval, p_at_most int) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  delete from portcullis.webhook_deliveries d using (
    select o.webhook, o.log, o.seq from portcullis.webhook_deliveries o
     where o.due_at < now() - p_older order by o.due_at limit p_at_most) o
   where d.webhook = o.webhook and d.log = o.log and d.seq = o.seq;
end;

-- How full the hard budgets of every tenant are now, by unit, and what all reservations hold: for the metrics. A limit of zero is no
-- budget that was used up. Of each budget the newest 2000 windows are looked at, as in portcullis.budget_use.
create function portcullis.budget_gauges(out unit smallint, out used_ratio float8, out reserved_nano_usd numeric) returns setof record
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select u.unit, coalesce(max(x.used / x.limit_amount), 0)::float8,
         case when u.unit = 1 then (select coalesce(sum(r.held_nano_usd), 0) from portcullis.reservations r where r.state = 1) end
    from (values (1::smallint), (2::smallint), (3::smallint)) as u(unit)
    left join lateral (
      select b.limit_amount, sum(w.held + w.settled) as used
        from portcullis.budgets b
        cross join lateral portcullis.budget_window(b.window_kind, b.duration, b.duration_ms, b.time_zone, now()) k
        cross join lateral (
          select * from portcullis.budget_windows w
           where w.tenant_id = b.tenant_id and w.budget_id = b.id and w.start_at >= k.from_at
           order by w.start_at desc limit 2000) w
       where b.active and b.hard and b.action = 1 and b.limit_amount > 0 and b.unit = u.unit
       group by b.tenant_id, b.id, w.subject, b.limit_amount) x on true
   group by u.unit;
end;

revoke all on function portcullis.collect_webhook(text, text, text[], text[], int, int), portcullis.due_webhook(text, int),
  portcullis.settle_webhook(text, text, bigint, text, float8, int), portcullis.webhook_counts(text[], text[]),
  portcullis.dead_webhooks(text, int), portcullis.replay_webhook(text, text, bigint, text), portcullis.purge_webhooks(interval, int),
  portcullis.budget_gauges() from public;
grant execute on function portcullis.collect_webhook(text, text, text[], text[], int, int), portcullis.due_webhook(text, int),
  portcullis.settle_webhook(text, text, bigint, text, float8, int), portcullis.webhook_counts(text[], text[]),
  portcullis.dead_webhooks(text, int), portcullis.replay_webhook(text, text, bigint, text), portcullis.purge_webhooks(interval, int),
  portcullis.budget_gauges() to portcullis_app;
