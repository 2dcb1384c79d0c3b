import { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { getHeapSnapshot, getHeapStatistics } from 'node:v8'
import type { FastifyError } from 'fastify'
import type { Logger } from 'pino'
import { readSecretFile, type Config } from '#config'
import { isLoopback, refuse, type Secret, secretsEqual } from '#core'
import { makeApp, refusalOf, stopApp } from './http/app.ts'
import { sendRefusal } from './http/problem.ts'
import { securityHeaders } from './http/security-headers.ts'
import type { HttpListener } from './http/server.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

interface DebugParts {
  readonly config: Config
  readonly log: Logger
  readonly proxies: TrustedProxies
  readonly port: number
  /** Undefined where none is set or its file is empty. */
  readonly token: Secret | undefined
}

/**
 * Profiles and statistics under `/debug/pprof/`, on 127.0.0.1 whatever the settings say (SPEC O3). In production a request
 * without the right `X-Debug-Token` gets the answer of a page that does not exist.
 */
export async function listenDebug({ config, log, proxies, port, token }: DebugParts): Promise<HttpListener> {
  const guarded = config.env === 'production'
  if (guarded && token === undefined) {
    log.warn({ event: 'debug.no_token' }, 'the debug listener has no token and answers nobody: set debug.tokenFile')
  }
  const app = makeApp(config, log, proxies)
  securityHeaders(app)
  const absent = refuse('method.unknown', 'no such page')
  app.addHook('onRequest', async (request, reply) => {
    // A page of another site can point its own name at 127.0.0.1 and read what it is answered.
    if (!isLocalName(request.headers.host)) return sendRefusal(request, reply, absent, '')
    if (!guarded) return undefined
    const sent = request.headers['x-debug-token']
    const right = token !== undefined && secretsEqual(typeof sent === 'string' ? sent : '', token.reveal())
    return right ? undefined : sendRefusal(request, reply, absent, '')
  })
  app.setNotFoundHandler((request, reply) => sendRefusal(request, reply, absent, ''))
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendRefusal(request, reply, refusalOf(error, request, log), ''),
  )
  const lag = monitorEventLoopDelay({ resolution: 20 })
  lag.enable()
  const profiles = new Profiles()
  app.get('/debug/pprof/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(index))
  app.get('/debug/pprof/stats', () => stats(lag))
  app.get('/debug/pprof/profile', async (request, reply) => {
    const seconds = secondsOf(request.query)
    if (seconds === undefined) {
      const detail = `seconds is a whole number from 1 to ${secondsMax}`
      return sendRefusal(request, reply, refuse('input.invalid', 'seconds', { detail }), '')
    }
    const profile = await profiles.take(seconds)
    if (profile === undefined)
      return sendRefusal(request, reply, refuse('object.state', 'a profile is being taken'), '')
    return reply
      .type('application/json')
      .header('content-disposition', 'attachment; filename="portcullis.cpuprofile"')
      .send(profile)
  })
  // The snapshot stops the process while it is written, which is what was asked for.
  app.get('/debug/pprof/heap', (_request, reply) =>
    reply
      .type('application/json')
      .header('content-disposition', 'attachment; filename="portcullis.heapsnapshot"')
      .send(getHeapSnapshot()),
  )
  const bound = new URL(await app.listen({ host: '127.0.0.1', port }))
  return {
    address: `127.0.0.1:${bound.port === '' ? '80' : bound.port}`,
    stop: async (deadlineMs) => {
      lag.disable()
      profiles.stop()
      await stopApp(app, deadlineMs)
    },
  }
}

/** Whether the `Host` of a request names this machine as no other site can. */
function isLocalName(host: string | undefined): boolean {
  const name = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host ?? '')?.[1]
  return name !== undefined && isLoopback(name)
}

/** Undefined also where the file is empty or gone: then nobody is let in. */
export function debugToken({ debug, env }: Config): Secret | undefined {
  if (debug.tokenFile === undefined) return undefined
  return readSecretFile('debug.tokenFile', debug.tokenFile, env === 'production').secret
}

const secondsMax = 60
const index = `/debug/pprof/profile?seconds=N  CPU profile of N seconds (1 to ${secondsMax}, 10 without), for Chrome DevTools
/debug/pprof/heap               heap snapshot, for Chrome DevTools; stops the process while it is taken
/debug/pprof/stats              event loop, handles and memory
`

function secondsOf(query: unknown): number | undefined {
  const given = typeof query === 'object' && query !== null && 'seconds' in query ? query.seconds : '10'
  if (typeof given !== 'string' || !/^\d{1,2}$/.test(given)) return undefined
  const seconds = Number(given)
  return seconds >= 1 && seconds <= secondsMax ? seconds : undefined
}

/** One CPU profile at a time. */
class Profiles {
  readonly #stopped = new AbortController()
  #busy = false

  async take(seconds: number): Promise<object | undefined> {
    if (this.#busy) return undefined
    this.#busy = true
    const session = new Session()
    try {
      session.connect()
      await session.post('Profiler.enable')
      await session.post('Profiler.start')
      await delay(seconds * 1000, undefined, { ref: false, signal: this.#stopped.signal }).catch(() => undefined)
      const { profile } = await session.post('Profiler.stop')
      return profile
    } finally {
      session.disconnect()
      this.#busy = false
    }
  }

  /** Ends a profile early, with what it has. */
  stop(): void {
    this.#stopped.abort()
  }
}

function stats(lag: ReturnType<typeof monitorEventLoopDelay>): object {
  const ms = (nanoseconds: number): number => Math.round(nanoseconds / 1e3) / 1e3
  const resources = Object.entries(Object.groupBy(process.getActiveResourcesInfo(), (name) => name))
  const answer = {
    uptimeSeconds: process.uptime(),
    eventLoopDelayMs: {
      mean: ms(lag.mean),
      p50: ms(lag.percentile(50)),
      p99: ms(lag.percentile(99)),
      max: ms(lag.max),
    },
    activeResources: Object.fromEntries(resources.map(([name, all]) => [name, all?.length ?? 0])),
    memory: process.memoryUsage(),
    heap: getHeapStatistics(),
  }
  lag.reset()
  return answer
}
