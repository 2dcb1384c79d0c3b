import { setTimeout as delay } from 'node:timers/promises'
import { TriggerResponseSchema } from '@portcullis/contract'
import type { Logger } from 'pino'
import { builtinKinds, kindName, type BuiltinKind, type Config } from '#config'
import { sha256Hex, uuidv7, type Caller, type Clock, type Refusal } from '#core'
import { bare, triggerOf, type JobKind, type JobsPort, type WriterPort } from '#hub'
import { JobQueue, type ConnectionSettings } from '#store'
import type { TenantDirectory } from './callers/bound-caller.ts'
import { Boss } from './jobs/boss.ts'
import { httpHandler } from './jobs/http-handler.ts'
import type { JobHandler } from './jobs/job.ts'
import { builtins, type JobTools } from './jobs/kinds/index.ts'
import { posturesInto } from './jobs/keep-posture.ts'
import { moduleHandler } from './jobs/module-handler.ts'
import { nextOccurrence } from './jobs/occurrences.ts'
import { endedRecord, scheduledRecord } from './jobs/records.ts'
import { Scheduler } from './jobs/scheduler.ts'
import { slotsOf } from './jobs/slots.ts'
import { JobWorker } from './jobs/worker.ts'
import type { KillSwitch } from './kill/switch.ts'
import type { Decided } from './telemetry/decided.ts'
import { JobMetrics, jobMeter } from './telemetry/job-metrics.ts'
import type { Metrics } from './telemetry/metrics.ts'

interface JobsParts {
  readonly config: Config
  readonly connection: ConnectionSettings
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly writer: WriterPort
  readonly tenants: TenantDirectory
  readonly tools: Omit<JobTools, 'config' | 'connection' | 'broken' | 'keepPosture'>
  readonly kill: Pick<KillSwitch, 'refusalForCaller' | 'refusalOf'>
}

export interface ComposedJobs {
  readonly port: JobsPort
  readonly decided: (decided: Decided) => void
  /** What is known to be wrong with logs, with what the last replay by a job found. */
  withBroken(of: KnownStops): KnownStops
  /** Loads the code of the kinds. Rejects where one cannot be. */
  load(): Promise<void>
  /** Begins to work, and to keep the schedules. Never waits. */
  start(): void
  close(): Promise<void>
}

type KnownStops = Parameters<Metrics['watchCheckpoints']>[0]

const builtinTenant = 'main'
const maintainEveryMs = 3_600_000
const openAfterMs = 250
const openAgainMs = 5000

