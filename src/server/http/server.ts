import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { methods } from '@portcullis/contract'
import type { Config } from '#config'
import { formatAddress, parseAddress } from '#core'
import { peerAddress } from '../credentials.ts'
import type { AgentsTls } from '../mtls/agents-tls.ts'
import type { Pipeline } from '../pipeline.ts'
import type { OnFault } from '../transport-faults.ts'
import type { Streams } from '../streams.ts'
import type { TokenFeed } from '../token-feed.ts'
import type { TrustedProxies } from '../trusted-proxies.ts'
import { makeApp, refusalOf, stopApp, type OverBound } from './app.ts'
import { addApps } from './apps.ts'
import { addAudit } from './audit.ts'
import { addPeople } from './people.ts'
import type { PeopleParts } from './people-session.ts'
import { addJobs } from './jobs.ts'
import { addMethods } from './methods.ts'
import { addProblems } from './problems.ts'
import { addOAuth, type OAuthDoor } from './oauth.ts'
import { addOtlp } from './otlp.ts'
import { addTlog } from './tlog.ts'
import { sendProblem, sendRefusal } from './problem.ts'
import { addTokenEvents } from './token-events.ts'
import { securityHeaders } from './security-headers.ts'
import { watchVerbs } from './wrong-verbs.ts'

export interface HttpListener {
  readonly address: string
  stop(deadlineMs: number): Promise<void>
}

interface HttpParts {
  readonly config: Config
  readonly pipeline: Pipeline
  readonly log: Logger
  readonly proxies: TrustedProxies
  readonly people: PeopleParts
  readonly feed: TokenFeed
  readonly streams: Streams
  readonly oauth?: OAuthDoor | undefined
  readonly onFault?: OnFault
  /** The listener for agents, which asks for a client certificate and has no pages for people. */
  readonly agents?: { readonly address: string; readonly tls: AgentsTls } | undefined
}

/** The HTTP door: the API, the pages behind problem types, the console. */
export async function listenHttp({
  config,
  pipeline,
  log,
  proxies,
  people,
  feed,
  streams,
  onFault,
  agents,
  oauth,
}: HttpParts): Promise<HttpListener> {
  let address = agents?.address ?? config.listen.http
  const { host, port } = parseAddress(address)
  const origin = (): string => `${agents === undefined ? 'http' : 'https'}://${address}`
  const overBound: OverBound = async (request, refusal) => {
    const { config: route, url = '' } = request.routeOptions
    const method = route.performs ?? methods.get(url)
    if (method === undefined) return
    const unread = { method, credentials: [], remote: peerAddress(request.ip), requestId: request.id, door: route.door }
    await pipeline.noteUnread({ ...unread, tenantId: undefined }, refusal)
  }
  const app = makeApp(config, log, proxies, origin, overBound, onFault, agents?.tls)
  app.decorateRequest('admission', undefined)
  securityHeaders(app)
  const allowOf = watchVerbs(app)
  const unknown = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const path = request.raw.url?.split('?', 1)[0] ?? ''
    const allow = allowOf(request)
    const wrong = allow === undefined ? undefined : request.method
    const refusal = await pipeline.refuseUnknown(peerAddress(request.ip), path, request.id, wrong)
    if (allow === undefined) return sendRefusal(request, reply, refusal, origin())
    // It is no call yet: also who speaks Connect is told what HTTP says.
    return sendProblem(request, reply.header('allow', allow), refusal, origin())
  }
  // Before the body is read: an unknown method is refused as such whatever it carries.
  app.addHook('onRequest', async (request, reply) => (request.is404 ? unknown(request, reply) : undefined))
  addMethods(app, { pipeline, origin, replyBytesMax: config.limits.http.replyBytes, streams })
  addApps(app, { pipeline, origin, replyBytesMax: config.limits.http.replyBytes })
  addOtlp(app, { pipeline, origin, inflatedBytesMax: config.limits.http.inflatedBytes })
  addJobs(app, { pipeline, origin, replyBytesMax: config.limits.http.replyBytes })
  addTokenEvents(app, { pipeline, origin, feed })
  addAudit(app, { pipeline, origin, replyBytesMax: config.limits.http.replyBytes })
  addTlog(app, {
    pipeline,
    origin,
    replyBytesMax: config.limits.http.replyBytes,
    open: config.audit.checkpoints.public,
    unknown,
  })
  addProblems(app)
  if (oauth !== undefined) addOAuth(app, { ...oauth, origin })
  if (agents === undefined) addPeople(app, people)
  app.setNotFoundHandler(unknown)
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const refusal = refusalOf(error, request, log)
    const known = request.admission === undefined ? refusal : await pipeline.reject(request.admission, refusal)
    return sendRefusal(request, reply, known, origin())
  })
  const bound = new URL(await app.listen({ host, port }))
  address = formatAddress({ host, port: Number(bound.port) || port })
  return { address, stop: (deadlineMs) => stopApp(app, deadlineMs) }
}
