import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider } from 'oidc-provider'
import { publicId, uuidv7 } from '#core'
import type { Committed, Origin } from './artefacts.ts'
import type { AppDirectory, AppRecord, OperatorDirectory } from './ports.ts'
import { mayUse, type OAuthLifetimes } from './provider-settings.ts'
import type { RunningProvider } from './provider.ts'
import type { RequestWrites } from './request-writes.ts'

/** A browser's call of a page of ours, in the middle of an authorization. */
export interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly origin: Origin
}

/** What an app waits for: that a person signs in, or agrees. */
export interface Interaction {
  readonly uid: string
  readonly prompt: 'login' | 'consent'
  readonly app: AppRecord
  /** What the app asks for, `openid` and `offline_access` among them where it does. */
  readonly scopes: readonly string[]
  readonly redirectUri: string
  /** Who is signed in at the authorization server in this browser: `opr_...` */
  readonly operatorId: string | undefined
  /** How long ago the person may have signed in, in milliseconds; 0 is now. Undefined where the app does not mind. */
  readonly signedInWithinMs: number | undefined
  /** How long what is granted lasts at most; undefined for one access token. */
  readonly lastsSeconds: number | undefined
}

export interface Granted {
  /** Where the browser goes on to. */
  readonly location: string
  /** `grn_...`: what the tokens name as `grant_id`. */
  readonly grantId: string
  /** The last token of it has expired then. */
  readonly expiresAtMs: number
}

/** What the pages for people need of the authorization server (SPEC A8). */
export interface Interactions {
  /** Undefined where the visit belongs to none, or it is over. */
  details(visit: Visit): Promise<Interaction | undefined>
  /** Where the browser goes on to; undefined where it could not be stored. */
  finishLogin(visit: Visit, operatorId: string, signedInAtMs: number): Promise<string | undefined>
  /** Grants the scopes that were asked for and that the person holds. */
  finishConsent(visit: Visit, operatorId: string): Promise<Granted | undefined>
  /** The app hears that the person said no. */
  abort(visit: Visit): Promise<string | undefined>
}

interface InteractionParts {
  readonly provider: () => Promise<RunningProvider>
  readonly issuer: () => string
  readonly apps: AppDirectory
  readonly operators: OperatorDirectory
  readonly lifetimes: OAuthLifetimes
  readonly nowMs: () => number
}

export function interactionsOf(parts: InteractionParts): Interactions {
  const { apps, operators } = parts

  async function result(
    visit: Visit,
    work: (provider: Provider, writes: RequestWrites) => Promise<Work>,
  ): Promise<string | undefined> {
    const running = await parts.provider()
    const { result: location, committed } = await running.within(visit.request, visit.response, visit.origin, work)
    return isDone(committed) ? location : undefined
  }

  async function details({ request, response, origin }: Visit): Promise<Interaction | undefined> {
    const running = await parts.provider()
    const { result: found } = await running.within(request, response, origin, async (provider) => ({
      result: await provider.interactionDetails(request, response).catch(nothingFound),
    }))
    if (found === undefined) return undefined
    const { params, prompt, session, uid } = found
    const text = (name: string): string => (typeof params[name] === 'string' ? params[name] : '')
    const app = apps.find(text('client_id'))
    if (app === undefined || (prompt.name !== 'login' && prompt.name !== 'consent')) return undefined
    const scopes = text('scope')
      .split(' ')
      .filter((scope) => scope !== '')
    const lastsSeconds = app.grantTypes.includes('refresh_token') ? parts.lifetimes.refreshSeconds : undefined
    return {
      uid,
      prompt: prompt.name,
      app,
      scopes,
      redirectUri: text('redirect_uri'),
      operatorId: session?.accountId,
      signedInWithinMs: withinOf(prompt, params),
      lastsSeconds,
    }
  }

  return {
    details,
    finishLogin: (visit, operatorId, signedInAtMs) =>
      result(visit, async (provider) => ({
        result: await provider.interactionResult(visit.request, visit.response, {
          login: { accountId: operatorId, remember: true, ts: Math.floor(signedInAtMs / 1000) },
        }),
      })),
    finishConsent: async (visit, operatorId) => {
      const asked = await details(visit)
      const operator = operators.find(operatorId)
      if (asked === undefined || operator === undefined || asked.operatorId !== operatorId) return undefined
      if (!mayUse(operator, asked.app)) return undefined
      const grantId = publicId('grn', uuidv7())
      const { codeSeconds, accessTokenSeconds } = parts.lifetimes
      // The last access token may be given at the end of the last refresh token: until it has expired the grant can be ended.
      const seconds = codeSeconds + (asked.lastsSeconds ?? 0) + accessTokenSeconds
      const expiresAtMs = parts.nowMs() + seconds * 1000
      const location = await result(visit, async (provider, writes) => {
        const { session } = await provider.interactionDetails(visit.request, visit.response)
        if (session === undefined) throw new Error('somebody agrees who is not signed in')
        const grant = new provider.Grant({ accountId: operatorId, clientId: asked.app.id, jti: grantId } as never)
        const identity = asked.scopes.filter(isOfIdentity)
        const held = asked.scopes.filter((scope) => scope === 'openid' || operator.scopes.has(scope))
        const rejected = asked.scopes.filter((scope) => !isOfIdentity(scope) && !held.includes(scope))
        if (identity.length > 0) grant.addOIDCScope(identity.join(' '))
        if (identity.includes('openid')) grant.addOIDCClaims(['name'])
        if (held.length > 0) grant.addResourceScope(parts.issuer(), held.join(' '))
        if (rejected.length > 0) grant.rejectResourceScope(parts.issuer(), rejected.join(' '))
        await grant.save()
        writes.keepUnder(session.uid, { grantId, clientId: asked.app.id }, expiresAtMs)
        return {
          result: await provider.interactionResult(visit.request, visit.response, { consent: { grantId } }),
        }
      })
      return location === undefined ? undefined : { location, grantId, expiresAtMs }
    },
    abort: (visit) =>
      result(visit, async (provider) => ({
        result: await provider.interactionResult(
          visit.request,
          visit.response,
          { error: 'access_denied', error_description: 'the person said no' },
          { mergeWithLastSubmission: false },
        ),
      })),
  }
}

/** What the app says of when the person must have signed in, where that is why somebody has to sign in. */
function withinOf(
  { name, reasons }: { readonly name: string; readonly reasons: readonly string[] },
  { max_age: seconds }: Readonly<Record<string, unknown>>,
): number | undefined {
  const why = reasons.filter((reason) => reason !== 'no_session')
  if (name !== 'login' || why.length === 0) return undefined
  return why.every((reason) => reason === 'max_age') ? Number(seconds) * 1000 || 0 : 0
}

interface Work {
  readonly result: string
}

function isOfIdentity(scope: string): boolean {
  return scope === 'openid' || scope === 'offline_access'
}

function isDone(committed: Committed): boolean {
  return committed === 'done'
}

/** A visit without its cookie, or after its end, is not an error of ours. */
function nothingFound(error: unknown): undefined {
  if (error instanceof Error && error.name === 'SessionNotFound') return undefined
  throw error
}
