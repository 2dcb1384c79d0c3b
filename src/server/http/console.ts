import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { sha256Hex } from '#core'
import { escape, page } from './page.ts'

export interface ConsoleSession {
  readonly operatorName: string
  readonly tenantName: string
}

export interface ConsoleParts {
  /** Spends a one-time code and opens a session, both as SHA-256 in hex; false where the code is not good any more. */
  open(codeDigest: string, sessionDigest: string, remote: string, requestId: string): Promise<boolean>
  find(sessionDigest: string, remote: string): Promise<ConsoleSession | undefined>
}

const cookieName = 'portcullis_session'
const codePattern = /^[A-Za-z0-9_-]{32}$/
const sessionSeconds = 12 * 3600

/** The signed-in page, and the one-time link that leads to it (SPEC M1, A8). */
export function addConsole(app: FastifyInstance, parts: ConsoleParts): void {
  app.get<{ Querystring: { code?: string } }>('/sign-in', async (request, reply) => {
    const { code } = request.query
    const session = randomBytes(32).toString('base64url')
    const good =
      typeof code === 'string' &&
      codePattern.test(code) &&
      (await parts.open(digest(code), digest(session), request.ip, request.id))
    void reply.header('cache-control', 'no-store')
    if (!good) {
      const body = `<p>It works once and for 15 minutes. <code>portcullis admin recover</code> prints a new one.</p>`
      return reply.code(403).type('text/html').send(page('This sign-in link is not good any more', body))
    }
    void reply.header(
      'set-cookie',
      `${cookieName}=${session}; Path=/; Max-Age=${sessionSeconds}; HttpOnly; Secure; SameSite=Lax`,
    )
    return reply.redirect('/', 303)
  })

  app.get('/', async (request, reply) => {
    const token = cookie(request)
    const session = token === undefined ? undefined : await parts.find(digest(token), request.ip)
    void reply.header('cache-control', 'no-store').type('text/html')
    if (session === undefined) {
      return page(
        'Portcullis',
        '<p>You are not signed in. Open the one-time link that the server printed at its first start; <code>portcullis admin recover</code> prints a new one.</p>',
      )
    }
    return page(
      'You are signed in',
      `<dl><dt>Operator</dt><dd>${escape(session.operatorName)}</dd><dt>Tenant</dt><dd>${escape(session.tenantName)}</dd></dl>
       <p>Work from a terminal:</p><pre>npx portcullis agent list\nnpx portcullis key list\nnpx portcullis ledger tail</pre><p><a href="/problems">What the refusals mean</a></p>`,
    )
  })
}

function cookie(request: FastifyRequest): string | undefined {
  const match = new RegExp(`(?:^|; )${cookieName}=([A-Za-z0-9_-]{43})(?:;|$)`).exec(request.headers.cookie ?? '')
  return match?.[1]
}

function digest(text: string): string {
  return sha256Hex(text)
}
