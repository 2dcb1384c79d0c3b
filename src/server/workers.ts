import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config, LoadInput } from '#config'
import { formatAddress, parseAddress } from '#core'
import type { ConnectionSettings } from '#store'
import type { Addresses, ToWorker } from './worker.ts'

const workerFile = new URL('./worker.ts', import.meta.url).pathname
const stopDeadlineMs = 20_000
const againAfterMs = 500

interface Several {
  readonly count: number
  readonly config: Config
  /** Each worker reads its settings itself: secrets do not travel. */
  readonly load: LoadInput
  readonly connection: ConnectionSettings
  readonly log: Logger
}

export interface Workers extends Addresses {
  /** Tells the workers where the database is now. */
  moved(connection: ConnectionSettings): void
  stop(): Promise<void>
}

/**
 * Several serving processes on one machine behind the same addresses (SPEC M6). They share nothing but the database, as replicas
 * do; one that dies is replaced, and what it had acknowledged is in the database.
 */
export async function startWorkers({ count, config, load: given, connection, log }: Several): Promise<Workers> {
  // Workers accept for themselves: a connection that was on its way to one that dies would otherwise hang with nobody behind it.
  cluster.schedulingPolicy = cluster.SCHED_NONE
  cluster.setupPrimary({ exec: workerFile, args: [], serialization: 'advanced' })
  const load = { ...given, overrides: { ...given.overrides, listen: await fixedPorts(config.listen) } }
  let current = connection
  let stopping = false
  const running = new Set<Worker>()

  const start = async (index: number): Promise<Addresses> => {
    const worker = cluster.fork({ PORTCULLIS_WORKERS: String(count), PORTCULLIS_WORKER: String(index) })
    running.add(worker)
    worker.on('exit', (code, signal) => {
      running.delete(worker)
      if (stopping) return
      log.warn({ event: 'worker.ended', pid: worker.process.pid, code, signal }, 'a worker ended and is replaced')
      void delay(againAfterMs).then(async () => {
        if (!stopping)
          await start(index).catch((error: unknown) =>
            log.error({ event: 'worker.failed', err: error }, 'a worker did not start'),
          )
      })
    })
    send(worker, { type: 'start', load, connection: current })
    return firstAnswer(worker)
  }

  const stop = async (): Promise<void> => {
    stopping = true
    await Promise.all(
      [...running].map(async (worker) => {
        const ended = once(worker, 'exit')
        send(worker, { type: 'stop' })
        const late = setTimeout(() => worker.process.kill('SIGKILL'), stopDeadlineMs)
        await ended
        clearTimeout(late)
      }),
    )
  }

  try {
    const [first] = await Promise.all(Array.from({ length: count }, (_, index) => start(index)))
    if (first === undefined) throw new Error('no workers')
    return {
      ...first,
      moved: (next) => {
        current = next
        for (const worker of running) send(worker, { type: 'moved', connection: next })
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Port 0 is settled once: workers that start later must listen where the first ones do. */
async function fixedPorts(listen: Config['listen']): Promise<Config['listen']> {
  const settle = async (address: string): Promise<string> => {
    const { host, port } = parseAddress(address)
    if (port !== 0) return address
    const probe = createServer()
    probe.listen(0, host)
    await once(probe, 'listening')
    const bound = probe.address()
    await new Promise((resolve) => probe.close(resolve))
    return formatAddress({ host, port: typeof bound === 'object' ? (bound?.port ?? 0) : 0 })
  }
  return {
    grpc: await settle(listen.grpc),
    http: await settle(listen.http),
    management: await settle(listen.management),
    ...(listen.agentsGrpc === undefined ? {} : { agentsGrpc: await settle(listen.agentsGrpc) }),
    ...(listen.agentsHttp === undefined ? {} : { agentsHttp: await settle(listen.agentsHttp) }),
  }
}

async function firstAnswer(worker: Worker): Promise<Addresses> {
  const answer = new Promise<Addresses>((resolve, reject) => {
    worker.once('message', (message: { readonly ready?: Addresses; readonly failed?: string }) => {
      if (message.ready !== undefined) resolve(message.ready)
      else reject(new Error(message.failed ?? 'a worker did not start'))
    })
    worker.once('exit', (code) => reject(new Error(`a worker ended with ${String(code)} before it was ready`)))
  })
  return answer
}

function send(worker: Worker, message: ToWorker): void {
  // A worker that is gone is noticed by its exit.
  if (worker.isConnected()) worker.send(message, () => undefined)
}
