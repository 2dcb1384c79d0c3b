import fastify, { type FastifyRequest } from 'fastify'
import { expect, it } from 'vitest'
import { watchVerbs } from './wrong-verbs.ts'

const done = () => 'done'

it('G2: the verbs of a path are those of all its routes, read as the router reads it, and none of a path that is not there', async () => {
  const app = fastify({ exposeHeadRoutes: false })
  const allowOf = watchVerbs(app)
  const asked = (method: string, url: string) => ({ method, raw: { url } }) as Pick<FastifyRequest, 'method' | 'raw'>
  app.post('/a.Service/List', done)
  app.get('/jobs/definitions', done)
  app.get('/jobs/:id', done)
  app.route({ method: ['DELETE', 'POST'], url: '/jobs/:id', handler: done })
  app.post('/jobs/:id/cancel', done)
  app.get('/logs/*', { config: { names: (rest) => rest === 'main/checkpoint' } }, done)
  void app.register(async (own) => void own.get('/page', done))
  await app.ready()
  const expected: Readonly<Record<string, string>> = {
    '/a.Service/List': 'POST',
    '/a.Service/Li%73t': 'POST',
    '/aXService/List': '',
    '/a.Service/List/': '',
    '/jobs/definitions': 'DELETE, GET, POST',
    '/jobs/one': 'DELETE, GET, POST',
    '/jobs/one%2Ftwo': 'DELETE, GET, POST',
    '/jobs/one/cancel': 'POST',
    '/jobs/one/two': '',
    [`/jobs/${'x'.repeat(201)}`]: '',
    '/jobs': '',
    '/logs/main/checkpoint': 'GET',
    '/logs/nothing': '',
    '/page': 'GET',
    '/%zz': '',
  }
  for (const [path, verbs] of Object.entries(expected))
    expect([path, allowOf(asked('PUT', `${path}?x=1`)) ?? '']).toEqual([path, verbs])
  // Each of them is taken by the router, and nothing else is.
  for (const path of Object.keys(expected).filter((one) => !one.startsWith('/logs') && one !== '/%zz'))
    for (const method of ['DELETE', 'GET', 'PATCH', 'POST', 'PUT'] as const) {
      const { statusCode } = await app.inject({ method, url: path })
      expect([method, path, statusCode === 200]).toEqual([method, path, expected[path]?.includes(method)])
      if (statusCode === 200) expect(allowOf(asked(method, path))).toBeUndefined()
    }
  await app.close()
})
