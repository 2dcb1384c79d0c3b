import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Committed, CommitPort, OAuthEvent, Origin, Writes } from './artefacts.ts'
import { redirectAllowed, rememberClients, secretIsGood } from './client.ts'
import { eventOf, lostEvent, said, type Refused } from './events.ts'
import { TokenAnswers, type OwnTokens } from './introspect.ts'
import { metadataExtras } from './metadata.ts'
import type { AppRecord } from './ports.ts'
import { providerSettings, stopped, type ProviderParts } from './provider-settings.ts'
import { RequestWrites } from './request-writes.ts'
import { signingKey } from './provider-key.ts'
import type { KeyRing } from './signing-keys.ts'

export interface RunningProvider {
  readonly ring: KeyRing
  handle(request: IncomingMessage, response: ServerResponse, origin: Origin): Promise<void>
  /** Runs what needs the library outside of its routes; its writes are committed with the event. */
  within<Result>(
    request: IncomingMessage,
    response: ServerResponse,
    origin: Origin,
    work: (
      provider: Provider,
      writes: RequestWrites,
    ) => Promise<{ readonly result: Result; readonly event?: OAuthEvent }>,
  ): Promise<{ readonly result: Result; readonly committed: Committed }>
}

export interface Running extends ProviderParts {
  readonly commits: CommitPort
  readonly tokens: OwnTokens
  /** A fault of ours. */
  readonly fault: (error: unknown, requestId: string) => void
  /** Whether this app, or who says to be one that shows nothing, has asked too often; the answer is the seconds to wait. */
  readonly waitSeconds: (app: AppRecord, remote: string) => number | undefined
}

const refusedEvents = [
  'grant.error',
  'introspection.error',
  'revocation.error',
  'pushed_authorization_request.error',
  'authorization.error',
  'end_session.error',
  'end_session_confirm.error',
  'end_session_success.error',
  'server_error',
] as const

interface Held {
  readonly origin: Origin
  refused?: Refused
}

/**
 * `oidc-provider` behind one file. A request's writes are held back and committed once, with its ledger entry, before the
 * reply leaves: the storage that the library documents lets two replicas redeem one code (SPEC A6).
 */
