import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { TLSSocket } from 'node:tls'
import type { Clock, Refusal } from '#core'
import { addressGroup, limited, type GatePorts } from '#gate'
import type { Authority, Document, Origin } from '#authority'
import { peerAddress } from '../credentials.ts'
import { peerOf } from '../mtls/peer.ts'
import { checkedInteraction } from './people-session.ts'
import { sendRefusal } from './problem.ts'
import { contentPolicy } from './security-headers.ts'

export interface OAuthDoor {
  readonly authority: Authority
  readonly clock: Clock
  readonly buckets: () => Pick<GatePorts, 'failures' | 'addresses'>
  /** Whether what is in memory of apps, people and revocations is young enough to go by, after one more look (SPEC A10, G20). */
  readonly fresh: () => Promise<boolean>
}

interface OAuthRouteParts extends OAuthDoor {
  readonly origin: () => string
}

type Bucket = 'failures' | 'addresses'

interface Route {
  readonly method: 'GET' | 'POST' | 'OPTIONS'
  readonly url: string
  /** What is charged, or looked at, before it is answered. */
  readonly bucket: Bucket
}

const programs = ['token', 'revoke', 'introspect', 'par'].map((name) => `/v1/oauth/${name}`)
const discovery = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']

// prettier-ignore
const routes: readonly Route[] = [
  ...programs.map((url): Route => ({ method: 'POST', url, bucket: 'failures' })),
  ...[...programs, ...discovery].map((url): Route => ({ method: 'OPTIONS', url, bucket: 'addresses' })),
  ...discovery.map((url): Route => ({ method: 'GET', url, bucket: 'addresses' })),
  { method: 'GET',  url: '/v1/oauth/authorize',       bucket: 'addresses' },
  { method: 'GET',  url: '/v1/oauth/authorize/:uid',  bucket: 'addresses' },
  { method: 'GET',  url: '/v1/oauth/logout',          bucket: 'addresses' },
  { method: 'POST', url: '/v1/oauth/logout/confirm',  bucket: 'addresses' },
  { method: 'GET',  url: '/v1/oauth/logout/success',  bucket: 'addresses' },
]

/** The routes of the authorization server (SPEC A1). Its library reads the request itself: no body has been read before. */
export function addOAuth(app: FastifyInstance, parts: OAuthRouteParts): void {
  app.decorate('resourceMetadata', () => `${parts.authority.ownKeys.issuer()}/.well-known/oauth-protected-resource`)
  for (const route of routes) {
    app.route<{ Params: { uid?: string } }>({
      method: route.method,
      url: route.url,
      exposeHeadRoute: false,
      onRequest: async (request, reply) => {
        const refusal = tooMany(request, route.bucket, parts)
        if (refusal !== undefined) return sendRefusal(request, reply, refusal, parts.origin())
        const malformed = route.method === 'POST' ? sloppy(request, route.url) : notText(request)
        if (malformed !== undefined) return malformedReply(reply, malformed)
        const { uid = '' } = request.params
        if (route.url.endsWith(':uid') && checkedInteraction(uid) === undefined)
          return malformedReply(reply, 'no such sign-in')
        if (stateful.has(route.url) && !(await parts.fresh())) return staleReply(reply)
        await pass(request, reply, route.url.replace(':uid', uid), parts)
        return reply
      },
      handler: answered,
    })
  }
  addUserinfo(app, parts)
  document(app, ['/.well-known/jwks.json', '/api/v1/jwks'], () => parts.authority.jwks(), parts)
  document(app, ['/.well-known/oauth-protected-resource'], () => parts.authority.resource(), parts)
}

/** Hands the request over as it came, under its canonical path, and without what proxies say of it. */
async function pass(request: FastifyRequest, reply: FastifyReply, path: string, parts: OAuthRouteParts): Promise<void> {
  const { raw } = request
  const query = raw.url?.indexOf('?') ?? -1
  const issuer = new URL(parts.authority.ownKeys.issuer())
  // Before the headers go that say where it came from.
  const origin = originOf(request, parts.clock)
  for (const name of Object.keys(raw.headers)) if (/^(?:x-)?forwarded/.test(name)) delete raw.headers[name]
  raw.headers['x-forwarded-proto'] = issuer.protocol.slice(0, -1)
  raw.headers['x-forwarded-host'] = issuer.host
  const search = query < 0 ? '' : (raw.url ?? '').slice(query)
  raw.url = `${path}${search}`
  reply.hijack()
  const { raw: response } = reply
  response.setHeader('x-request-id', request.id)
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('x-frame-options', 'DENY')
  response.setHeader('content-security-policy', contentPolicy())
  await parts.authority.handle(raw, response, origin)
  // The rest of a body that was too large is not read.
  if (!raw.complete) raw.socket.destroySoon()
}

