import type { Message } from '@bufbuild/protobuf'
import type { Logger } from 'pino'
import { KillScopeKind } from '@portcullis/contract'
import { publicId, type Caller, type Clock } from '#core'
import {
  bare,
  engageEffect,
  exceeds,
  RateWindow,
  type KillsPort,
  type RateRule,
  type Seen,
  type WriterPort,
} from '#hub'
import type { Decided } from '../telemetry/decided.ts'
import { killRecord } from './records.ts'
import { spentOf } from './spent.ts'

export interface AutoRule extends RateRule {
  readonly name: string
  readonly scope: 'agent' | 'key' | 'tenant'
  readonly windowMs: number
  readonly mode: 'shadow' | 'warn' | 'enforce'
  readonly expiresAfterMs: number | undefined
}

interface AutoParts {
  readonly rules: readonly AutoRule[]
  readonly clock: Clock
  readonly log: Logger
  readonly writer: Pick<WriterPort, 'submit'>
  readonly kill: KillsPort
  readonly refresh: () => Promise<void>
}

interface Watched {
  readonly window: RateWindow
  /** Monotonic milliseconds. */
  quietUntil: number
}

// Subjects that one rule watches at a time; those that were seen first go first.
const subjectsMax = 10_000
const scopeKinds = { agent: KillScopeKind.AGENT, key: KillScopeKind.KEY, tenant: KillScopeKind.TENANT } as const

/**
 * Rules that engage the kill switch by themselves (SPEC K6): over the decisions and the spending that this process sees. Operators are not
 * watched, and what a kill switch refuses does not count.
 */
export class AutoKill {
  readonly #parts: AutoParts
  readonly #watched: ReadonlyMap<AutoRule, Map<string, Watched>>

  constructor(parts: AutoParts) {
    this.#parts = parts
    this.#watched = new Map(parts.rules.map((rule) => [rule, new Map<string, Watched>()]))
  }

  /** Never throws and never waits. */
  told({ caller, outcome, code }: Pick<Decided, 'caller' | 'outcome' | 'code'>): void {
    if (caller === undefined || code?.startsWith('kill.') === true) return
    for (const rule of this.#parts.rules) {
      if (rule.on === 'denial_rate') this.#count(rule, caller, outcome === 'deny', 0n)
      else if (rule.on === 'error_rate') this.#count(rule, caller, outcome === 'error', 0n)
    }
  }

  /** What a call of that caller has cost, where its reply says so; and each of its items, where it had many. */
  replied(path: string, caller: Caller, reply: Message, items: readonly bigint[] = []): void {
    for (const nanoUsd of [spentOf(path, reply) ?? [], items].flat()) this.spent(caller, nanoUsd)
  }

  /** What a call of that caller has cost. */
  spent(caller: Caller, nanoUsd: bigint): void {
    for (const rule of this.#parts.rules) if (rule.on === 'spend_rate') this.#count(rule, caller, true, nanoUsd)
  }

  #count(rule: AutoRule, caller: Caller, hit: boolean, nanoUsd: bigint): void {
    const subject = subjectOf(rule.scope, caller)
    const all = this.#watched.get(rule)
    if (subject === undefined || all === undefined) return
    const now = this.#parts.clock.monotonic()
    const watched = all.get(subject) ?? this.#watch(all, subject, rule)
    watched.window.add(now, hit, nanoUsd)
    if (!hit || now < watched.quietUntil) return
    const seen = watched.window.read(now)
    if (!exceeds(rule, seen)) return
    watched.quietUntil = now + quietMs(rule)
    void this.#act(rule, caller, subject, seen).catch((error: unknown) => {
      // Tried again with the next sample.
      watched.quietUntil = 0
      this.#parts.log.error({ event: 'kill.auto_failed', rule: rule.name, err: error }, 'a rule could not act')
    })
  }

  #watch(all: Map<string, Watched>, subject: string, { windowMs }: AutoRule): Watched {
    const [oldest] = all.keys()
    if (all.size >= subjectsMax && oldest !== undefined) all.delete(oldest)
    const made = { window: new RateWindow(windowMs), quietUntil: 0 }
    all.set(subject, made)
    return made
  }

  async #act(rule: AutoRule, caller: Caller, subject: string, seen: Seen): Promise<void> {
    const { clock, kill, log, refresh, writer } = this.#parts
    const nowMs = clock.now()
    const { name, on, scope, mode } = rule
    const tenantId = bare(caller.tenant.id)
    const what = on === 'spend_rate' ? { nanoUsd: seen.nanoUsd.toString() } : { hits: seen.hits }
    const args = { mode, on, rule: name, samples: seen.samples, scope, subject: showSubject(scope, subject), ...what }
    const about = { tenantId, tenantName: caller.tenant.name, args }
    log[mode === 'shadow' ? 'warn' : 'error'](
      { event: `kill.auto_${mode}`, ...args },
      'a rule of the kill switch holds',
    )
    if (mode !== 'enforce') {
      const kind = mode === 'shadow' ? 'kill.auto_shadow' : 'kill.auto_alert'
      const written = await writer.submit({ tenantId, record: () => killRecord(kind, about, nowMs) })
      if (written.refused) throw new Error(written.reason)
      return
    }
    const actor = `auto:${name}`
    let killId: string | undefined
    const effect = engageEffect({
      caller: { ...caller, kind: 'service', id: actor, scopes: new Set() },
      actor,
      scope: scopeKinds[scope],
      subject,
      reason: `${name}: ${on} over ${seen.samples} calls`,
      expiresAtMs: rule.expiresAfterMs === undefined ? null : nowMs + rule.expiresAfterMs,
      nowMs,
      once: true,
      kills: kill,
      answer: (found) => {
        killId = publicId('kil', found.id)
        return {}
      },
    })
    // Where something stops the subject already, the entry names that.
    const record = (outcome: Parameters<typeof killRecord>[3]) =>
      killRecord(
        'kill.auto_engaged',
        killId === undefined ? about : { ...about, args: { ...args, killId } },
        nowMs,
        outcome,
      )
    const engaged = await writer.submit({ tenantId, effect, shedLast: true, record })
    if (engaged.refused) throw new Error(engaged.reason)
    await refresh()
    await kill.confirmed()
  }
}

/** It is told of once a window, and where it stops something for a shorter time, again after that time: whoever goes on then is stopped again. */
function quietMs({ mode, windowMs, expiresAfterMs = windowMs }: AutoRule): number {
  return mode === 'enforce' ? Math.min(windowMs, expiresAfterMs) : windowMs
}

/** The bare id of what the rule would stop; operators are left alone. */
function subjectOf(scope: AutoRule['scope'], caller: Caller): string | undefined {
  if (caller.kind === 'operator') return undefined
  if (scope === 'tenant') return bare(caller.tenant.id)
  if (caller.kind !== 'agent') return undefined
  if (scope === 'agent') return bare(caller.id)
  const { kind, id } = caller.credential
  return kind === 'api_key' || kind === 'signed_api_key' ? bare(id) : undefined
}

function showSubject(scope: AutoRule['scope'], subject: string): string {
  return publicId(scope === 'agent' ? 'agt' : scope === 'key' ? 'key' : 'ten', subject)
}