export async function makeProvider(parts: Running, ring: KeyRing): Promise<RunningProvider> {
  // Loaded when the first request comes: a start has no use for it.
  const { ExternalSigningKey, Provider: Library, errors } = await import('oidc-provider')
  const signingKeys = ring.published.map((key) => signingKey({ ExternalSigningKey }, key))
  // Entered anew for each request: a connection that is used again may carry the context of the request before.
  const requests = new AsyncLocalStorage<RequestWrites>()
  const held = new WeakMap<IncomingMessage, Held>()
  const heldOf = (ctx: { readonly req: IncomingMessage }): Held => {
    const found = held.get(ctx.req)
    if (found === undefined) throw new Error('a request that did not come through the door')
    return found
  }
  const originOf = (ctx: KoaContextWithOIDC): Origin => heldOf(ctx).origin
  const settings = providerSettings(parts, {
    writesNow: () => requests.getStore(),
    originOf,
    ring,
    signingKeys,
    errors,
  })
  const provider = new Library(parts.issuer, settings)
  // The door has taken away what proxies say, and put in the issuer.
  provider.proxy = true
  provider.silent = true
  const tokens = new TokenAnswers(parts)

  rememberClients(provider.Client, parts.apps)
  Object.assign(provider.Client.prototype, {
    compareClientSecret(this: { readonly clientId: string }, secret: string): boolean {
      return secretIsGood(parts.apps.find(this.clientId), secret, parts.nowMs())
    },
    redirectUriAllowed(this: { readonly clientId: string }, uri: string): boolean {
      const app = parts.apps.find(this.clientId)
      return app !== undefined && redirectAllowed(app, uri)
    },
  })

  for (const name of refusedEvents)
    provider.on(name as 'server_error', (ctx, error) => {
      const one = heldOf(ctx)
      one.refused = { error, fault: name === 'server_error' }
      if (name === 'server_error') parts.fault(error, one.origin.requestId)
    })

  provider.use(async (ctx, next) => {
    const writes = new RequestWrites(parts.store, parts.nowMs)
    try {
      await requests.run(writes, next)
      await finish(ctx as unknown as KoaContextWithOIDC, writes)
    } catch (error) {
      parts.fault(error, heldOf(ctx).origin.requestId)
      unavailable(ctx as unknown as KoaContextWithOIDC, 500, 'server_error')
    }
  })

  async function finish(ctx: KoaContextWithOIDC, writes: RequestWrites): Promise<void> {
    const { origin, refused } = unauthenticated(ctx, heldOf(ctx))
    const app = parts.apps.find(ctx.oidc.client?.clientId ?? '')
    const route = ctx.oidc.route
    if (!isText(ctx.oidc.body)) return notText(ctx, refused, app)
    if (refused?.fault === true) return unavailable(ctx, 500, 'server_error')
    if (route === 'discovery') ctx.body = { ...(ctx.body as object), ...metadataExtras(parts) }
    if (ctx.status === 401 && ctx.response.get('www-authenticate') === '')
      ctx.set('www-authenticate', 'Basic realm="portcullis"')
    const own = await tokens.answer(ctx, app, refused, writes)
    await endSessions(ctx, refused, writes)
    withoutScript(ctx, refused, parts.pages)
    const event = own ?? eventOf(ctx, app, refused, writes)
    const charged = event?.error === undefined && programs.has(route)
    const wait = charged && app !== undefined ? parts.waitSeconds(app, origin.remote) : undefined
    if (wait !== undefined) {
      ctx.set('retry-after', String(wait))
      return unavailable(ctx, 429, 'temporarily_unavailable')
    }
    if (event === undefined) {
      if (!writes.isEmpty) answer(ctx, await parts.commits.keep(result(ctx, app, writes), isSignOut(route)))
      return
    }
    if (writes.isEmpty && (event.error !== undefined || event.kind === 'token.introspected'))
      return answer(ctx, await parts.commits.note(origin, event))
    const lost = lostEvent(ctx, event, writes)
    answer(ctx, await parts.commits.commit(origin, event, writes.isEmpty ? undefined : result(ctx, app, writes), lost))
  }

  /** Nothing of it is written. The database keeps no NUL, and no parameter of a standard holds one. */
  async function notText(
    ctx: KoaContextWithOIDC,
    refused: Refused | undefined,
    named: AppRecord | undefined,
  ): Promise<void> {
    // Whoever could not show that it is the app is not the app.
    const app = refused !== undefined && said(refused.error).error === 'invalid_client' ? undefined : named
    const error = { error: 'invalid_request', error_description: 'a parameter is not text' }
    refuse(ctx, 400, error.error, error.error_description)
    const none = new RequestWrites(parts.store, parts.nowMs)
    const event = eventOf(ctx, app, { error, fault: false }, none)
    if (event !== undefined) await parts.commits.note(heldOf(ctx).origin, event)
  }

  function result(ctx: KoaContextWithOIDC, app: AppRecord | undefined, writes: RequestWrites): Writes {
    const subject = ctx.oidc.entities.Account?.accountId ?? ctx.oidc.session?.accountId ?? ''
    const tenant = parts.operators.find(subject)?.tenant ?? app?.tenant
    return resultFor(tenant?.id, writes)
  }

  function resultFor(tenantId: string | undefined, writes: RequestWrites): Writes {
    // A token lives an hour at most, and clocks differ.
    const untilMs = parts.nowMs() + (parts.lifetimes.accessTokenSeconds + 600) * 1000
    return writes.result({ tenantId: tenantId?.slice('ten_'.length) ?? '', untilMs })
  }

  // All of the middleware is there now.
  const answers = provider.callback()
  return {
    ring,
    handle: async (request, response, origin) => {
      held.set(request, { origin })
      await answers(request, response)
    },
    within: async (request, _response, origin, work) => {
      held.set(request, { origin })
      const writes = new RequestWrites(parts.store, parts.nowMs)
      const { result: done, event } = await requests.run(writes, () => work(provider, writes))
      const all = resultFor(parts.operators.find(event?.subject ?? '')?.tenant.id ?? event?.app?.tenant.id, writes)
      if (event === undefined)
        return { result: done, committed: writes.isEmpty ? 'done' : await parts.commits.keep(all, false) }
      const committed = await parts.commits.commit(origin, event, all, event)
      return { result: done, committed }
    },
  }
}

