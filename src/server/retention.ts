import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { retentionPolicy, type Config, type RetentionClass, type RetentionPolicy } from '#config'
import { planPrune, type ClassPlan, type Holding } from '#ledger'
import type { PruneTarget, RetentionStore, StoreRefusal } from '#store'
import { archiveLog, type Archived } from './retention-archive.ts'
import { pruneBody } from './retention-entries.ts'
import { RefusedError } from './start-error.ts'

const dayMs = 86_400_000
const pollMs = 500
// No published checkpoint yet, tiles that are not made yet, a sink that is behind, and a lock that others hold: all of them pass.
const passing = new Set(['LG035', 'LG036', 'LG037', '55P03'])

export interface PruneOptions {
  readonly store: RetentionStore
  readonly retention: Config['audit']['retention']
  /** A folder for the archive; undefined is a dry run. */
  readonly archive: string | undefined
  readonly by: string
  /** Sinks that are given up: they may lose what they have not taken yet. */
  readonly withoutSinks?: readonly string[] | undefined
  readonly waitMs: number
  readonly nowMs: number
  /** Stops between two steps; what is done then is found by the next run. */
  readonly signal?: AbortSignal | undefined
  /** Progress, one line at a time. */
  readonly say: (line: string) => void
}

export interface PrunedClass extends ClassPlan {
  readonly policy: RetentionPolicy | undefined
  /** Logs that lose entries, with where they begin afterwards; in a dry run what would be. */
  readonly logs: readonly {
    readonly log: string
    readonly from: number
    readonly below: number
    readonly archive: string | undefined
  }[]
  /** Until when the archive is to be kept; undefined where nothing goes. */
  readonly keepArchiveUntil: string | undefined
}

/** What may go and why the rest stays; with an archive folder it goes (SPEC L12). A run that was interrupted is run again. */
export async function prune(options: PruneOptions): Promise<readonly PrunedClass[]> {
  const { store, retention, nowMs } = options
  const months = await store.months()
  const policies = new Map<string, RetentionPolicy>()
  const holds = new Map<string, readonly Holding[]>()
  for (const month of months) {
    const policy = retentionPolicy(retention, month.retentionClass as RetentionClass)
    if (policy === undefined) continue
    policies.set(month.retentionClass, policy)
    if (month.nextMs + policy.hotDays * dayMs <= nowMs) {
      holds.set(month.name, await store.holdsBefore(month.retentionClass, month.nextMs))
    }
  }
  const hotDays = new Map([...policies].map(([name, policy]) => [name, policy.hotDays]))
  const plans = planPrune({ months, hotDays, nowMs, holdsIn: ({ name }) => holds.get(name) ?? [] })
  const done: PrunedClass[] = []
  for (const plan of plans) done.push(await pruneClass(plan, policies.get(plan.retentionClass), options))
  return done
}

async function pruneClass(
  plan: ClassPlan,
  policy: RetentionPolicy | undefined,
  options: PruneOptions,
): Promise<PrunedClass> {
  const { beforeMs, retentionClass } = plan
  if (beforeMs === undefined || policy === undefined) {
    return { ...plan, policy, logs: [], keepArchiveUntil: undefined }
  }
  const target: PruneTarget = { ...policy, retentionClass, beforeMs }
  const expired = await options.store.expired(retentionClass, beforeMs)
  const planned = expired.map(({ log, minIndex, lastSeq }) => ({ log, from: minIndex, below: lastSeq + 1 }))
  const keepArchiveUntil = new Date(beforeMs + policy.keepDays * dayMs).toISOString().slice(0, 10)
  if (options.archive === undefined) {
    const logs = planned.map((one) => ({ ...one, archive: undefined }))
    return { ...plan, policy, logs, keepArchiveUntil }
  }
  const { store, by, say } = options
  const folder = join(options.archive, `${retentionClass}-before-${new Date(beforeMs).toISOString().slice(0, 7)}`)
  const archived: Archived[] = []
  for (const one of expired) {
    options.signal?.throwIfAborted()
    say(`archiving entries ${one.minIndex} to ${one.lastSeq} of the log ${one.log}`)
    archived.push(await archiveLog(store, one, folder, options.signal))
  }
  options.signal?.throwIfAborted()
  const recorded = await store.recorded()
  const isRecorded = archived.every((one) =>
    recorded.some(({ log, below, archive }) => log === one.log && below === one.below && archive === one.archive),
  )
  if (!isRecorded) {
    const members = archived.map((one) => ({
      ...one,
      body: pruneBody(one, { ...policy, withoutSinks: options.withoutSinks ?? [] }, by, options.nowMs),
    }))
    mustPass(await store.begin(target, by, members))
    say(`recorded in ${members.length} logs`)
  }
  await finish(target, options)
  const logs = planned.map((one, at) => ({ ...one, archive: archived[at]?.folder }))
  return { ...plan, policy, logs, keepArchiveUntil }
}

/** Waits for the checkpoints that make it known outside, then drops. */
async function finish(target: PruneTarget, { store, waitMs, say, withoutSinks, signal }: PruneOptions): Promise<void> {
  const deadline = performance.now() + waitMs
  let told = ''
  for (;;) {
    const refusal = await store.finish(target, withoutSinks)
    if (refusal === undefined) return
    if (!passing.has(refusal.code)) mustPass(refusal)
    if (performance.now() > deadline) {
      throw new RefusedError('the prune is recorded, and nothing was dropped yet', [
        `${refusal.message}. ${refusal.todo}`,
        'run the same command again: it goes on from here',
      ])
    }
    if (told !== refusal.message) say(`waiting: ${refusal.message}`)
    told = refusal.message
    await delay(pollMs, undefined, { signal })
  }
}

export function mustPass(refusal: StoreRefusal | undefined): void {
  if (refusal !== undefined) throw new RefusedError(refusal.message, [refusal.todo])
}
