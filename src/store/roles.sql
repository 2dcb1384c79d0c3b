-- The four roles (SPEC O2, L6). Run once by a superuser before the first `portcullis migrate`, which runs as portcullis_owner.
-- Give the login roles their passwords afterwards: alter role portcullis_app password '...'.
do $$
begin
  if not exists (select from pg_roles where rolname = 'portcullis_owner') then
    create role portcullis_owner login noinherit nosuperuser nocreatedb nocreaterole nobypassrls;
  end if;
  if not exists (select from pg_roles where rolname = 'portcullis_app') then
    create role portcullis_app login noinherit nosuperuser nocreatedb nocreaterole nobypassrls;
  end if;
  if not exists (select from pg_roles where rolname = 'portcullis_reader') then
    create role portcullis_reader login noinherit nosuperuser nocreatedb nocreaterole nobypassrls;
  end if;
  if not exists (select from pg_roles where rolname = 'portcullis_maintenance') then
    create role portcullis_maintenance login noinherit nosuperuser nocreatedb nocreaterole nobypassrls;
  end if;
end
$$;
do $$
begin
  execute format('grant create, connect on database %I to portcullis_owner', current_database());
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to portcullis_app, portcullis_reader, portcullis_maintenance', current_database());
end
$$;
revoke create on schema public from public;
