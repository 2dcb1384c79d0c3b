-- The kill switch. No older binary may serve this schema: it would not see what is engaged.
create table portcullis.kill_state (
  only_row boolean primary key default true check (only_row),
  -- Counts every engage and release. They exclude each other and all writes, so that their order is the order of their commits.
  epoch bigint not null default 0
);
insert into portcullis.kill_state default values;
grant select on portcullis.kill_state to portcullis_app, portcullis_reader;

/*
 * Every transaction that writes for a caller begins here (SPEC K2). It was decided under the kills of an epoch: another one in force by
 * now is told with the state PK001, and nothing is done. The lock is taken by a statement before the look, so that the look sees what
 * the holder before has committed. Shared by all writes; exclusive for the write that changes what is engaged.
 */
create function portcullis.enter_writes(p_epoch bigint, p_exclusive boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  epoch_now bigint;
begin
  if p_exclusive then
    perform pg_advisory_xact_lock(hashtext('portcullis kill switch'));
  else
    perform pg_advisory_xact_lock_shared(hashtext('portcullis kill switch'));
  end if;
  select k.epoch into epoch_now from portcullis.kill_state k;
  if epoch_now <> p_epoch then
    raise exception 'the kill switch has changed' using errcode = 'PK001';
  end if;
end
$$;
revoke all on function portcullis.enter_writes(bigint, boolean) from public;
grant execute on function portcullis.enter_writes(bigint, boolean) to portcullis_app;
