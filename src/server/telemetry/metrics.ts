import type { Histogram, Meter } from '@opentelemetry/api'
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import type { Resource } from '@opentelemetry/resources'
import { AggregationType, MeterProvider, type MetricReader } from '@opentelemetry/sdk-metrics'
import type { WebhookCount, WriterWatch } from '#store'
import type { BudgetUse } from '../budget-gauges.ts'
import { scopeKindName, scopeKinds } from '../kill/scope-names.ts'
import type { SinkLag, SinkWatch } from '../sinks/sinks.ts'
import type { OnFault } from '../transport-faults.ts'
import { version } from '../version.ts'
import type { WebhookWatch } from '../webhooks/webhooks.ts'
import { none, type Decided } from './decided.ts'
import { metricRows, type MetricName } from './metric-rows.ts'
import { resourceOf } from './resource.ts'
import { Tally } from './tally.ts'

export { metricRows } from './metric-rows.ts'

const secondsBounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
// 0.0002 is what 99 of 100 decisions take at most (SPEC P2).
const gateBounds = [0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.01, 0.1]
const callsBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256]
// The labels come from the contract and the table of refusals, so this bound is out of reach; the SDK's own (2000) is not.
const seriesMax = 50_000

// Names of logs are those of tenants: only so many become labels.
const stoppedShownMax = 20

export interface MetricSources {
  readonly queued: () => number
  readonly freeBytes: () => number | undefined
  readonly skewMs: () => number | undefined
}

/**
 * The instruments. Labelled counters are tallies in memory that are read at a scrape: an increment costs a look-up in a map
 * where the SDK would hash the labels of every call.
 */
export class Metrics implements WriterWatch, SinkWatch, WebhookWatch {
  readonly #reader = new PrometheusExporter({ preventServerStart: true })
  // Of what tells this process from others only `worker` is a label of every metric: a scraper knows the rest.
  readonly #serializer = new PrometheusSerializer(undefined, false, /^worker$/, true, true)
  readonly #provider: MeterProvider
  readonly #decisions: Tally
  readonly #audits: Tally
  readonly #serviceTokens: Tally
  readonly #oauth: Tally
  readonly #forwarded: Tally
  readonly #faults: Tally
  readonly #sinkEntries: Tally
  readonly #sinkBatches: Tally
  readonly #webhooks: Tally
  readonly #gate: Histogram
  readonly #call: Histogram
  readonly #append: Histogram
  readonly #batch: Histogram
  readonly #commit: Histogram
  readonly #killAck: Histogram
  #entries = 0

