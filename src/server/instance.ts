import type { Logger } from 'pino'
import type { Config } from '#config'
import { sha256Hex, systemClock, type ServiceActions } from '#core'
import { addressGroup, type GatePorts } from '#gate'
import { unhandledMethods } from '#hub'
import {
  Connection,
  inspectDatabase,
  KeyCache,
  PseudonymKeyStore,
  keyCacheDefaults,
  Reader,
  Sessions,
  Writer,
  writerDefaults,
  type ConnectionSettings,
} from '#store'
import { composeBestEffort } from './compose-best-effort.ts'
import { composeCheckpoints } from './checkpoints/compose.ts'
import type { Checkpointer } from './checkpoints/checkpointer.ts'
import { Offbox } from './checkpoints/offbox.ts'
import { ClockWatch } from './clock-watch.ts'
import { composeRates, workersOf } from './compose-rates.ts'
import { openSession } from './console-sessions.ts'
import { peerAddress } from './credentials.ts'
import { makeDecider } from './decider.ts'
import { debugToken, listenDebug } from './debug.ts'
import { Floods } from './floods.ts'
import { listenGrpc } from './grpc/server.ts'
import { listenHttp } from './http/server.ts'
import { Housekeeping } from './housekeeping.ts'
import { configRecord } from './config-record.ts'
import { composeLegacy } from './legacy-token.ts'
import { listenManagement } from './management.ts'
import { Pipeline } from './pipeline.ts'
import { Pseudonyms } from './pseudonyms.ts'
import { asStartError, openSecrets, type SecretStore } from './secrets.ts'
import { Sinks } from './sinks/sinks.ts'
import { Space } from './space.ts'
import { StartError } from './start-error.ts'
import { makeTelemetry } from './telemetry/index.ts'
import { TrustedProxies } from './trusted-proxies.ts'

export interface Instance {
  readonly grpc: string
  readonly http: string
  readonly management: string
  /** Takes over settings that may change while it runs. */
  apply(change: Partial<Config>): void
  /** Answers what is in flight, then stops everything that was started. */
  stop(): Promise<void>
}

const drainMs = 10_000

