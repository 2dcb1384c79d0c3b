import type { FastifyInstance } from 'fastify'

/** On every reply. Pages load nothing from elsewhere and run no inline script. */
export function securityHeaders(app: FastifyInstance): void {
  app.addHook('onSend', async (_request, reply) => {
    void reply.header('x-content-type-options', 'nosniff')
    if (!reply.hasHeader('referrer-policy')) void reply.header('referrer-policy', 'no-referrer')
    void reply.header('x-frame-options', 'DENY')
    if (!reply.hasHeader('content-security-policy')) void reply.header('content-security-policy', contentPolicy())
  })
}

/** Forms go to this server and, where a reply of it leads on to an app, to that origin: browsers hold redirects to it too. */
export function contentPolicy(formsLeadTo?: string): string {
  const targets = formsLeadTo === undefined ? "'self'" : `'self' ${formsLeadTo}`
  return `default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action ${targets}; frame-ancestors 'none'`
}
