import type { Logger } from 'pino'
import type { Config } from '#config'
import { sha256Hex, systemClock } from '#core'
import { Gcra, type GatePorts } from '#gate'
import {
  Connection,
  inspectDatabase,
  KeyCache,
  keyCacheDefaults,
  Reader,
  Sessions,
  Writer,
  writerDefaults,
  type ConnectionSettings,
} from '#store'
import { BestEffort } from './best-effort.ts'
import { openSession } from './console-sessions.ts'
import { Floods } from './floods.ts'
import { listenGrpc } from './grpc/server.ts'
import { listenHttp } from './http/server.ts'
import { Housekeeping } from './housekeeping.ts'
import { listenManagement } from './management.ts'
import { Pipeline } from './pipeline.ts'
import { StartError } from './start-error.ts'
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
  await checkDatabase(connection)
  const keys = new KeyCache({ connection, ...keyCacheDefaults }, clock)
  const writer = new Writer(
    { connection, ...writerDefaults, queueMax: config.limits.queue.max, queueWaitMs: config.limits.queue.waitMs },
    clock,
  )
  const reader = new Reader(connection, Math.max(1, config.database.pool.clients - writerDefaults.lanes))
  const sessions = new Sessions(connection)
  const floods = new Floods(writer, clock, ({ subject, count }, why) =>
    log.error({ event: 'ledger.counts_lost', subject, count, err: why }, 'counted refusals could not be written'),
  )
  const bestEffort = new BestEffort(writer, clock, (lost) =>
    log.error({ event: 'ledger.entries_lost', lost }, 'entries of best effort are lost: the store does not take them'),
  )
  const housekeeping = new Housekeeping(connection, log)
  const { rate } = config.limits
  const [failures, addresses, calls] = [new Gcra(rate.failures), new Gcra(rate.address), new Gcra(rate.key)]
  const gate: GatePorts = { clock, keys, failures, addresses, calls }
  const proxies = new TrustedProxies(config.trustedProxies)
  const apply = (change: Partial<Config>): void => {
    if (change.trustedProxies !== undefined) proxies.set(change.trustedProxies)
    if (change.log !== undefined) log.level = change.log.level
    if (change.limits === undefined) return
    failures.configure(change.limits.rate.failures)
    addresses.configure(change.limits.rate.address)
    calls.configure(change.limits.rate.key)
  }
  const pipeline = new Pipeline({
    gate,
    credentials: keys,
    writer,
    reader,
    floods,
    bestEffort,
    clock,
    fault: (error, call) =>
      log.error(
        { event: 'server.fault', err: error, method: call?.method.path, requestId: call?.requestId },
        'fault in a call',
      ),
  })
  let draining = false
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    draining = true
    await Promise.all(stops.map((one) => one()))
    housekeeping.close()
    await bestEffort.close()
    await floods.close()
    await writer.close()
    await Promise.all([keys.close(), reader.close(), sessions.close()])
  }
  try {
    await keys.start()
    const console = {
      open: (code: string, session: string, remote: string, requestId: string) =>
        openSession(writer, clock, { code, session, remote, requestId }),
      find: (session: string) => sessions.find(session),
    }
    const grpc = await listening(
      'grpc',
      listenGrpc({ config, pipeline, log, healthy: () => !draining && keys.fresh() }),
    )
    stops.push(() => grpc.stop(drainMs))
    const http = await listening('http', listenHttp({ config, pipeline, log, proxies, console }))
    stops.push(() => http.stop(drainMs))
    const notReady = async (): Promise<string | undefined> => {
      if (draining) return 'the server is shutting down'
      if (!keys.fresh()) return 'the credentials in memory are older than their lease'
      return (await reader.ping()) ? undefined : 'the store cannot be reached'
    }
    const management = await listening('management', listenManagement({ config, log, proxies, notReady }))
    stops.push(() => management.stop(drainMs))
    return { grpc: grpc.address, http: http.address, management: management.address, apply, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function listening<Listener>(name: keyof Config['listen'], listener: Promise<Listener>): Promise<Listener> {
  try {
    return await listener
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    const todo = /EADDRINUSE|address already in use/i.test(text)
      ? `the address is in use: stop the program that holds it, or set listen.${name} (PORTCULLIS__LISTEN__${name.toUpperCase()}) to another one`
      : `set listen.${name} to an address of this machine`
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

/** Hex of SHA-256, the form in which one-time codes and session tokens are stored. */
export function tokenDigest(token: string): string {
  return sha256Hex(token)
}
