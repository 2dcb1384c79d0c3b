import type { Meter } from '@opentelemetry/api'
import type { Decided } from './decided.ts'
import { Tally } from './tally.ts'

export const jobMeter = 'portcullis.jobs'
const labels = ['job.kind', 'job.trigger', 'job.outcome'] as const
/** A kind that the settings do not have: the text of a caller is no label. */
const unknownKind = '(unknown)'
const serverSide = /^(?:server|store|audit|outcome)\./

/** The counters of jobs with their meanings; in Prometheus dots are underscores and `_total` is added (SPEC J4). */
export const jobMetricRows = [
  ['web.jobs.triggered', 'triggers that were accepted'],
  ['web.jobs.trigger.conflict', 'triggers refused by the state of the job: one runs, or the kind is disabled'],
  ['web.jobs.trigger.failed', 'triggers that failed in the server, and accepted jobs that failed'],
] as const

type Name = (typeof jobMetricRows)[number][0]

/** Counts triggers and what became of them. */
export class JobMetrics {
  readonly #kinds: ReadonlySet<string>
  readonly #tallies: ReadonlyMap<Name, Tally>
  #gated = 0

  constructor(meter: Meter, requests: Meter, kinds: readonly string[]) {
    this.#kinds = new Set(kinds)
    this.#tallies = new Map(
      jobMetricRows.map(([name, description]) => {
        const tally = new Tally(labels)
        meter.createObservableCounter(name, { description }).addCallback((result) => {
          for (const { count, labels: of } of tally.series()) result.observe(count, of)
        })
        return [name, tally]
      }),
    )
    requests
      .createObservableCounter('source_http_requests_total', {
        description: 'triggers of jobs that the gate let in, by source',
      })
      .addCallback((result) => result.observe(this.#gated, { source: 'jobs-run' }))
    // A rate over a series that begins with its first event does not see that event.
    for (const kind of kinds) {
      this.#count('web.jobs.triggered', kind, 'manual', 'accepted', 0)
      this.#count('web.jobs.trigger.conflict', kind, 'manual', 'running', 0)
      this.#count('web.jobs.trigger.failed', kind, 'manual', 'failed', 0)
    }
  }

  /** A trigger by a caller, whom the gate has let in. */
  decided({ about, code }: Pick<Decided, 'about' | 'code'>): void {
    if (about?.jobKind === undefined) return
    this.#gated += 1
    this.triggered(about.jobKind, 'manual', code)
  }

  /** `code` is that of its refusal. */
  triggered(kind: string, trigger: 'manual' | 'schedule', code: string | undefined): void {
    if (code === undefined) this.#count('web.jobs.triggered', kind, trigger, 'accepted')
    else if (code === 'job.running') this.#count('web.jobs.trigger.conflict', kind, trigger, 'running')
    else if (code === 'job.disabled') this.#count('web.jobs.trigger.conflict', kind, trigger, 'disabled')
    else if (serverSide.test(code)) this.#count('web.jobs.trigger.failed', kind, trigger, 'trigger_failed')
  }

  /** An accepted job that failed, or was lost. */
  failed(kind: string, trigger: string): void {
    this.#count('web.jobs.trigger.failed', kind, trigger, 'failed')
  }

  #count(name: Name, kind: string, trigger: string, outcome: string, by = 1): void {
    this.#tallies.get(name)?.addMany(by, this.#kinds.has(kind) ? kind : unknownKind, trigger, outcome)
  }
}