/** Jobs as the settings want them (SPEC J1, J2, J4). The queue is opened after the doors, so that nobody waits for it. */
export function composeJobs(parts: JobsParts): ComposedJobs {
  const { clock, config, connection, log, metrics, tenants, writer } = parts
  const kinds = jobKinds(config)
  const counts = new JobMetrics(
    metrics.meter(jobMeter),
    metrics.meter('portcullis'),
    kinds.map(({ kind }) => kind),
  )
  let broken: ReadonlyMap<string, string> = new Map()
  const keepPosture = posturesInto({ writer, tenants, clock })
  const tools: JobTools = { ...parts.tools, config, connection, keepPosture, broken: (found) => (broken = found) }
  const handlers = new Map<string, JobHandler>(
    Object.entries(builtins).map(([key, make]) => [kindName(key), make(tools)]),
  )
  const closes: (() => Promise<void>)[] = []
  // Asked when a schedule fires, when a job begins and with each beat: the kind, its tenant and everything (SPEC K1).
  const killed = (kind: string, tenant: string): Refusal | undefined => {
    const caller = jobsCaller(tenants, tenant)
    return parts.kill.refusalForCaller(caller) ?? parts.kill.refusalOf({ jobKind: kind }, caller)
  }
  const slots = slotsOf(config.jobs.workers, process.env)
  const stopping = new AbortController()
  let opening: Promise<void> | undefined

  const open = async (): Promise<void> => {
    let worker: JobWorker | undefined
    const queue = new JobQueue(connection, () => worker?.wake())
    const boss = await Boss.open(queue, log).catch(async (error: unknown) => {
      await queue.close()
      throw error
    })
    closes.unshift(
      () => boss.close(),
      () => queue.close(),
    )
    if (stopping.signal.aborted) return
    const ended = async (): Promise<void> => {
      for (const { kind, state, trigger } of await queue.tellEnded((job) =>
        endedRecord(job, clock.now(), isBuiltin(job)),
      ))
        if (state === failedState) counts.failed(kind, trigger)
    }
    worker = new JobWorker({
      queue,
      boss,
      killed,
      ended,
      log,
      slots,
      handlerOf: (job) => {
        const kind = kinds.find((one) => one.kind === job.kind && one.tenant === job.tenant)
        const handler = handlers.get(job.kind)
        return kind === undefined || handler === undefined ? undefined : { kind, handler }
      },
    })
    const working = worker
    worker.start()
    closes.unshift(() => working.close())
    const maintenance = setInterval(() => {
      boss.maintain().catch((error: unknown) => log.warn({ event: 'jobs.maintenance', err: error }, 'the queue waits'))
    }, maintainEveryMs)
    maintenance.unref()
    closes.unshift(async () => clearInterval(maintenance))
    const scheduler = new Scheduler({ kinds, clock, log, fire })
    closes.unshift(async () => scheduler.close())
    await scheduler.start()
  }

  // The store may be away just now; triggers wait in it.
  const keepOpening = async (): Promise<void> => {
    const wait = (ms: number): Promise<void> =>
      delay(ms, undefined, { ref: false, signal: stopping.signal }).catch(() => undefined)
    // To load the library takes a while, and nobody who waits for the doors is to wait for it.
    await wait(openAfterMs)
    while (!stopping.signal.aborted) {
      try {
        return await open()
      } catch (error) {
        log.warn({ event: 'jobs.not_open', err: error }, 'no jobs are worked on here yet; it is tried again')
      }
      await wait(openAgainMs)
    }
  }

  const fire = async (kind: JobKind, dueMs: number): Promise<void> => {
    const tenant = tenants.tenant(kind.tenant)
    if (tenant === undefined) return
    const why = killed(kind.kind, kind.tenant)
    const nowMs = clock.now()
    const id = uuidv7(nowMs)
    const requestId = `schedule-${id}`
    const key = sha256Hex(`schedule ${tenant.id} ${kind.kind} ${dueMs}`)
    const about = { kind: kind.kind, dueMs, requestId, tenant }
    const given = { id, trigger: 'schedule', actor: 'schedule', requestId, dataJson: '' } as const
    if (why !== undefined) {
      const denied = { outcome: 'deny', code: why.code, reason: why.reason } as const
      await writer.submit({
        tenantId: bare(tenant.id),
        record: () => scheduledRecord(about, denied, clock.now()),
      })
      return
    }
    const result = await writer.submit({
      tenantId: bare(tenant.id),
      record: (outcome) => scheduledRecord(about, outcome, clock.now()),
      effect: triggerOf(kind, given, nowMs),
      output: TriggerResponseSchema,
      idempotency: { keyDigest: key, payloadDigest: key },
      killed: () => killed(kind.kind, kind.tenant),
    })
    if (result.refused || !result.replayed)
      counts.triggered(kind.kind, 'schedule', result.refused ? result.code : undefined)
  }

  return {
    port: {
      of: (tenant) => kinds.filter((kind) => kind.tenant === tenant),
      // A schedule that cannot be kept is told of when the schedules begin.
      nextRunAtMs: async ({ enabled, schedule, timeZone }) =>
        enabled && schedule !== '' ? nextOccurrence(schedule, timeZone, clock.now()).catch(() => undefined) : undefined,
    },
    decided: (decided) => counts.decided(decided),
    withBroken: (of) => ({
      get stopped() {
        return broken.size === 0 ? of.stopped : new Map([...broken, ...of.stopped])
      },
      unsignedMs: (nowMs) => of.unsignedMs(nowMs),
    }),
    load: async () => {
      for (const { kind, http, moduleFile } of config.jobs.custom) {
        if (moduleFile !== undefined) handlers.set(kind, await moduleHandler(kind, moduleFile))
        if (http === undefined) continue
        const { handler, close } = httpHandler(http)
        handlers.set(kind, handler)
        closes.push(close)
      }
    },
    start: () => {
      if (slots === 0) return
      opening = keepOpening()
    },
    close: async () => {
      stopping.abort()
      await opening
      for (const close of closes)
        await close().catch((error: unknown) => log.warn({ event: 'jobs.close', err: error }, 'a part of the jobs'))
    },
  }
}

const failedState = 5

function isBuiltin({ kind, tenant }: { readonly kind: string; readonly tenant: string }): boolean {
  return tenant === builtinTenant && Object.keys(builtinKinds).some((key) => kindName(key) === kind)
}

/** Every kind of the settings, by name. */
function jobKinds({ jobs }: Config): readonly JobKind[] {
  const builtin = Object.entries(jobs.kinds).map(([key, { ...settings }]): JobKind => {
    return {
      ...settings,
      kind: kindName(key),
      description: builtinKinds[key as BuiltinKind],
      handler: 'builtin',
      tenant: builtinTenant,
    }
  })
  const custom = jobs.custom.map((settings): JobKind => {
    const { kind, description, enabled, schedule, timeZone, overlap, retries, timeoutSeconds, tenant } = settings
    const handler = settings.http === undefined ? 'module' : 'http'
    return { kind, description, enabled, schedule, timeZone, overlap, retries, timeoutSeconds, handler, tenant }
  })
  return [...builtin, ...custom]
    .map((kind) => (kind.schedule === 'never' ? { ...kind, schedule: '' } : kind))
    .toSorted((a, b) => (a.kind < b.kind ? -1 : 1))
}

/** Whom a kill of the kind is asked about: the tenant, by none of its agents. */
function jobsCaller(tenants: TenantDirectory, name: string): Caller {
  return {
    kind: 'service',
    id: 'jobs',
    tenant: tenants.tenant(name) ?? { id: '', name },
    scopes: new Set(),
    credential: { kind: 'service_token', id: 'jobs' },
  }
}
