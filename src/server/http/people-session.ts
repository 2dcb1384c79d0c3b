import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Interactions, OperatorDirectory, Upstream } from '#authority'
import { isRefusal, refusals, type Refusal } from '#core'
import type { LiveSession } from '#store'
import type { People, SignInAnswer } from '../people/people.ts'
import { from, readForm, sessionCookie, sessionSeconds, sessionToken, setCookie } from './forms.ts'
import { notePage } from './people-pages.ts'

export interface PeopleParts {
  readonly people: People
  readonly operators: OperatorDirectory
  /** Where people reach this server. */
  readonly origin: () => string
  /** Absent where no tokens are issued here. */
  readonly interactions?: Interactions | undefined
  /** Absent where people sign in here only. */
  readonly upstream?: UpstreamPort | undefined
}

/** Where people sign in instead of here (SPEC A9). */
export interface UpstreamPort extends Pick<Upstream, 'begin' | 'finish'> {
  /** Its name, for people. */
  issuer(): string
}

const interactionPattern = /^[A-Za-z0-9_-]{16,64}$/

/** The fields of a form of ours; else the reply has been sent. */
export async function formOf(
  request: FastifyRequest,
  reply: FastifyReply,
  { people, origin }: Pick<PeopleParts, 'people' | 'origin'>,
): Promise<ReadonlyMap<string, string> | undefined> {
  const fields = readForm(request, origin())
  if (!isRefusal(fields)) return fields
  await people.refuseForm(request.routeOptions.url ?? '', fields, from(request))
  await html(reply.code(refusals[fields.code].http), refusedPage(fields))
  return undefined
}

export async function signedIn(request: FastifyRequest, people: People): Promise<LiveSession | undefined> {
  const token = sessionToken(request)
  return token === undefined ? undefined : people.session(token)
}

/** A new cookie with every sign-in: nobody can have put theirs there before. */
export async function welcome(
  request: FastifyRequest,
  reply: FastifyReply,
  people: People,
  token: string,
  interaction?: string,
): Promise<FastifyReply> {
  const [old, session] = [sessionToken(request), await signedIn(request, people)]
  if (old !== undefined && session !== undefined) await people.signOut(old, session, from(request))
  setCookie(request, reply, sessionCookie, token, sessionSeconds)
  return reply.redirect(interaction === undefined ? '/' : `/v1/oauth/interaction/${interaction}`, 303)
}

export function html(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/html').send(text)
}

/** What the page says of a sign-in that failed, with the status of the reply. */
export function say(reply: FastifyReply, answer: Exclude<SignInAnswer, { token: string }>, failed: string): string {
  if ('waitSeconds' in answer) {
    void reply.code(429).header('retry-after', String(answer.waitSeconds))
    return `Too many attempts. Wait ${answer.waitSeconds} seconds and try again.`
  }
  void reply.code(answer.failed === 'busy' ? 503 : 403)
  if (answer.failed === 'wrong') return failed
  void reply.header('retry-after', '2')
  return 'The server is busy. Nothing was done; try again in a moment.'
}

export function checkedInteraction(text: string | undefined): string | undefined {
  return text !== undefined && interactionPattern.test(text) ? text : undefined
}

function refusedPage({ code }: Refusal): string {
  const { say: said, help } = refusals[code]
  return notePage(said.replace(/\.$/, ''), help, { href: '/sign-in', text: 'Sign in' })
}
