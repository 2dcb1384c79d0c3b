-- serves from 0016
-- Which of the tables that replicas keep in memory have rows that changed in transaction `since` or later: one look for all of them,
-- several times a second. What is not named here has nothing new.
create function portcullis.changed_tables(since xid8) returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select array_remove(array[
    case when exists (select from portcullis.keys where changed_xid >= since) then 'keys' end,
    case when exists (select from portcullis.apps where changed_xid >= since) then 'apps' end,
    case when exists (select from portcullis.token_denials where changed_xid >= since) then 'token_denials' end,
    case when exists (select from portcullis.operators where changed_xid >= since) then 'operators' end,
    case when exists (select from portcullis.certificates where changed_xid >= since) then 'certificates' end,
    case when exists (select from portcullis.signing_keys where changed_xid >= since) then 'signing_keys' end,
    case when exists (select from portcullis.budgets where changed_xid >= since) then 'budgets' end,
    case when exists (select from portcullis.policies where changed_xid >= since) then 'policies' end,
    case when exists (select from portcullis.policy_caps where changed_xid >= since) then 'policy_caps' end,
    case when exists (select from portcullis.oauth_keys where changed_xid >= since) then 'oauth_keys' end,
    -- The first look learns the epoch, which there may be without any row.
    case when since = '0'::xid8 or exists (select from portcullis.kills where changed_xid >= since) then 'kills' end
  ], null);
end;
revoke all on function portcullis.changed_tables(xid8) from public;
grant execute on function portcullis.changed_tables(xid8) to portcullis_app;
