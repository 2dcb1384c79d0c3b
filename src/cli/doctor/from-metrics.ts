import { fine, unknown, wrong, type Finding } from './ailments.ts'
import type { Sample, Samples } from './samples.ts'

const audits = 'portcullis_authorization_audit_total'
const decisions = 'portcullis_gate_decisions_total'
const none = '(none)'

// Below so many decisions a share says nothing.
const enough = 20
const lagSecondsMax = 300
const checkpointSecondsMax = 300
const skewSecondsMax = 1
const jwksSecondsMax = 24 * 3600
const freeBytesMin = 512 * 1024 * 1024

/** What the metrics of a process say about each ailment that shows there (SPEC O7). Pure. */
export function fromMetrics(samples: Samples): readonly Finding[] {
  // Without this one it is the page of something else, and what is not on it says nothing.
  if (!samples.has('portcullis_writer_queue_depth'))
    return [wrong('metrics.missing', 'the page has nothing of Portcullis')]
  return [
    counters(samples),
    clientNone(samples),
    bypass(samples),
    refused(samples),
    failures(samples),
    conflicts(samples),
    sinks(samples),
    ledger(samples),
    kill(samples),
    gauge(samples, 'limits.alone', 'portcullis_rates_away', 'no rate limits are shared', 'shared rate limits'),
    gauge(samples, 'policy.failing', 'portcullis_policy_failing', 'there are no policies', 'the folder of policies'),
    bounded(
      samples,
      'clock.skew',
      'portcullis_clock_skew_seconds',
      (value) => Math.abs(value) <= skewSecondsMax,
      ' s from the clock of the database',
    ),
    bounded(
      samples,
      'issuer.reach',
      'portcullis_authority_jwks_age_seconds',
      (value) => value <= jwksSecondsMax,
      ' s is the age of the keys of the issuer',
    ),
    bounded(
      samples,
      'disk.space',
      'portcullis_store_free_bytes',
      (value) => value >= freeBytesMin,
      ' bytes are free under the embedded PostgreSQL',
    ),
  ]
}

/** A counter shows with its first count: a server that was never called has none. */
function counters(samples: Samples): Finding {
  const missing = [audits, decisions, 'portcullis_ledger_entries_total'].filter((name) => !samples.has(name))
  return missing.length === 0
    ? fine('metrics.missing', 'the counters of decisions and entries are there')
    : unknown('metrics.missing', `nobody has called yet: ${missing.join(', ')}`)
}

function clientNone(samples: Samples): Finding {
  const all = samples.sum(audits, ({ route }) => route !== '(unknown)')
  const without = samples.sum(
    audits,
    ({ client, route, status }) => client === none && route !== '(unknown)' && status !== '200',
  )
  if (all < enough) return unknown('client.none', `${all} decisions are too few`)
  const found = `${without} of ${all} calls were refused with client ${none}`
  if (without / all <= 0.5) return fine('client.none', found)
  const codes = codesOf(samples)
  const [most = ''] = [...whyNone.keys()].toSorted((a, b) => (codes.get(b) ?? 0) - (codes.get(a) ?? 0))
  const { said = '', ...why } = whyNone.get(most) ?? {}
  return wrong('client.none', `${found}, ${said}`, why)
}

interface WhyNone {
  readonly said: string
  readonly cause: string
  readonly remedy?: string
}

const whyNone: ReadonlyMap<string, WhyNone> = new Map([
  [
    'auth.credential_missing',
    {
      said: 'most for want of a credential',
      cause: 'Credentials do not arrive: a proxy takes `Authorization` away, or clients send none.',
    },
  ],
  [
    'auth.credential_invalid',
    {
      said: 'most with a credential that is not known',
      cause:
        'Keys of another instance, tokens of another issuer or for another audience, or credentials that have ended.',
    },
  ],
  [
    'auth.authority_unavailable',
    {
      said: 'most because the issuer of their tokens could not be asked',
      cause: 'The keys of the issuer cannot be had.',
      remedy: 'See issuer.reach.',
    },
  ],
])

function bypass(samples: Samples): Finding {
  const through = samples.sum(audits, ({ bypass: by }) => by === 'true')
  if (!samples.has(audits)) return unknown('bypass.unexpected', 'there are no decisions yet')
  if (through === 0) return fine('bypass.unexpected', 'no call came from a bypass network')
  const refusedToo = samples.sum(audits, ({ bypass: by, status }) => by === 'true' && status === '401')
  return wrong('bypass.unexpected', `${through} calls came from bypass networks, ${refusedToo} of them were refused`)
}