  /** `push` readers send the same metrics elsewhere. */
  constructor(push: readonly MetricReader[] = [], resource: Resource = resourceOf(undefined)) {
    this.#provider = new MeterProvider({
      resource,
      readers: [this.#reader, ...push],
      views: [
        {
          instrumentName: '*_total',
          aggregation: { type: AggregationType.SUM },
          aggregationCardinalityLimit: seriesMax,
        },
      ],
    })
    const meter = this.#provider.getMeter('portcullis', version)
    this.#decisions = tally(meter, 'portcullis_gate_decisions_total')
    this.#audits = tally(meter, 'portcullis_authorization_audit_total')
    this.#serviceTokens = tally(meter, 'portcullis_service_token_calls_total')
    this.#oauth = tally(meter, 'portcullis_oauth_requests_total')
    this.#forwarded = tally(meter, 'portcullis_forwarder_events_total')
    this.#faults = tally(meter, 'portcullis_transport_faults_total')
    this.#sinkEntries = tally(meter, 'portcullis_ledger_sink_entries_total')
    this.#sinkBatches = tally(meter, 'portcullis_ledger_sink_batches_total')
    this.#webhooks = tally(meter, 'portcullis_webhook_deliveries_total')
    meter
      .createObservableCounter('portcullis_ledger_entries_total', described('portcullis_ledger_entries_total'))
      .addCallback((result) => result.observe(this.#entries))
    this.#gate = histogram(meter, 'portcullis_gate_duration_seconds', gateBounds)
    this.#call = histogram(meter, 'portcullis_call_duration_seconds', secondsBounds)
    this.#append = histogram(meter, 'portcullis_ledger_append_duration_seconds', secondsBounds)
    this.#batch = histogram(meter, 'portcullis_writer_batch_size', callsBounds)
    this.#killAck = histogram(meter, 'portcullis_kill_ack_seconds', secondsBounds)
    this.#commit = histogram(meter, 'portcullis_writer_commit_duration_seconds', secondsBounds)
  }

  /** Where the values of gauges are read at a scrape. */
  watch({ queued, freeBytes, skewMs }: MetricSources): void {
    const meter = this.#provider.getMeter('portcullis', version)
    const gauge = (name: MetricName, value: () => number | undefined): void =>
      meter.createObservableGauge(name, described(name)).addCallback((result) => {
        const now = value()
        if (now !== undefined) result.observe(now)
      })
    gauge('portcullis_writer_queue_depth', queued)
    gauge('portcullis_store_free_bytes', freeBytes)
    gauge('portcullis_clock_skew_seconds', () => {
      const ms = skewMs()
      return ms === undefined ? undefined : ms / 1000
    })
  }

  /** Where the rate limits are shared: whether they are away, and the calls that were decided without them. */
  watchRates(rates: { readonly away: boolean; readonly alone: number } | undefined): void {
    if (rates === undefined) return
    const meter = this.#provider.getMeter('portcullis', version)
    meter
      .createObservableGauge('portcullis_rates_away', described('portcullis_rates_away'))
      .addCallback((result) => result.observe(rates.away ? 1 : 0))
    meter
      .createObservableCounter('portcullis_rates_alone_total', described('portcullis_rates_alone_total'))
      .addCallback((result) => result.observe(rates.alone))
  }

  /** Where there are policies: whether what is in their folder cannot be taken over. */
  watchPolicy(policy: { readonly failing: boolean } | undefined): void {
    if (policy === undefined) return
    this.#provider
      .getMeter('portcullis', version)
      .createObservableGauge('portcullis_policy_failing', described('portcullis_policy_failing'))
      .addCallback((result) => result.observe(policy.failing ? 1 : 0))
  }

  watchIssuer(issuer: { jwksAgeSeconds(): number | undefined }): void {
    this.#provider
      .getMeter('portcullis', version)
      .createObservableGauge(
        'portcullis_authority_jwks_age_seconds',
        described('portcullis_authority_jwks_age_seconds'),
      )
      .addCallback((result) => {
        const age = issuer.jwksAgeSeconds()
        if (age !== undefined) result.observe(age)
      })
  }

  decided({ route, status, outcome, code, caller, bypass, elapsedMs }: Decided): void {
    this.#decisions.add(route, outcome, code ?? none)
    const scopes = caller === undefined || caller.scopes.size === 0 ? none : 'present'
    this.#audits.add(route, String(status), bypass ? 'true' : 'false', scopes, caller === undefined ? none : 'present')
    this.#call.record(elapsedMs / 1000)
  }

  /** `caller` is one of few: see `tokenCalls`. */
  serviceToken(service: string, caller: string, result: string): void {
    this.#serviceTokens.add(service, caller, result)
  }

  /** `error` is the error code of the standard, or empty. */
  oauth(kind: string, error: string): void {
    this.#oauth.add(kind, error)
  }

  gated(elapsedMs: number): void {
    this.#gate.record(elapsedMs / 1000)
  }

  committed({ calls, entries, transactionMs, appendMs }: Parameters<WriterWatch['committed']>[0]): void {
    this.#entries += entries
    this.#batch.record(calls)
    this.#commit.record(transactionMs / 1000)
    this.#append.record(appendMs / 1000)
  }

  /** Counts what ends below the calls of a listener. */
  faultsOf(listener: 'grpc' | 'http' | 'agents_grpc' | 'agents_http'): OnFault {
    return (fault) => this.#faults.add(listener, fault)
  }

  forwarded(forwarder: string, result: 'sent' | 'spilled' | 'replayed' | 'dropped', events: number): void {
    this.#forwarded.addMany(events, forwarder, result)
  }

  sinkSent(sink: string, result: 'sent' | 'failed', entries: number): void {
    this.#sinkBatches.add(sink, result)
    if (entries > 0) this.#sinkEntries.addMany(entries, sink)
  }

  /** Where the state of the checkpoints is read at a scrape. Logs are named only while something is wrong with them. */
  watchCheckpoints(of: { readonly stopped: ReadonlyMap<string, string>; unsignedMs(nowMs: number): number }): void {
    const meter = this.#provider.getMeter('portcullis', version)
    const [valid, age] = ['portcullis_ledger_chain_valid', 'portcullis_ledger_checkpoint_age_seconds'] as const
    meter.createObservableGauge(valid, described(valid)).addCallback((result) => {
      result.observe(of.stopped.size === 0 ? 1 : 0, { log: '(all)' })
      for (const log of [...of.stopped.keys()].slice(0, stoppedShownMax)) result.observe(0, { log })
    })
    meter
      .createObservableGauge(age, described(age))
      .addCallback((result) => result.observe(of.unsignedMs(performance.now()) / 1000))
  }

  /** Where the lag of the sinks of the ledger is read at a scrape. */
  watchSinks(lags: () => readonly SinkLag[]): void {
    const meter = this.#provider.getMeter('portcullis', version)
    const gauge = (name: MetricName, value: (lag: SinkLag) => number): void =>
      meter.createObservableGauge(name, described(name)).addCallback((result) => {
        for (const lag of lags()) result.observe(value(lag), { sink: lag.sink })
      })
    gauge('portcullis_ledger_sink_lag_entries', ({ entries }) => entries)
    gauge('portcullis_ledger_sink_lag_seconds', ({ seconds }) => seconds)
  }

  /** Where the kill switches in force are read at a scrape. */
  watchKills(inForce: () => readonly { readonly scope: number }[]): void {
    const name = 'portcullis_kill_engaged'
    this.#provider
      .getMeter('portcullis', version)
      .createObservableGauge(name, described(name))
      .addCallback((result) => {
        const counts = Map.groupBy(inForce(), ({ scope }) => scopeKindName(scope))
        for (const kind of scopeKinds) result.observe(counts.get(kind)?.length ?? 0, { scope_kind: kind })
      })
  }

  /** Where the state of budgets is read at a scrape; nothing is told where it is not known. */
  watchBudgets(look: () => Promise<BudgetUse | undefined>): void {
    const meter = this.#provider.getMeter('portcullis', version)
    const [ratio, held] = ['portcullis_budget_used_ratio', 'portcullis_budget_reserved_nano_usd'] as const
    meter.createObservableGauge(ratio, described(ratio)).addCallback(async (result) => {
      for (const [unit, used] of (await look())?.usedRatio ?? []) result.observe(used, { unit })
    })
    meter.createObservableGauge(held, described(held)).addCallback(async (result) => {
      const use = await look()
      if (use !== undefined) result.observe(use.reservedNanoUsd)
    })
  }

  webhookTried(webhook: string, outcome: 'delivered' | 'failed' | 'given_up'): void {
    this.#webhooks.add(webhook, outcome)
  }

  /** Where what waits for webhooks is read at a scrape. */
  watchWebhooks(counts: () => readonly WebhookCount[]): void {
    const meter = this.#provider.getMeter('portcullis', version)
    const gauge = (name: MetricName, value: (count: WebhookCount) => number): void =>
      meter.createObservableGauge(name, described(name)).addCallback((result) => {
        for (const count of counts()) result.observe(value(count), { webhook: count.webhook })
      })
    gauge('portcullis_webhook_lag_entries', ({ lag }) => lag)
    gauge('portcullis_webhook_dead_letters', ({ dead }) => dead)
  }

  killConfirmed(tookMs: number): void {
    this.#killAck.record(tookMs / 1000)
  }

  /** What counts beside the metrics of this table. */
  meter(name: string): Meter {
    return this.#provider.getMeter(name, version)
  }

  /** The state now in the text format of Prometheus. */
  async prometheus(): Promise<string> {
    const { resourceMetrics } = await this.#reader.collect()
    return this.#serializer.serialize(resourceMetrics)
  }

  async close(): Promise<void> {
    await this.#provider.shutdown()
  }
}

function described(name: MetricName): { readonly description: string } {
  return { description: metricRows.find(([one]) => one === name)?.[2] ?? '' }
}

function histogram(meter: Meter, name: MetricName, explicitBucketBoundaries: number[]): Histogram {
  return meter.createHistogram(name, { ...described(name), advice: { explicitBucketBoundaries } })
}

function tally(meter: Meter, name: MetricName): Tally {
  const labels = (metricRows.find(([one]) => one === name)?.[3] ?? '').split(' ')
  const kept = new Tally(labels)
  meter.createObservableCounter(name, described(name)).addCallback((result) => {
    for (const { count, labels: of } of kept.series()) result.observe(count, of)
  })
  return kept
}
