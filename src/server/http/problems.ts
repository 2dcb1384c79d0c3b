import type { FastifyInstance } from 'fastify'
import { grpcCodes, refusals, type RefusalCode } from '#core'
import { escape, page, stylePath, styleSheet } from './page.ts'

/** The page behind each problem `type`: `/problems/<code>`, from the one table of refusals (SPEC C3). */
export function addProblems(app: FastifyInstance): void {
  app.get(stylePath, (_request, reply) =>
    reply.type('text/css').header('cache-control', 'max-age=3600').send(styleSheet),
  )
  app.get('/problems', (_request, reply) => {
    const items = Object.entries(refusals).map(
      ([code, row]) => `<dt><a href="/problems/${code}"><code>${code}</code></a></dt><dd>${escape(row.say)}</dd>`,
    )
    return reply.type('text/html').send(page('Problems', `<dl>${items.join('')}</dl>`))
  })
  app.get<{ Params: { code: string } }>('/problems/:code', { config: { names: isCode } }, (request, reply) => {
    const { code } = request.params
    if (!isCode(code)) return reply.callNotFound()
    const { grpc, http, say, help } = refusals[code]
    const body = `<p>${escape(say)}</p><h2>What to do</h2><p>${escape(help)}</p>
      <dl><dt>HTTP status</dt><dd>${http}</dd><dt>gRPC status</dt><dd>${grpc.toUpperCase()} (${grpcCodes[grpc]})</dd></dl>
      <p>An administrator finds the private reason in the ledger under the <code>requestId</code> of the reply.</p><p><a href="/problems">All problems</a></p>`
    return reply.type('text/html').send(page(code, body))
  })
}

function isCode(text: string): text is RefusalCode {
  return Object.hasOwn(refusals, text)
}