/** Composes one serving process over a migrated database. Everything that was started is stopped again where a part fails. */
export async function startInstance(config: Config, connection: ConnectionSettings, log: Logger): Promise<Instance> {
  const clock = systemClock
  const telemetry = makeTelemetry(config, log)
  const { metrics } = telemetry
  const clocks = new ClockWatch(log)
  const space = new Space({ dir: connection.dataDir, freeBytesMin: config.limits.freeBytesMin }, log)
  const clockSeen = (skewMs: number, withinMs: number): void => clocks.measured(skewMs, withinMs)
  const keys = new KeyCache({ connection, ...keyCacheDefaults, clockSeen }, clock)
  const writer = new Writer(
    {
      connection,
      ...writerDefaults,
      queueMax: config.limits.queue.max,
      queueWaitMs: config.limits.queue.waitMs,
      watch: metrics,
    },
    clock,
  )
  metrics.watch({ queued: () => writer.queued, freeBytes: () => space.freeBytes, skewMs: () => clocks.skewMs })
  const reader = new Reader(connection, Math.max(1, config.database.pool.clients - writerDefaults.lanes))
  const sessions = new Sessions(connection)
  const floods = new Floods(writer, clock, ({ subject, count }, why) =>
    log.error({ event: 'ledger.counts_lost', subject, count, err: why }, 'counted refusals could not be written'),
  )
  const ahead = composeBestEffort(writer, connection, clock, log)
  const pseudonyms = new Pseudonyms({
    failed: (error) =>
      log.warn(
        { event: 'ledger.pseudonym_keys', err: error },
        'keys of pseudonyms cannot be had: personal values are masked',
      ),
    monotonic: () => clock.monotonic(),
  })
  const sinks = new Sinks({ config, connection, writer, clock, log, watch: metrics })
  const housekeeping = new Housekeeping(connection, log)
  const rates = composeRates(config, workersOf(process.env), log)
  const gate: GatePorts = { clock, keys, ...rates.buckets, legacy: composeLegacy(config, keys, log) }
  const sharedRates = await rates.share(gate)
  metrics.watchRates(sharedRates)
  const proxies = new TrustedProxies(config.trustedProxies)
  const apply = (change: Partial<Config>): void => {
    if (change.trustedProxies !== undefined) proxies.set(change.trustedProxies)
    if (change.log !== undefined) log.level = change.log.level
    if (change.limits !== undefined) rates.configure(change.limits.rate)
    const record = configRecord(Object.keys(change), clock.now())
    writer
      .submit({ tenantId: undefined, record: () => record })
      .catch((error: unknown) =>
        log.error(
          { event: 'config.unrecorded', err: error },
          'settings were taken over, and the ledger does not say so',
        ),
      )
  }
  let checkpoints: Checkpointer | undefined
  const offbox = new Offbox({
    writer,
    cover: async (name, atLeast, signal) =>
      checkpoints?.cover(name, atLeast, signal) ?? { ok: false, why: 'no key signs checkpoints here' },
    sinks: sinks.all.length,
    acknowledgements: config.audit.checkpoints.acknowledgements,
    later: (record) => ahead.bestEffort.offer(record),
  })
  const pipeline = new Pipeline({
    gate,
    offbox,
    credentials: keys,
    writer,
    reader,
    floods,
    bestEffort: ahead.bestEffort,
    pseudonyms,
    sharedRates,
    decider: makeDecider({ clock, keys, legacy: gate.legacy }),
    services: serviceActions(config),
    clock,
    told: telemetry.told,
    timed: telemetry.timed,
    gated: (elapsedMs) => metrics.gated(elapsedMs),
    full: (method) => space.refusal(method),
    fault: (error, call) =>
      log.error(
        { event: 'server.fault', err: error, method: call?.method.path, requestId: call?.requestId },
        'fault in a call',
      ),
  })
  let draining = false
  const stops: (() => Promise<void>)[] = []
  let secrets: SecretStore | undefined
  const stop = async (): Promise<void> => {
    draining = true
    await Promise.all(stops.map((one) => one()))
    await housekeeping.close()
    await checkpoints?.close()
    await sinks.close()
    sharedRates?.close()
    space.close()
    await ahead.close()
    await floods.close()
    await writer.close()
    await pseudonyms.close()
    await secrets?.close()
    await Promise.all([keys.close(), reader.close(), sessions.close(), telemetry.close()])
  }
  const notReady = async (): Promise<string | undefined> => {
    if (draining) return 'the server is shutting down'
    if (!keys.fresh()) return 'the credentials in memory are older than their lease'
    return clocks.notReady() ?? ((await reader.ping()) ? undefined : 'the store cannot be reached')
  }
  try {
    // First of all, so that health and metrics answer while the rest starts.
    const scrape = config.telemetry.prometheus ? () => metrics.prometheus() : undefined
    const management = await listening(
      'management',
      listenManagement({ config, log, proxies, notReady, metrics: scrape }),
    )
    stops.push(() => management.stop(drainMs))
    if (config.debug.port !== undefined) {
      const parts = { config, log, proxies, port: config.debug.port, token: debugToken(config) }
      const debug = await listening('debug', listenDebug(parts))
      log.info({ event: 'debug.listening', address: debug.address }, 'profiles under /debug/pprof/')
      stops.push(() => debug.stop(drainMs))
    }
    // A method of the contract that nothing answers would be refused only when it is called.
    const missing = unhandledMethods()
    if (missing.length > 0) throw new Error(`no handler for ${missing.join(', ')}`)
    await checkDatabase(connection)
    secrets = await openSecrets(config, connection, clock, log)
    if (secrets !== undefined)
      await pseudonyms
        .start(new PseudonymKeyStore(connection, secrets.envelopes, () => pseudonyms.wake()))
        .catch((error: unknown) => {
          throw asStartError(error)
        })
    ahead.start()
    checkpoints = composeCheckpoints({ config, connection, sinks: sinks.all, writer, log })
    if (checkpoints !== undefined) metrics.watchCheckpoints(checkpoints)
    await space.look()
    await keys.start()
    await offbox.noteOverride(log)
    housekeeping.start()
    const console = {
      open: (code: string, session: string, remote: string, requestId: string) =>
        openSession({ writer, clock, floods, failures: gate.failures, sessions }, { code, session, remote, requestId }),
      find: async (session: string, remote: string) =>
        gate.addresses.take(addressGroup(peerAddress(remote)), clock.monotonic()) > 0
          ? undefined
          : sessions.find(session),
    }
    const grpc = await listening(
      'grpc',
      listenGrpc({
        config,
        pipeline,
        log,
        healthy: () => !draining && keys.fresh(),
        onFault: metrics.faultsOf('grpc'),
      }),
    )
    stops.push(() => grpc.stop(drainMs))
    sinks.start()
    checkpoints?.start()
    const http = await listening(
      'http',
      listenHttp({ config, pipeline, log, proxies, console, onFault: metrics.faultsOf('http') }),
    )
    stops.push(() => http.stop(drainMs))
    return { grpc: grpc.address, http: http.address, management: management.address, apply, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function listening<Listener>(
  name: keyof Config['listen'] | 'debug',
  listener: Promise<Listener>,
): Promise<Listener> {
  try {
    return await listener
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    const setting = name === 'debug' ? 'debug.port' : `listen.${name}`
    const todo = /EADDRINUSE|address already in use/i.test(text)
      ? `the address is in use: stop the program that holds it, or set ${setting} (PORTCULLIS__${setting.toUpperCase().replace('.', '__')}) to another one`
      : `set ${setting} to an address of this machine`
    throw new StartError(`cannot listen for ${name}`, [`${text}; ${todo}`], error)
  }
}

async function checkDatabase(settings: ConnectionSettings): Promise<void> {
  const connection = new Connection(settings, 'start')
  try {
    const client = await connection.client().catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error)
      throw new StartError(
        'the database cannot be reached',
        [`${text}; check database.url, that PostgreSQL runs and that it accepts this role`],
        error,
      )
    })
    const problems = await inspectDatabase(client)
    if (problems.length > 0) throw new StartError('the database is not fit to serve from', problems)
  } finally {
    await connection.close()
  }
}

function serviceActions({ services }: Config): ServiceActions {
  return new Set(services.flatMap(({ name, actions }) => actions.map((action) => `${name}:${action}`)))
}

/** Hex of SHA-256, the form in which one-time codes and session tokens are stored. */
export function tokenDigest(token: string): string {
  return sha256Hex(token)
}
