-- serves from 0026
-- How often somebody failed to show who they are, of late: one row for a person, and one for a person at an address (SPEC A9). Keys are
-- digests. A row is over when its time has come, and is taken away by whoever comes by.
create table portcullis.sign_in_attempts (
  key bytea primary key check (length(key) = 32),
  -- When all that was counted is forgiven: one more attempt is one interval more.
  forgiven_at timestamptz not null
);
create index on portcullis.sign_in_attempts (forgiven_at);
alter table portcullis.sign_in_attempts enable row level security;
alter table portcullis.sign_in_attempts force row level security;
-- Nobody but the functions below sees it.
create policy owner on portcullis.sign_in_attempts to portcullis_owner using (true);

/*
 * Counts one attempt under each key, or under none where one of them has had its burst: then it answers how many milliseconds to wait, else
 * 0. An attempt counts from its beginning, so that many at a time, at whichever replicas, are no more than one after the other; one that
 * succeeds is given back. What is counted reaches no farther than a burst, whatever the clock did.
 */
create function portcullis.begin_sign_in(p_keys bytea[], p_interval_ms float8[], p_bursts int[], p_rows_max int) returns float8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  moment timestamptz;
  until timestamptz;
  step interval;
  longest interval := '0';
  n int;
begin
  -- In one order, so that two replicas cannot wait for each other. The row is there and locked behind this, new or not.
  for n in select i from generate_subscripts(p_keys, 1) i order by p_keys[i] loop
    insert into portcullis.sign_in_attempts as a (key, forgiven_at) values (p_keys[n], clock_timestamp())
      on conflict (key) do update set forgiven_at = a.forgiven_at returning a.forgiven_at into until;
    moment := clock_timestamp();
    step := p_interval_ms[n] * interval '1 ms';
    until := least(greatest(until, moment), moment + step * p_bursts[n]);
    longest := greatest(longest, until - moment - step * (p_bursts[n] - 1));
    update portcullis.sign_in_attempts set forgiven_at = until where key = p_keys[n];
  end loop;
  if longest = '0' then
    for n in select i from generate_subscripts(p_keys, 1) i loop
      update portcullis.sign_in_attempts set forgiven_at = forgiven_at + p_interval_ms[n] * interval '1 ms' where key = p_keys[n];
    end loop;
  end if;
  -- Last, and past what others have locked: whoever waits here holds nothing that they wait for.
  delete from portcullis.sign_in_attempts where key = any (array(
    select a.key from portcullis.sign_in_attempts a where a.forgiven_at <= clock_timestamp() order by a.forgiven_at limit 100 for update skip locked));
  -- Where there are too many all the same, those go that would be forgiven first: names that somebody makes up, each tried once.
  if (select count(*) from (select from portcullis.sign_in_attempts limit p_rows_max + 1) counted) > p_rows_max then
    delete from portcullis.sign_in_attempts where key = any (array(
      select a.key from portcullis.sign_in_attempts a order by a.forgiven_at limit 100 for update skip locked));
  end if;
  return extract(epoch from longest) * 1000;
end
$$;

-- Takes one attempt back under each key: it succeeded, or was not made.
create function portcullis.give_back_sign_in(p_keys bytea[], p_interval_ms float8[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  n int;
begin
  for n in select i from generate_subscripts(p_keys, 1) i order by p_keys[i] loop
    update portcullis.sign_in_attempts set forgiven_at = forgiven_at - p_interval_ms[n] * interval '1 ms' where key = p_keys[n];
  end loop;
end
$$;

/*
 * Sets the password of an operator for whoever holds the owner role, and ends all that the operator was signed in with, links and codes
 * included. No row where there is none of that name; a verdict other than `done` where it has no password to set.
 */
create function portcullis.set_operator_password(p_tenant text, p_name text, p_hash text)
returns table (verdict text, operator_id uuid, tenant_id uuid)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  found_one portcullis.operators;
begin
  select o.* into found_one from portcullis.operators o join portcullis.tenants t on t.id = o.tenant_id
   where t.name = p_tenant and o.name = p_name for update of o;
  if found_one.id is null then
    return;
  end if;
  if found_one.disabled_at is not null or found_one.upstream_subject is not null then
    return query select case when found_one.disabled_at is null then 'upstream' else 'disabled' end, found_one.id, found_one.tenant_id;
    return;
  end if;
  insert into portcullis.operator_passwords as p (tenant_id, operator_id, hash) values (found_one.tenant_id, found_one.id, p_hash)
    on conflict (tenant_id, operator_id) do update set hash = excluded.hash, version = p.version + 1, set_at = now();
  update portcullis.operators o set password_set_at = now() where o.tenant_id = found_one.tenant_id and o.id = found_one.id;
  update portcullis.sign_in_codes c set used_at = now()
   where c.tenant_id = found_one.tenant_id and c.operator_id = found_one.id and c.used_at is null;
  perform portcullis.end_sessions_of(found_one.tenant_id, array[found_one.id], 'password set');
  perform pg_notify('portcullis_credentials', '');
  return query select 'done', found_one.id, found_one.tenant_id;
end
$$;

revoke all on function portcullis.begin_sign_in(bytea[], float8[], int[], int), portcullis.give_back_sign_in(bytea[], float8[]),
  portcullis.set_operator_password(text, text, text) from public;
grant execute on function portcullis.begin_sign_in(bytea[], float8[], int[], int), portcullis.give_back_sign_in(bytea[], float8[])
  to portcullis_app;
