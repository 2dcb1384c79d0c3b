import type { Logger } from 'pino'
import type { Config, WebhookEvent } from '#config'
import type { Clock } from '#core'
import { WebhookStore, type ConnectionSettings, type DueDelivery, type WebhookCount, type WebhookWants } from '#store'
import { cloudEvent } from './cloud-event.ts'
import { Delivery, type WebhookSetting } from './delivery.ts'
import { eventOf, eventsMeant, sourcesOf } from './events.ts'

export interface WebhooksParts {
  readonly config: Pick<Config, 'webhooks' | 'audit'>
  readonly connection: ConnectionSettings
  readonly clock: Clock
  readonly log: Logger
  readonly watch: WebhookWatch
}

/** Told of what becomes of deliveries; asked for what waits at a scrape. */
export interface WebhookWatch {
  webhookTried(webhook: string, outcome: 'delivered' | 'failed' | 'given_up'): void
  watchWebhooks(counts: () => readonly WebhookCount[]): void
}

interface Target {
  readonly setting: WebhookSetting
  readonly wanted: readonly WebhookEvent[]
  readonly wants: WebhookWants
  readonly delivery: Delivery
  /** After failures nothing is tried before. */
  notBefore: number
  failures: number
  working: Promise<void> | undefined
}

const lookEveryMs = 500
const pausesMs = [1000, 2000, 5000, 30_000] as const

/**
 * Delivers events of the ledger (SPEC O11). The ledger is the queue: a cursor over its logs puts the entries that a webhook wants into line,
 * in one transaction with itself, and a row leaves the line when its delivery was acknowledged or given up. One process delivers for a
 * webhook, one event at a time and the oldest first; one that failed is tried again later and holds up no other.
 */
export class Webhooks {
  readonly #parts: WebhooksParts
  readonly #store: WebhookStore
  readonly #targets: readonly Target[]
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #counts: readonly WebhookCount[] = []

  constructor(parts: WebhooksParts) {
    this.#parts = parts
    this.#store = new WebhookStore(parts.connection)
    this.#targets = parts.config.webhooks.map(targetOf)
    if (this.#targets.length > 0) parts.watch.watchWebhooks(() => this.#counts)
  }

  start(): void {
    if (this.#targets.length === 0) return
    this.#timer = setInterval(() => void this.#look(), lookEveryMs)
    this.#timer.unref()
  }

  /** Gives up what is on its way; it is sent again after the next start. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort()
    await this.#looking
    for (const { working } of this.#targets) await working
    await Promise.all(this.#targets.map(({ delivery }) => delivery.close()))
    await this.#store.close()
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce()
      .catch((error: unknown) =>
        this.#parts.log.debug({ event: 'webhook.waiting', err: error }, 'webhooks wait for the store'),
      )
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    const mine = await this.#store.take(this.#targets.map(({ setting }) => setting.name))
    for (const target of this.#targets) {
      if (!mine.has(target.setting.name)) continue
      await this.#collect(target)
      if (target.notBefore > this.#now() || this.#stop.signal.aborted) continue
      target.working ??= this.#work(target)
        .catch((error: unknown) =>
          this.#parts.log.debug({ event: 'webhook.waiting', err: error }, 'a webhook waits for the store'),
        )
        .finally(() => {
          target.working = undefined
        })
    }
    this.#counts = await this.#store.counts(this.#targets.map(({ wants }) => wants))
  }

  async #collect({ wants }: Target): Promise<void> {
    const { missing } = await this.#store.collect(wants)
    if (missing === 0) return
    this.#parts.log.error(
      { event: 'webhook.missing', webhook: wants.name, entries: missing },
      'entries are not kept any more that a webhook had not looked at: keep the ledger for longer than a webhook may be away',
    )
  }

  async #work(target: Target): Promise<void> {
    for (;;) {
      const due = await this.#store.due(target.setting.name)
      if (due.length === 0) return
      for (const one of due) {
        if (this.#stop.signal.aborted || target.notBefore > this.#now() || !this.#store.has(target.setting.name)) return
        await this.#deliver(target, one)
      }
    }
  }

  async #deliver(target: Target, one: DueDelivery): Promise<void> {
    const { setting, wanted, delivery } = target
    if (one.entry === undefined) {
      await this.#store.failed(setting.name, one, 'its entry is not kept any more', undefined)
      this.#parts.watch.webhookTried(setting.name, 'given_up')
      return
    }
    const event = cloudEvent(one.entry, (...of) => eventOf(...of, wanted), this.#parts.config.audit.origin)
    // Nothing that this webhook wants by now.
    if (event === undefined) return this.#store.done(setting.name, one)
    const tried = await delivery.send(event.id, event.json, this.#parts.clock.now(), this.#stop.signal)
    if (tried.ok) {
      this.#worked(target)
      return this.#store.done(setting.name, one)
    }
    // A stop is no failure.
    if (this.#stop.signal.aborted) return undefined
    const step = setting.retrySeconds[one.attempts]
    const againMs = step === undefined ? undefined : Math.max(step * 1000 * (0.8 + 0.4 * Math.random()), tried.waitMs)
    this.#failed(target, tried, againMs === undefined ? 'given_up' : 'failed')
    return this.#store.failed(setting.name, one, tried.why.slice(0, 500), againMs)
  }

  #worked(target: Target): void {
    const { name: webhook } = target.setting
    if (target.failures > 0) this.#parts.log.info({ event: 'webhook.back', webhook }, 'a webhook answers again')
    target.failures = 0
    this.#parts.watch.webhookTried(webhook, 'delivered')
  }

  #failed(
    target: Target,
    { why, waitMs }: { readonly why: string; readonly waitMs: number },
    outcome: 'failed' | 'given_up',
  ): void {
    const { name: webhook } = target.setting
    if (target.failures === 0 || outcome === 'given_up') {
      const [event, words] =
        outcome === 'failed'
          ? (['webhook.away', 'a webhook does not take events: they are tried again'] as const)
          : (['webhook.given_up', 'an event was given up: portcullis webhooks dead-letters lists it'] as const)
      this.#parts.log.warn({ event, webhook, why }, words)
    }
    const pauseMs = pausesMs[Math.min(target.failures, pausesMs.length - 1)] ?? pausesMs[0]
    target.failures += 1
    target.notBefore = this.#now() + Math.max(pauseMs, waitMs)
    this.#parts.watch.webhookTried(webhook, outcome)
  }

  #now(): number {
    return this.#parts.clock.monotonic()
  }
}

function targetOf(setting: WebhookSetting): Target {
  const wanted = eventsMeant(setting.events)
  return {
    setting,
    wanted,
    wants: { name: setting.name, tenant: setting.tenant ?? '', ...sourcesOf(wanted) },
    delivery: new Delivery(setting),
    notBefore: 0,
    failures: 0,
    working: undefined,
  }
}
