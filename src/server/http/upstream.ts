import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { from, readCookie, setCookie } from './forms.ts'
import { checkedInteraction, html, say, welcome, type PeopleParts } from './people-session.ts'
import { notePage } from './people-pages.ts'

const callbackPath = '/sign-in/upstream/callback'
const cookie = 'portcullis_upstream'
const waitSeconds = 600
// The seed, and the sign-in of an app that waits for it.
const cookieForm = /^([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9_-]{16,64}))?$/

/** Sign-in at another issuer. All that must come back is derived from one cookie, which is good for one return. */
export function addUpstream(app: FastifyInstance, { people, upstream, origin }: PeopleParts): void {
  if (upstream === undefined) return

  app.get<{ Querystring: { interaction?: string } }>('/sign-in/upstream', async (request, reply) => {
    const seed = randomBytes(32).toString('base64url')
    const interaction = checkedInteraction(request.query.interaction)
    const location = await upstream.begin(seed, `${origin()}${callbackPath}`)
    if (location === undefined)
      return html(
        reply.code(503),
        notePage('The issuer cannot be reached', 'Try again in a moment, or sign in with a password.'),
      )
    setCookie(request, reply, cookie, interaction === undefined ? seed : `${seed}.${interaction}`, waitSeconds)
    return reply.redirect(location, 303)
  })

  app.get(callbackPath, async (request, reply) => {
    const [, seed, interaction] = cookieForm.exec(readCookie(request, cookie, cookieForm) ?? '') ?? []
    setCookie(request, reply, cookie, '', 0)
    const address = new URL(request.raw.url ?? '', origin())
    const ask = async (): Promise<string | undefined> =>
      seed === undefined ? undefined : upstream.finish(seed, address)
    const answer = await people.signInAs(ask, from(request))
    if ('token' in answer) return welcome(request, reply, people, answer.token, interaction)
    const problem = say(reply, answer, 'The issuer did not say who you are, or nobody here is that.')
    return html(reply, notePage('You are not signed in', problem, { href: '/sign-in', text: 'Sign in' }))
  })
}
