import type { Logger } from 'pino'
import type { Config } from '#config'
import { parseNanoUsd, type Clock } from '#core'
import type { KillChange } from '#hub'
import { Replicas, type ConnectionSettings, type Writer } from '#store'
import type { Metrics } from '../telemetry/metrics.ts'
import { AutoKill, type AutoRule } from './auto-kill.ts'
import { Canceller } from './canceller.ts'
import { scopeKindName } from './scope-names.ts'
import { KillSwitch } from './switch.ts'

interface KillInput {
  readonly config: Pick<Config, 'kill'>
  readonly connection: ConnectionSettings
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** Asked for when something is engaged, not now. */
  readonly late: () => {
    readonly keys: { fresh(): boolean; refresh(): Promise<void> }
    readonly writer: Pick<Writer, 'submit'>
  }
}

export interface Kills {
  readonly kill: KillSwitch
  /** Undefined without rules. */
  readonly auto: AutoKill | undefined
  /** After the first look at what is in memory. */
  start(): Promise<void>
  close(): Promise<void>
}

// What was engaged elsewhere is ended there, unless that replica is gone by now.
const elsewhereMs = 2000

/** The kill switch of one process, with the work that follows an engage. */
export function composeKills({ config, connection, clock, log, metrics, late }: KillInput): Kills {
  const replicas = new Replicas(connection)
  const canceller = new Canceller({
    clock,
    replicas,
    log,
    writer: { submit: (member) => late().writer.submit(member) },
  })
  const kill = new KillSwitch({
    clock,
    replicas,
    credentials: { fresh: () => late().keys.fresh(), refresh: () => late().keys.refresh() },
    changed: (changes) => {
      for (const change of changes) logChange(log, change)
      if (changes.some(({ engaged }) => engaged)) canceller.wake(elsewhereMs)
    },
    failed: (error) => log.warn({ event: 'kill.unsaid', err: error }, 'the other replicas cannot be told'),
    confirmed: (took) => {
      metrics.killConfirmed(took.tookMs)
      canceller.wake(0)
    },
  })
  metrics.watchKills(() => kill.inForce())
  const rules = config.kill.auto.map((rule) => ruleOf(rule))
  const auto = rules.length === 0 ? undefined : new AutoKill({ rules, clock, log, kill, ...laterParts(late) })
  return {
    kill,
    auto,
    start: async () => {
      await kill.start()
      if (kill.inForce().some(({ cancelled }) => !cancelled)) canceller.wake(elsewhereMs)
    },
    close: async () => {
      await canceller.close()
      await kill.close()
      await replicas.close()
    },
  }
}

function laterParts(late: KillInput['late']): Pick<ConstructorParameters<typeof AutoKill>[0], 'writer' | 'refresh'> {
  return { writer: { submit: (member) => late().writer.submit(member) }, refresh: () => late().keys.refresh() }
}

function ruleOf({ threshold, windowSeconds, expiresAfterSeconds, ...rule }: Config['kill']['auto'][number]): AutoRule {
  const spend = rule.on === 'spend_rate'
  return {
    ...rule,
    share: spend ? 0 : Number(threshold),
    nanoUsd: spend ? (parseNanoUsd(String(threshold)) ?? 0n) : 0n,
    windowMs: windowSeconds * 1000,
    expiresAfterMs: expiresAfterSeconds === undefined ? undefined : expiresAfterSeconds * 1000,
  }
}

function logChange(log: Logger, { kill, engaged }: KillChange): void {
  const about = { event: engaged ? 'kill.engaged' : 'kill.over', kill: kill.id, scope: scopeKindName(kill.scope) }
  log.warn({ ...about, actor: kill.actor }, engaged ? 'a kill switch is engaged' : 'a kill switch is over')
}
