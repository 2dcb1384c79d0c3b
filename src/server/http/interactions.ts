import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Visit } from '#authority'
import { commandLineId } from '#core'
import { form, from } from './forms.ts'
import { consentPage, notePage } from './people-pages.ts'
import { formOf, html, signedIn, type PeopleParts } from './people-session.ts'
import { contentPolicy } from './security-headers.ts'

/** An app that asks for somebody to sign in again means now, and not this morning. */
const recentMs = 5 * 60_000

const ofIdentity = new Set(['openid', 'offline_access'])

const over = notePage(
  'This sign-in is over',
  'It took too long, was finished already, or began in another browser. Start it again where you began.',
)
const unavailable = notePage('That could not be written down', 'Nothing was done. Try again in a moment.')

/** What an app asks a person for: to sign in, then to agree (SPEC A8). */
export function addInteractions(app: FastifyInstance, parts: PeopleParts): void {
  const { people, interactions, operators } = parts
  if (interactions === undefined) return
  const path = '/v1/oauth/interaction/:uid'

  app.get<{ Params: { uid: string } }>(path, async (request, reply) => {
    const asked = await interactions.details(visit(request, reply))
    if (asked === undefined || asked.uid !== request.params.uid) return html(reply.code(404), over)
    const session = await signedIn(request, people)
    const within = asked.signedInWithinMs
    const old = within !== undefined && Date.now() - (session?.signedInAtMs ?? 0) > Math.max(recentMs, within)
    if (session === undefined || old) return reply.redirect(`/sign-in?interaction=${asked.uid}`, 303)
    if (asked.prompt === 'login' || asked.operatorId !== session.operator.id) {
      const location = await interactions.finishLogin(visit(request, reply), session.operator.id, session.signedInAtMs)
      return location === undefined ? html(reply.code(503), unavailable) : reply.redirect(location, 303)
    }
    // The reply to the form leads on to the app, and browsers hold that to the policy of the page.
    const goesTo = new URL(asked.redirectUri).origin
    void reply.header('content-security-policy', contentPolicy(goesTo))
    const held = operators.find(session.operator.id)?.scopes
    const scopes = asked.scopes.filter((scope) => ofIdentity.has(scope) || held?.has(scope) === true)
    const tenant = asked.app.id === commandLineId ? undefined : asked.app.tenant.name
    const { uid, lastsSeconds } = asked
    const view = { uid, app: asked.app.name, tenant, scopes, goesTo, lastsSeconds }
    return html(
      reply,
      consentPage((action, fields) => form(request, reply, action, fields), session, view),
    )
  })

  app.post<{ Params: { uid: string } }>(path, async (request, reply) => {
    const fields = await formOf(request, reply, parts)
    if (fields === undefined) return reply
    const asked = await interactions.details(visit(request, reply))
    const session = await signedIn(request, people)
    const { uid } = request.params
    if (asked === undefined || asked.uid !== uid || asked.prompt !== 'consent') return html(reply.code(404), over)
    if (session === undefined || session.operator.id !== asked.operatorId)
      return reply.redirect(`/v1/oauth/interaction/${asked.uid}`, 303)
    if (fields.get('decision') !== 'allow') {
      const location = await interactions.abort(visit(request, reply))
      return location === undefined ? html(reply.code(503), unavailable) : reply.redirect(location, 303)
    }
    const granted = await interactions.finishConsent(visit(request, reply), session.operator.id)
    if (granted === undefined) return html(reply.code(503), unavailable)
    const { grantId, expiresAtMs, location } = granted
    const started = await people.startAppSession(session, { appId: asked.app.id, grantId, expiresAtMs }, from(request))
    // Without its session nobody could end it: the browser does not go on, and the app gets no code.
    return started ? reply.redirect(location, 303) : html(reply.code(503), unavailable)
  })
}

function visit(request: FastifyRequest, reply: FastifyReply): Visit {
  const origin = {
    ...from(request),
    certificate: undefined,
    certificateAuthorized: false,
    certificateSubject: undefined,
    arrivedAt: performance.now(),
  }
  return { request: request.raw, response: reply.raw, origin }
}