function refused(samples: Samples): Finding {
  const codes = codesOf(samples)
  const counted = ['auth.scope_missing', 'tenant.mismatch', 'auth.credential_invalid'].map(
    (code) => [code, codes.get(code) ?? 0] as const,
  )
  const all = samples.sum(decisions)
  if (all < enough) return unknown('token.refused', `${all} decisions are too few`)
  const found = counted.map(([code, count]) => `${code} ${count}`).join(', ')
  const sum = counted.reduce((total, [, count]) => total + count, 0)
  return sum / all <= 0.1 ? fine('token.refused', found) : wrong('token.refused', `${found}, of ${all} calls`)
}

function failures(samples: Samples): Finding {
  const all = samples.sum(audits)
  const failed = samples.sum(audits, ({ status = '' }) => status.startsWith('5'))
  const jobs = samples.sum('web_jobs_trigger_failed_total')
  if (all < enough && jobs === 0) return unknown('failures.spike', `${all} decisions are too few`)
  const found = `${failed} of ${all} calls ended with 5xx, ${jobs} triggers of jobs failed`
  return jobs > 0 || failed / all > 0.01 ? wrong('failures.spike', found) : fine('failures.spike', found)
}

function conflicts(samples: Samples): Finding {
  const [triggered, refusals] = ['web_jobs_triggered_total', 'web_jobs_trigger_conflict_total'].map((name) =>
    samples.sum(name),
  )
  if (triggered === undefined || refusals === undefined || triggered + refusals === 0)
    return fine('jobs.conflicts', 'no job was triggered')
  const found = `${triggered} triggers, ${refusals} conflicts`
  return refusals > 5 && refusals > triggered ? wrong('jobs.conflicts', found) : fine('jobs.conflicts', found)
}

function sinks(samples: Samples): Finding {
  const lags = samples.of('portcullis_ledger_sink_lag_seconds')
  if (lags.length === 0) return fine('sinks.behind', 'no sinks are configured')
  const behind = lags.filter(({ value }) => value > lagSecondsMax)
  const said = (list: readonly Sample[]): string =>
    list.map(({ labels, value }) => `${labels['sink'] ?? ''} ${Math.round(value)} s`).join(', ')
  return behind.length === 0 ? fine('sinks.behind', said(lags)) : wrong('sinks.behind', said(behind))
}

function ledger(samples: Samples): Finding {
  const valid = samples.of('portcullis_ledger_chain_valid')
  const age = samples.sum('portcullis_ledger_checkpoint_age_seconds')
  if (valid.length === 0) return unknown('ledger.broken', 'nothing signs checkpoints here')
  const bad = valid.filter(({ value }) => value !== 1)
  if (bad.length > 0) return wrong('ledger.broken', bad.map(({ labels }) => labels['log'] ?? '').join(', '))
  const found = `every log agrees; the oldest entry without a checkpoint is ${Math.round(age)} s old`
  return age > checkpointSecondsMax
    ? wrong('ledger.broken', found, {
        cause: 'Nothing signs checkpoints any more.',
        remedy: 'Look for `checkpoint.` in the log.',
      })
    : fine('ledger.broken', found)
}

function kill(samples: Samples): Finding {
  const engaged = samples.of('portcullis_kill_engaged').filter(({ value }) => value > 0)
  if (!samples.has('portcullis_kill_engaged')) return unknown('kill.engaged', 'the metric is not there')
  if (engaged.length === 0) return fine('kill.engaged', 'nothing is engaged')
  return wrong('kill.engaged', engaged.map(({ labels, value }) => `${labels['scope_kind'] ?? ''} ${value}`).join(', '))
}

function gauge(
  samples: Samples,
  id: 'limits.alone' | 'policy.failing',
  name: string,
  absent: string,
  what: string,
): Finding {
  if (!samples.has(name)) return fine(id, absent)
  return samples.sum(name) === 0 ? fine(id, `${what}: fine`) : wrong(id, `${what}: away or broken`)
}

function bounded(
  samples: Samples,
  id: Finding['id'],
  name: string,
  ok: (value: number) => boolean,
  unit: string,
): Finding {
  const values = samples.of(name).map(({ value }) => value)
  if (values.length === 0) return unknown(id, `${name} is not there`)
  const bad = values.find((value) => !ok(value))
  return bad === undefined ? fine(id, `${round(values[0])}${unit}`) : wrong(id, `${round(bad)}${unit}`)
}

function round(value = 0): number {
  return Math.round(value * 100) / 100
}

function codesOf(samples: Samples): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { labels, value } of samples.of(decisions)) {
    const code = labels['code'] ?? ''
    counts.set(code, (counts.get(code) ?? 0) + value)
  }
  return counts
}
