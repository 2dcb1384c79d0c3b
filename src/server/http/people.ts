import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isCode } from '#core'
import type { People } from '../people/people.ts'
import { form, from, sessionCookie, sessionToken, setCookie, takeForms } from './forms.ts'
import { addInteractions } from './interactions.ts'
import { checkedInteraction, formOf, html, say, signedIn, welcome, type PeopleParts } from './people-session.ts'
import { changePasswordPage, homePage, notePage, setPasswordPage, signInPage, type MakeForm } from './people-pages.ts'
import { addUpstream } from './upstream.ts'

const wrong = 'Name, password or tenant is wrong.'
const noPassword = notePage('You have no password here', 'You sign in at the issuer, which also keeps your password.')
const linkOver = notePage(
  'This link is not good any more',
  'It works once and for an hour. Ask whoever made it for another one.',
)

/** The pages for people: signing in and out, passwords, and what apps ask for (SPEC A8, A9). */
export function addPeople(app: FastifyInstance, parts: PeopleParts): void {
  const { people } = parts
  void app.register(async (pages) => {
    takeForms(pages)
    pages.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'))
    pages.addHook('onRequest', async (request, reply) => {
      const waitSeconds = people.waitOf(from(request))
      if (waitSeconds === 0) return undefined
      void reply.code(429).header('retry-after', String(waitSeconds))
      return html(reply, notePage('Slow down', `Try again in ${waitSeconds} seconds.`))
    })
    addInteractions(pages, parts)
    addUpstream(pages, parts)

    pages.get<{ Querystring: { code?: string; interaction?: string } }>('/sign-in', async (request, reply) => {
      const { code, interaction } = request.query
      if (code !== undefined) return signInWithCode(request, reply, code, people)
      return html(reply, signInPage({ ...view(request, reply), interaction: checkedInteraction(interaction) }))
    })

    pages.post('/sign-in', async (request, reply) => {
      const fields = await formOf(request, reply, parts)
      if (fields === undefined) return reply
      const [tenant = '', name = '', password = ''] = ['tenant', 'name', 'password'].map((one) => fields.get(one))
      const interaction = checkedInteraction(fields.get('interaction'))
      const [givenTenant, givenName] = [
        tenant.trim().toLowerCase().slice(0, 63),
        name.trim().toLowerCase().slice(0, 63),
      ]
      const answer = await people.signIn(givenTenant, givenName, password.slice(0, 512), from(request))
      if ('token' in answer) return welcome(request, reply, people, answer.token, interaction)
      const problem = say(reply, answer, wrong)
      return html(
        reply,
        signInPage({ ...view(request, reply), problem, tenant: givenTenant, name: givenName, interaction }),
      )
    })

    pages.get<{ Querystring: { code?: string } }>('/set-password', async (request, reply) => {
      const { code } = request.query
      const whose = isCode(code) ? await people.whoseLink(code, from(request)) : undefined
      if (whose === undefined || !isCode(code)) return html(reply.code(403), linkOver)
      return html(
        reply,
        setPasswordPage({ ...view(request, reply), name: whose.operator.name, tenant: whose.tenant.name, code }),
      )
    })

    pages.post('/set-password', async (request, reply) => {
      const fields = await formOf(request, reply, parts)
      if (fields === undefined) return reply
      const code = fields.get('code')
      const whose = isCode(code) ? await people.whoseLink(code, from(request)) : undefined
      if (whose === undefined || !isCode(code)) return html(reply.code(403), linkOver)
      const password = fields.get('password') ?? ''
      const answer =
        password === fields.get('again')
          ? await people.setFirstPassword(code, password, from(request))
          : { problem: 'The two passwords are not the same.' }
      if ('token' in answer) return welcome(request, reply, people, answer.token)
      const problem =
        'problem' in answer ? chosenBadly(reply, answer.problem) : say(reply, answer, 'The link is not good any more.')
      const { operator, tenant } = whose
      return html(
        reply,
        setPasswordPage({ ...view(request, reply), problem, name: operator.name, tenant: tenant.name, code }),
      )
    })

    pages.get('/password', async (request, reply) => {
      const session = await signedIn(request, people)
      if (session === undefined) return reply.redirect('/sign-in', 303)
      if (session.upstream) return html(reply.code(403), noPassword)
      return html(reply, changePasswordPage(view(request, reply).form, session))
    })

    pages.post('/password', async (request, reply) => {
      const fields = await formOf(request, reply, parts)
      if (fields === undefined) return reply
      const [token, session] = [sessionToken(request), await signedIn(request, people)]
      if (session === undefined || token === undefined) return reply.redirect('/sign-in', 303)
      if (session.upstream) return html(reply.code(403), noPassword)
      const password = fields.get('password') ?? ''
      const answer =
        password === fields.get('again')
          ? await people.changePassword(
              token,
              session,
              (fields.get('old') ?? '').slice(0, 512),
              password,
              from(request),
            )
          : { problem: 'The two passwords are not the same.' }
      if ('token' in answer) return welcome(request, reply, people, answer.token)
      const problem =
        'problem' in answer
          ? chosenBadly(reply, answer.problem)
          : say(reply, answer, 'The password until now is wrong.')
      return html(reply, changePasswordPage(view(request, reply).form, session, problem))
    })

    pages.post('/sign-out', async (request, reply) => {
      const fields = await formOf(request, reply, parts)
      if (fields === undefined) return reply
      const [token, session] = [sessionToken(request), await signedIn(request, people)]
      if (session !== undefined && token !== undefined) await people.signOut(token, session, from(request))
      setCookie(request, reply, sessionCookie, '', 0)
      return reply.redirect('/signed-out', 303)
    })

    pages.get('/signed-out', async (_request, reply) =>
      html(
        reply,
        notePage('You are signed out', 'The session of this browser has ended.', {
          href: '/sign-in',
          text: 'Sign in again',
        }),
      ),
    )

    pages.get('/', async (request, reply) => {
      const session = await signedIn(request, people)
      if (session !== undefined) return html(reply, homePage(view(request, reply).form, session))
      const text =
        'You are not signed in. The first time, open the one-time link that the server printed; `portcullis admin recover` prints a new one.'
      return html(reply, notePage('Portcullis', text, { href: '/sign-in', text: 'Sign in' }))
    })
  })

  function view(request: FastifyRequest, reply: FastifyReply): { form: MakeForm; issuer: string | undefined } {
    return { form: (action, fields) => form(request, reply, action, fields), issuer: parts.upstream?.issuer() }
  }
}

function chosenBadly(reply: FastifyReply, problem: string): string {
  void reply.code(422)
  return problem
}

async function signInWithCode(
  request: FastifyRequest,
  reply: FastifyReply,
  code: string,
  people: People,
): Promise<FastifyReply> {
  const answer = isCode(code) ? await people.signInWithCode(code, from(request)) : undefined
  if (answer !== undefined && 'token' in answer) return welcome(request, reply, people, answer.token)
  const text = 'It works once and for 15 minutes. `portcullis admin recover` prints a new one.'
  return html(reply.code(403), notePage('This sign-in link is not good any more', text))
}