const autoForm = /<form method="post" action="([^"]*)">(.*?)<noscript>/s

/**
 * The library has a page that sends itself by an inline script, which our policy forbids: the person presses a button. It is for
 * signing out, and for an app that wants an error sent by a form, which it does not get.
 */
function withoutScript(ctx: KoaContextWithOIDC, refused: Refused | undefined, pages: ProviderParts['pages']): void {
  if (typeof ctx.body !== 'string' || !ctx.body.includes('<script>')) return
  if (refused !== undefined) {
    const { error_description: description } = refused.error as { readonly error_description?: unknown }
    ctx.body = pages.error(stopped, typeof description === 'string' ? description : 'the request cannot be answered')
    return
  }
  const [, action = '', inputs = ''] = autoForm.exec(ctx.body) ?? []
  ctx.body = pages.goOn(
    `<form method="post" action="${action}">${inputs}<button type="submit">Continue</button></form>`,
  )
}

/** Who shows nothing at all is told to authenticate (RFC 6749, section 5.2); the library calls it malformed. */
function unauthenticated(ctx: KoaContextWithOIDC, held: Held): Held {
  const { client_id: id, client_assertion: assertion } = ctx.oidc.params ?? {}
  const shown = id ?? assertion ?? ctx.headers.authorization
  if (!programs.has(ctx.oidc.route) || held.refused === undefined || held.refused.fault || shown !== undefined)
    return held
  if (ctx.oidc.params === undefined) return held
  const error = { error: 'invalid_client', error_description: 'client authentication is missing' }
  refuse(ctx, 401, error.error, error.error_description)
  return { ...held, refused: { error, fault: false } }
}

const programs = new Set(['token', 'introspection', 'revocation', 'pushed_authorization_request'])

/**
 * Who signs out ends what was granted in that session, with its tokens; who stays signed in, what was granted to the app that
 * asked (SPEC A7).
 */
async function endSessions(
  ctx: KoaContextWithOIDC,
  refused: Refused | undefined,
  writes: RequestWrites,
): Promise<void> {
  const { client, route, session } = ctx.oidc
  if (route !== 'end_session_confirm' || session === undefined || refused !== undefined) return
  if ('destroyed' in session) await writes.endGrantsUnder(session.uid, undefined)
  else if (client !== undefined) await writes.endGrantsUnder(session.uid, client.clientId)
}

function isSignOut(route: string): boolean {
  return route.startsWith('end_session')
}

/** Of the form that was sent: names, and values of which each is a text or a list of them. */
function isText(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return true
  for (const [name, value] of Object.entries(body)) if (name.includes('\0') || holdsNul(value)) return false
  return true
}

function holdsNul(value: unknown): boolean {
  return Array.isArray(value) ? value.some(holdsNul) : typeof value === 'string' && value.includes('\0')
}

/** What was prepared leaves only once it is committed. */
function answer(ctx: KoaContextWithOIDC, committed: Committed): void {
  switch (committed) {
    case 'done':
      return
    case 'full':
    case 'busy':
    case 'unavailable':
      ctx.set('retry-after', committed === 'full' ? '30' : '1')
      return unavailable(ctx, 503, 'temporarily_unavailable')
    case 'replayed': {
      const assertion = ctx.oidc.params?.['client_assertion'] !== undefined
      return assertion
        ? refuse(ctx, 401, 'invalid_client', 'client authentication failed')
        : refuse(ctx, 400, 'invalid_dpop_proof', 'the proof was used before')
    }
    case 'lost':
      return refuse(ctx, 400, 'invalid_grant', 'grant request is invalid')
  }
}

function unavailable(ctx: KoaContextWithOIDC, status: number, error: string): void {
  refuse(ctx, status, error, status === 500 ? 'something went wrong on our side' : 'nothing was done; try again')
}

function refuse(ctx: KoaContextWithOIDC, status: number, error: string, description: string): void {
  for (const name of ['location', 'set-cookie', 'www-authenticate']) ctx.remove(name)
  if (status === 401) ctx.set('www-authenticate', 'Basic realm="portcullis"')
  ctx.status = status
  ctx.type = 'json'
  ctx.set('cache-control', 'no-store')
  ctx.body = { error, error_description: description }
}
