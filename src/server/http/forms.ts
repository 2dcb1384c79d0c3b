import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { refuse, secretsEqual, sha256Hex, type Refusal } from '#core'
import { peerAddress } from '../credentials.ts'
import type { From } from '../people/entries.ts'
import { escape } from './page.ts'

const bodyBytesMax = 16 * 1024
const fieldsMax = 32
const tokenPattern = /^[A-Za-z0-9_-]{43}$/
/** Absolute; idle ones end before it. */
export const sessionSeconds = 12 * 3600
const formSeconds = 12 * 3600

/** The fields of a form, each at most once. */
export type FormFields = ReadonlyMap<string, string>

/** Under https browsers hold us to the prefix: no other host, path or unencrypted page can have set the cookie (RFC 6265bis). */
function cookieName(request: FastifyRequest, name: string): string {
  return request.protocol === 'https' ? `__Host-${name}` : name
}

/** A cookie of ours: 256 random bits, which is all that it may be. Sent twice it is none. */
export function readCookie(request: FastifyRequest, name: string, pattern = tokenPattern): string | undefined {
  const wanted = `${cookieName(request, name)}=`
  const found = (request.headers.cookie ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(wanted))
  const value = found.length === 1 ? found[0]?.slice(wanted.length) : undefined
  return value !== undefined && pattern.test(value) ? value : undefined
}

/** Out of reach of scripts and of other sites; in the browser only (SPEC A8). */
export function setCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  value: string,
  seconds: number,
): void {
  const text = `${cookieName(request, name)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; Secure; SameSite=Lax`
  const before = reply.getHeader('set-cookie')
  void reply.removeHeader('set-cookie')
  void reply.header('set-cookie', [
    ...(Array.isArray(before) ? before : before === undefined ? [] : [String(before)]),
    text,
  ])
}

export const sessionCookie = 'portcullis_session'
const formCookie = 'portcullis_form'

/** The token of the session that the browser says it has. */
export function sessionToken(request: FastifyRequest): string | undefined {
  return readCookie(request, sessionCookie)
}

/** A form that this server answers: its token is bound to the session, or to a cookie that the page brings. */
export function form(request: FastifyRequest, reply: FastifyReply, action: string, fields: string): string {
  let secret = sessionToken(request) ?? readCookie(request, formCookie)
  if (secret === undefined) {
    secret = randomBytes(32).toString('base64url')
    setCookie(request, reply, formCookie, secret, formSeconds)
  }
  // With no-referrer the browser would send `Origin: null`, which says nothing.
  void reply.header('referrer-policy', 'strict-origin')
  return `<form method="post" action="${escape(action)}"><input type="hidden" name="csrf" value="${csrfOf(secret)}">${fields}</form>`
}

/** The fields, where the form came from a page of ours in this browser; else why it did not (SPEC A8). `ownOrigin` is that of the settings. */
export function readForm(request: FastifyRequest, ownOrigin: string): FormFields | Refusal {
  const asAsked = `${request.protocol}://${request.host}`
  const { origin } = request.headers
  if (origin !== asAsked && origin !== ownOrigin)
    return refuse('auth.form_foreign', `the form says that it comes from ${String(origin).slice(0, 200)}`)
  const secret = sessionToken(request) ?? readCookie(request, formCookie)
  if (secret === undefined) return refuse('auth.form_foreign', 'the form came without the cookie of its page')
  if (typeof request.body !== 'string') return refuse('input.malformed', 'no form')
  const pairs = [...new URLSearchParams(request.body)]
  const fields = new Map(pairs)
  if (pairs.length > fieldsMax || fields.size !== pairs.length)
    return refuse('input.malformed', 'too many fields, or one of them twice')
  if (pairs.some(([, value]) => value.includes('\0') || value.includes('\uFFFD')))
    return refuse('input.malformed', 'a field is not text')
  if (!secretsEqual(fields.get('csrf') ?? '', csrfOf(secret)))
    return refuse('auth.form_foreign', 'the token of the form is not the one of the cookie')
  return fields
}

/** Only forms, and small ones: what is registered in there takes nothing else. */
export function takeForms(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: bodyBytesMax },
    (_request, body, done) => done(null, body),
  )
}

/** Names the cookie without saying it. */
function csrfOf(secret: string): string {
  return sha256Hex(`portcullis form ${secret}`)
}

export function from(request: FastifyRequest): From {
  return { remote: peerAddress(request.ip), requestId: request.id }
}
