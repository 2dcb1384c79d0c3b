-- What the leaderboard counts (SPEC H10). A benchmark may be of many cases: then its score is their share of successes, and its tokens,
-- cost and latency are those of all of them together. 0 is a benchmark that says nothing of the kind: the leaderboard leaves it out.
alter table portcullis.benchmarks add column samples bigint not null default 0 check (samples >= 0);

/*
 * For everybody: how models did at published workflows, over so many days. No tenant, agent, prompt or run is named. What stands in the
 * entries of attempts comes from the roll-ups; benchmarks are looked at themselves, the newest 10,000 of each workflow. The floor is each
 * tenant's own: another one that publishes the same name must not lift it over it.
 */
create function portcullis.leaderboard(p_minimum_samples int, p_days int)
returns table (workflow text, provider text, model text, benchmark boolean, samples text, successes text, cost_nano_usd text, latency_ms text)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  with shown as materialized (
    select p.tenant_id, p.workflow
      from portcullis.published_workflows p
      join portcullis.tenants t on t.id = p.tenant_id and t.disabled_at is null),
  tried as (
    select s.tenant_id, s.workflow, r.provider, r.model, false as benchmark, sum(r.attempts) as samples, sum(r.successes) as successes,
           sum(r.cost_nano_usd) as cost_nano_usd, sum(r.latency_ms) as latency_ms
      from shown s
      cross join lateral (
        select * from portcullis.telemetry_rollups_day d
         where d.tenant_id = s.tenant_id and d.workflow = s.workflow
           and d.bucket > date_trunc('day', now(), 'UTC') - make_interval(days => p_days)) r
     group by 1, 2, 3, 4
    union all
    select s.tenant_id, s.workflow, b.provider, b.model, true, sum(b.samples),
           sum(round(b.quality_score_milli * b.samples::numeric / 1000)), sum(b.cost_nano_usd::numeric), sum(b.latency_ms::numeric)
      from shown s
      cross join lateral (
        select * from portcullis.benchmarks x
         where x.tenant_id = s.tenant_id and x.workflow = s.workflow
           and x.id >= portcullis.least_id(now() - make_interval(days => p_days))
         order by x.id desc limit 10000) b
     where b.samples > 0
     group by 1, 2, 3, 4)
  select t.workflow, t.provider, t.model, t.benchmark, least(sum(t.samples), 9e18)::bigint::text, least(sum(t.successes), 9e18)::bigint::text,
         least(sum(t.cost_nano_usd), 9e18)::bigint::text, least(sum(t.latency_ms), 9e18)::bigint::text
    from tried t
   where t.samples >= p_minimum_samples
   group by 1, 2, 3, 4
   order by sum(t.samples) desc, 1, 2, 3, 4 limit 500;
end;
revoke all on function portcullis.leaderboard(int, int) from public;
grant execute on function portcullis.leaderboard(int, int) to portcullis_app;
