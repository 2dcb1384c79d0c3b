import type { FastifyError } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from '#config'
import { formatAddress, parseAddress, refuse } from '#core'
import { makeApp, refusalOf, stopApp } from './http/app.ts'
import { sendProblem, sendRefusal } from './http/problem.ts'
import { securityHeaders } from './http/security-headers.ts'
import type { HttpListener } from './http/server.ts'
import { watchVerbs } from './http/wrong-verbs.ts'
import type { TrustedProxies } from './trusted-proxies.ts'
import { version } from './version.ts'

interface ManagementParts {
  readonly config: Config
  readonly log: Logger
  readonly proxies: TrustedProxies
  /** Undefined while ready; else why not, without anything private. */
  readonly notReady: () => Promise<string | undefined>
  /** The metrics in the text format of Prometheus; no page where they are off. */
  readonly metrics?: (() => Promise<string>) | undefined
}

/** `/healthz`: the process lives. `/readyz`: it can decide and record. `/metrics`: what it counted. None writes a ledger entry
 * (SPEC G23). */
export async function listenManagement({
  config,
  log,
  proxies,
  notReady,
  metrics,
}: ManagementParts): Promise<HttpListener> {
  const { host, port } = parseAddress(config.listen.management)
  const app = makeApp(config, log, proxies)
  securityHeaders(app)
  const allowOf = watchVerbs(app)
  app.setNotFoundHandler((request, reply) => {
    const allow = allowOf(request)
    return allow === undefined
      ? sendRefusal(request, reply, refuse('method.unknown', 'no such page'), '')
      : sendProblem(request, reply.header('allow', allow), refuse('method.not_allowed', 'no such use of a page'), '')
  })
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendRefusal(request, reply, refusalOf(error, request, log), ''),
  )
  app.get('/healthz', () => ({ status: 'ok', version }))
  app.get('/readyz', async (_request, reply) => {
    const reason = await notReady()
    if (reason !== undefined) void reply.code(503)
    return reason === undefined ? { status: 'ready' } : { status: 'not_ready', reason }
  })
  if (metrics !== undefined) {
    app.get('/metrics', async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()),
    )
  }
  const bound = new URL(await app.listen({ host, port }))
  return {
    address: formatAddress({ host, port: Number(bound.port) || port }),
    stop: (deadlineMs) => stopApp(app, deadlineMs),
  }
}
