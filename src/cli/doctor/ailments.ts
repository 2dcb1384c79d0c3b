/** One thing that can be wrong, as docs/doctor.md shows it: what people notice, what is looked at, why it is so and what helps. */
export interface Ailment {
  readonly symptom: string
  readonly probe: string
  readonly cause: string
  readonly remedy: string
}

/** The whole table (SPEC O7). The order is that of the report: what explains others comes first. */
export const ailments = {
  'config.invalid': {
    symptom: 'The server does not start, or an edit of the settings does nothing.',
    probe: 'The settings are read and checked as at a start (`--config`).',
    cause: 'The file, a variable or a secret file is wrong, or settings contradict each other.',
    remedy: 'Correct each setting that is named; `portcullis config check` says the same.',
  },
  'certificates.expiry': {
    symptom: 'Agents with client certificates, or the database over TLS, cannot connect from one day to the next.',
    probe: 'The last day of each certificate in the files of `tls` and `database.tls`.',
    cause: 'A certificate has expired, or does within 14 days.',
    remedy: 'Renew it and replace the file; `tls` is read again within seconds, `database.tls` at the next start.',
  },
  'keys.age': {
    symptom: 'An auditor asks when the master key was last rotated.',
    probe: 'The age of `secrets.keyFile`.',
    cause: 'The file has not been changed for more than a year.',
    remedy: 'Add a key with `portcullis secrets generate-key`, then `portcullis secrets rotate`.',
  },
  'disk.space': {
    symptom: 'Writes are refused with `store.full`.',
    probe: 'Free space where the embedded PostgreSQL is, and `portcullis_store_free_bytes`.',
    cause: 'Less than twice `limits.freeBytesMin` is free.',
    remedy: 'Make room: retention of the ledger and of telemetry, another disk, old files of other programs.',
  },
  'database.reach': {
    symptom: 'Everything is refused with `store.unavailable`; `/readyz` says that the store cannot be reached.',
    probe: 'A connection as the role that serves, and a look at schema, role, triggers and row-level security.',
    cause: 'PostgreSQL is away, refuses the role, or is not what this version serves from.',
    remedy: 'Start PostgreSQL, check `database.url` and its password; `portcullis migrate` where the schema is old.',
  },
  'clock.skew': {
    symptom: 'Good tokens are refused as not yet valid or expired; `/readyz` names the clocks.',
    probe: 'This clock against that of the database and that of the server, and `portcullis_clock_skew_seconds`.',
    cause: 'A machine has no time synchronisation: the clocks are more than a second apart.',
    remedy: 'Run chrony or systemd-timesyncd on all machines.',
  },
  'issuer.reach': {
    symptom: 'All tokens of the other issuer are refused with `auth.authority_unavailable`.',
    probe:
      'The metadata and keys of `authority.issuer`, fetched as the server does; `portcullis_authority_jwks_age_seconds`.',
    cause:
      'The issuer cannot be reached from here, its certificate is not believed, or its metadata name another issuer.',
    remedy:
      'Check DNS, the proxy and `authority.caFile`; `authority.allowPrivate` for an issuer in a network of your own.',
  },
  'server.reach': {
    symptom: 'Clients get no answer, or one that is not from Portcullis.',
    probe: '`GetHealth` over HTTP at `--target`.',
    cause: 'The server does not run, listens elsewhere, or a proxy answers in its place.',
    remedy: 'Start it; name the HTTP listener (8080 by default), not gRPC or management; look at the proxy.',
  },
  'server.ready': {
    symptom: 'A load balancer sends nothing to the server.',
    probe: '`/healthz` and `/readyz` of the management listener (`--management`).',
    cause: 'The server says itself why it is not ready.',
    remedy: 'Mend what it says; a server that starts or stops is not ready either.',
  },
  'metrics.missing': {
    symptom: 'Dashboards and alerts are empty.',
    probe: '`/metrics` of the management listener, and the counters that must be in it.',
    cause: '`telemetry.prometheus` is off, the scraper asks another listener, or a proxy answers.',
    remedy: 'Scrape the management listener (9091 by default) of every process, and set `telemetry.prometheus: true`.',
  },
  'client.none': {
    symptom: 'Client is `(none)` everywhere in audit lines and metrics.',
    probe:
      'The share of `portcullis_authorization_audit_total` with `client="(none)"`, and the code of their refusals.',
    cause:
      'Credentials do not arrive (a proxy takes `Authorization` away), or arrive and are not known: another instance, another issuer, an expired key.',
    remedy:
      'Call once directly with `portcullis call GetSummary`. Where that works, let the proxy pass `authorization` and `x-portcullis-key`; else make a new key, or correct `authority.issuer`.',
  },
  'bypass.unexpected': {
    symptom: 'Calls come in without a token; audit lines say `bypass=True`.',
    probe:
      '`portcullis_authorization_audit_total` with `bypass="true"`, beside the networks of `authority.bypassNetworks`.',
    cause:
      'A bypass network is wider than meant, or everybody has the address of a proxy that is not in `trustedProxies`.',
    remedy: 'Narrow or end the network, put the proxy into `trustedProxies`, and give the callers credentials.',
  },
  'token.refused': {
    symptom: 'A valid token is refused with 403, or with 401 although it has not expired.',
    probe:
      '`portcullis_gate_decisions_total` by code: `auth.scope_missing`, `tenant.mismatch`, `auth.credential_invalid`.',
    cause: 'The token lacks the scope of the method (403), or is meant for another audience or issuer (401).',
    remedy:
      'Ask for the scope that docs/reference/api.md names for the method; add what the token says in `aud` to `authority.audiences`.',
  },
  'failures.spike': {
    symptom: 'Errors rise: 500, 503, failed jobs.',
    probe: 'The share of outcomes with status 5xx, of jobs whose trigger failed, and of calls shed by a full queue.',
    cause: 'The database is slow or away, a limit is reached, or a fault of the server.',
    remedy: 'Look at the probes above first; then at lines with `server.fault` in the log, by request id.',
  },
  'jobs.conflicts': {
    symptom: 'Triggers of jobs are answered with 409 again and again.',
    probe: '`web_jobs_trigger_conflict_total` beside `web_jobs_triggered_total`.',
    cause: 'A job of the kind still runs when the next one is triggered.',
    remedy: 'Trigger less often, or look at the job that the 409 names: `portcullis jobs get ID`.',
  },
  'sinks.behind': {
    symptom: 'The archive of the ledger elsewhere ends hours ago.',
    probe: '`portcullis_ledger_sink_lag_seconds`, by sink.',
    cause: 'The sink cannot be reached, refuses what it is sent, or is slower than what comes in.',
    remedy: 'Look for `sink.failing` in the log: it has the reason. Nothing is lost; the sink catches up.',
  },
  'ledger.broken': {
    symptom: 'An alert says that the ledger disagrees with what was published of it.',
    probe: '`portcullis_ledger_chain_valid`, and `portcullis_ledger_checkpoint_age_seconds`.',
    cause:
      'Entries were changed, or the database was restored to an earlier state; or nothing signs checkpoints any more.',
    remedy: 'Keep everything as it is, and run `portcullis ledger verify`: it names the first entry that is wrong.',
  },
  'kill.engaged': {
    symptom: 'Agents are refused with `kill.engaged`.',
    probe: '`portcullis_kill_engaged`, by kind of scope.',
    cause: 'Somebody, or the automatic kill switch, has stopped them.',
    remedy: '`portcullis kill list` says who, when and why; `portcullis kill release` ends it.',
  },
  'limits.alone': {
    symptom: 'Rate limits are more generous than set, on several servers.',
    probe: '`portcullis_rates_away`.',
    cause: 'The Redis of the shared rate limits is away: each process counts for itself.',
    remedy: 'Bring it back, or check `replicas.redis`.',
  },
  'policy.failing': {
    symptom: 'An edit of the policies has no effect.',
    probe: '`portcullis_policy_failing`.',
    cause: 'The folder of policies holds what is no valid set; the last valid one is in force.',
    remedy: '`portcullis policy check DIR` names the file and the line.',
  },
} as const satisfies Readonly<Record<string, Ailment>>

export type AilmentId = keyof typeof ailments

/** What a probe found. `unknown`: it could not look, which is not the same as fine. */
export interface Finding {
  readonly id: AilmentId
  readonly outcome: 'fine' | 'wrong' | 'unknown'
  /** What was seen, or why nothing was. */
  readonly found: string
  /** Said in the place of the general one, where more is known. */
  readonly cause?: string
  readonly remedy?: string
}

export function fine(id: AilmentId, found: string): Finding {
  return { id, outcome: 'fine', found }
}

export function wrong(
  id: AilmentId,
  found: string,
  more: { readonly cause?: string; readonly remedy?: string } = {},
): Finding {
  return { id, outcome: 'wrong', found, ...more }
}

export function unknown(id: AilmentId, found: string): Finding {
  return { id, outcome: 'unknown', found }
}