export function originOf(request: FastifyRequest, clock: Clock): Origin {
  const { socket } = request.raw
  const peer = peerOf(socket, clock.now())
  return {
    requestId: request.id,
    remote: peerAddress(request.ip),
    certificate: peer === undefined ? undefined : (socket as TLSSocket).getPeerX509Certificate(),
    certificateAuthorized: peer !== undefined && peer.selfSigned !== true,
    certificateSubject: peer?.subject,
    arrivedAt: clock.monotonic(),
  }
}

function tooMany(request: FastifyRequest, bucket: Bucket, { buckets, clock }: OAuthRouteParts): Refusal | undefined {
  const gcra = buckets()[bucket]
  const group = addressGroup(peerAddress(request.ip))
  const waitMs = bucket === 'failures' ? gcra.wait(group, clock.monotonic()) : gcra.take(group, clock.monotonic())
  return waitMs > 0 ? limited(bucket, gcra.rate, waitMs) : undefined
}

const queryless = new Set([...programs, '/v1/oauth/userinfo'])
const single = new Set(['authorization', 'content-type', 'dpop'])

/** What two readers could read differently, and secrets in the query: both are in logs of others by then. */
function sloppy(request: FastifyRequest, url: string): string | undefined {
  if (queryless.has(url) && request.raw.url?.includes('?') === true) return 'the query must be empty'
  const seen = new Set<string>()
  const { rawHeaders } = request.raw
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (!single.has(name)) continue
    if (seen.has(name)) return `the header ${name} must be there once`
    seen.add(name)
  }
  return undefined
}

/** Nobody is known for sure: nothing is given, and nothing said of what was given. */
function staleReply(reply: FastifyReply): FastifyReply {
  return reply
    .code(503)
    .header('cache-control', 'no-store')
    .header('retry-after', '1')
    .header('connection', 'close')
    .type('application/json')
    .send('{"error":"temporarily_unavailable","error_description":"nothing was done; try again"}')
}

/** No parameter of a standard holds NUL, and the database keeps none. */
function notText({ raw }: FastifyRequest): string | undefined {
  return raw.url?.includes('%00') === true ? 'a parameter is not text' : undefined
}

function malformedReply(reply: FastifyReply, description: string): FastifyReply {
  return reply
    .code(400)
    .header('cache-control', 'no-store')
    .header('connection', 'close')
    .type('application/json')
    .send(JSON.stringify({ error: 'invalid_request', error_description: description }))
}

const stateful = new Set(
  routes.filter(({ method, url }) => method !== 'OPTIONS' && !discovery.includes(url)).map(({ url }) => url),
)
const authorizationForm = /^(bearer|dpop) ([\w.~+/-]+=*)$/i

/** Our own: the library knows opaque tokens there, and ours are JWTs. */
function addUserinfo(app: FastifyInstance, parts: OAuthRouteParts): void {
  app.route({
    method: ['GET', 'POST'],
    url: '/v1/oauth/userinfo',
    exposeHeadRoute: false,
    // Whatever a body says, it is not read.
    onRequest: async (request, reply) => {
      const refusal = tooMany(request, 'addresses', parts)
      if (refusal !== undefined) return sendRefusal(request, reply, refusal, parts.origin())
      const sent = sloppy(request, '/v1/oauth/userinfo')
      if (sent !== undefined) return malformedReply(reply, sent)
      const [, scheme = '', token = ''] = authorizationForm.exec(request.headers.authorization ?? '') ?? []
      if (!(await parts.fresh())) return staleReply(reply)
      const { body, challenge, status } = await parts.authority.userinfo({
        method: request.method,
        scheme: scheme === '' ? undefined : scheme.toLowerCase() === 'dpop' ? 'dpop' : 'bearer',
        token,
        proofs: request.headers['dpop'] === undefined ? [] : [String(request.headers['dpop'])],
        thumbprint: peerOf(request.raw.socket, parts.clock.now())?.thumbprint,
        origin: originOf(request, parts.clock),
      })
      if (challenge !== undefined) void reply.header('www-authenticate', challenge)
      if (request.method === 'POST') void reply.header('connection', 'close')
      return reply.code(status).header('cache-control', 'no-store').type('application/json').send(JSON.stringify(body))
    },
    handler: answered,
  })
}

const answered = async (): Promise<never> => {
  throw new Error('the request was answered before its body was read')
}

function document(app: FastifyInstance, urls: readonly string[], make: () => Document, parts: OAuthRouteParts): void {
  for (const url of urls) {
    app.get(url, async (request, reply) => {
      const refusal = tooMany(request, 'addresses', parts)
      if (refusal !== undefined) return sendRefusal(request, reply, refusal, parts.origin())
      const { body, type } = make()
      return reply
        .header('cache-control', 'public, max-age=300')
        .header('access-control-allow-origin', '*')
        .type(type)
        .send(JSON.stringify(body))
    })
  }
}
