import { members, ms, type OperationStatement } from './statement.ts'

/** The columns of a KillRow. */
export function killColumns(of: string): string {
  return `${of}.id, ${of}.scope, ${of}.subject, ${of}.reason, ${of}.actor, ${ms(`${of}.engaged_at`, 'engagedAtMs')},
  ${ms(`${of}.expires_at`, 'expiresAtMs')}, ${ms(`${of}.released_at`, 'releasedAtMs')}, ${of}.released_by as "releasedBy",
  ${of}.release_reason as "releaseReason", ${of}.epoch::text as epoch, ${of}.runs_cancelled::text as "runsCancelled",
  ${of}.reservations_settled::text as "reservationsSettled"`
}

// Kills in force: of names in a tenant, of names by one actor, of the same id by one actor. The hub says so to whoever wants one more.
const [atMost, ofActor, ofSubject] = [1000, 100, 10]

/** Under the exclusive lock that the batch has taken: see `portcullis.enter_writes`. */
export const engageKill: OperationStatement = {
  name: 'kill.engage',
  text: `with ${members(`id uuid, scope smallint, subject text, reason text, actor text, "engagedAtMs" float8, "expiresAtMs" float8,
      platform boolean, once boolean`)}
  select m.n, m.p, s.verdict, ${killColumns('(s.kill)')}
    from m cross join lateral portcullis.engage_kill(m.id, m.scope, m.subject, m.reason, m.actor, to_timestamp(m."engagedAtMs" / 1000),
      to_timestamp(m."expiresAtMs" / 1000), m.platform, m.once, ${atMost}, ${ofActor}, ${ofSubject}) s`,
}

/** Where several are released, the row is of the last one. */
export const releaseKill: OperationStatement = {
  name: 'kill.release',
  text: `with ${members('id uuid, actor text, reason text, "atMs" float8, platform boolean, own text[]')}
  select m.n, m.p, s.verdict, ${killColumns('(s.kill)')}
    from m cross join lateral portcullis.release_kill(m.id, m.actor, m.reason, to_timestamp(m."atMs" / 1000), m.platform, m.own) s`,
}

export const cancelKilled: OperationStatement = {
  name: 'kill.cancel',
  text: `with ${members('id uuid, "eventIds" uuid[], "atMs" float8, settled int')}
  select m.n, m.p, portcullis.cancel_killed(m.id, m."eventIds", to_timestamp(m."atMs" / 1000), m.settled) as cancelled from m`,
}

export const finishKill: OperationStatement = {
  name: 'kill.finish',
  text: `with ${members('id uuid')}
  select m.n, m.p, f.runs::text as runs, f.reservations::text as reservations
    from m cross join lateral portcullis.finish_kill(m.id) f`,
}

export const recordDrill: OperationStatement = {
  name: 'drill.record',
  text: `with ${members(`id uuid, "killId" uuid, "denyP50Us" bigint, "denyP99Us" bigint, "cancelP50Us" bigint, "cancelP99Us" bigint,
      probes int, replicas int, actor text, "createdAtMs" float8`)},
  written as (
    insert into portcullis.kill_drills (tenant_id, id, kill_id, deny_p50_us, deny_p99_us, cancel_p50_us, cancel_p99_us, probes, replicas,
      actor, created_at)
    select (select portcullis.tenant()), id, "killId", "denyP50Us", "denyP99Us", "cancelP50Us", "cancelP99Us", probes, replicas, actor,
      to_timestamp("createdAtMs" / 1000) from m)
  select n, p from m`,
}
