import { create } from '@bufbuild/protobuf'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { IdentityService, ListAppsRequestSchema, methodOf } from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import { admit, admitHeaders, answer, answerWith, bodyOf, type MethodParts } from './methods.ts'
import { sendRefusal } from './problem.ts'

const { createApp, listApps, rotateAppSecret } = IdentityService.method
const parameters: ReadonlySet<string> = new Set(['name', 'page_size', 'page_token'])

/**
 * OAuth apps under the paths that people look for them (SPEC A5): `GET` and `POST /v1/oauth/apps`, `POST /v1/oauth/apps/{id}/rotate-secret`.
 * The same calls as IdentityService.ListApps, CreateApp and RotateAppSecret, through the same gate, with the same JSON.
 */
export function addApps(app: FastifyInstance, parts: MethodParts): void {
  const { origin, pipeline } = parts
  const [made, listed, rotated] = [methodOf(createApp), methodOf(listApps), methodOf(rotateAppSecret)]
  app.post(
    '/v1/oauth/apps',
    {
      onRequest: async (request, reply) => {
        const refusal = await admit(request, reply, made, pipeline)
        return refusal === undefined ? undefined : sendRefusal(request, reply, refusal, origin())
      },
    },
    (request, reply) => answer(request, reply, made, parts),
  )
  app.post(
    '/v1/oauth/apps/:id/rotate-secret',
    {
      onRequest: async (request, reply) => {
        const refusal = await admit(request, reply, rotated, pipeline)
        return refusal === undefined ? undefined : sendRefusal(request, reply, refusal, origin())
      },
    },
    // What the path names cannot be another one in the body.
    (request, reply) =>
      answer(request, reply, rotated, parts, { appId: (request.params as { readonly id: string }).id }),
  )
  app.get('/v1/oauth/apps', {
    exposeHeadRoute: false,
    onRequest: async (request, reply) => {
      const decided = await admitHeaders(request, reply, listed, pipeline)
      return isRefusal(decided) ? sendRefusal(request, reply, decided, origin()) : undefined
    },
    handler: (request, reply) => {
      const message = listMessage(request)
      return answerWith(request, reply, listed, parts, async (admission) => {
        const checked = await pipeline.checkBody(admission, bodyOf(request))
        if (isRefusal(checked)) return checked
        return isRefusal(message) ? pipeline.reject(checked, message) : pipeline.perform(checked, message, undefined)
      })
    },
  })
}

function listMessage(request: FastifyRequest) {
  const { url = '' } = request.raw
  const mark = url.indexOf('?')
  const given = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  const names = [...given.keys()]
  if (names.some((name, at) => !parameters.has(name) || names.indexOf(name) !== at))
    return invalid(`only ${[...parameters].join(', ')} are parameters here, each once`)
  const size = given.get('page_size') ?? ''
  if (!/^\d{0,4}$/.test(size)) return invalid('page_size must be a number from 1 to 1000')
  return create(ListAppsRequestSchema, {
    name: given.get('name') ?? '',
    pageSize: Number(size),
    pageToken: given.get('page_token') ?? '',
  })
}

function invalid(detail: string): Refusal {
  return refuse('input.invalid', detail, { detail })
}
