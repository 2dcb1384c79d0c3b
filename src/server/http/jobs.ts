import { create, type Message } from '@bufbuild/protobuf'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  GetJobRequestSchema,
  JobsService,
  JobState,
  ListDefinitionsRequestSchema,
  ListJobsRequestSchema,
  methodOf,
  type Method,
} from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import { admit, admitHeaders, answerWith, bodyOf, perform, type MethodParts } from './methods.ts'
import { sendRefusal } from './problem.ts'

const { cancel, getJob, listDefinitions, listJobs, trigger } = JobsService.method
const listParameters: ReadonlySet<string> = new Set(['kind', 'state', 'page_size', 'page_token'])
const noParameters: ReadonlySet<string> = new Set()
const idPattern = /^job_/

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The method of the contract behind a route with a path of its own. Fastify itself sets `method`, to the verb. */
    performs?: Method
    /** How calls through it are told of: the route, and the status of what succeeds. */
    door?: { readonly route: string; readonly status: number }
  }
}

/**
 * Jobs under the paths that people look for them (SPEC J1): the same calls as JobsService, through the same gate, with the same JSON.
 * `POST /jobs/{kind}` answers 202 with the address of the job.
 */
export function addJobs(app: FastifyInstance, parts: MethodParts): void {
  addRead(app, parts, '/jobs/definitions', methodOf(listDefinitions), (_, parameters) =>
    only(parameters, noParameters, () => create(ListDefinitionsRequestSchema)),
  )
  addRead(app, parts, '/jobs', methodOf(listJobs), (_, parameters) => only(parameters, listParameters, listMessage))
  addRead(app, parts, '/jobs/:id', methodOf(getJob), (id, parameters) =>
    only(parameters, noParameters, () => create(GetJobRequestSchema, { jobId: id })),
  )
  addWrite(app, parts, 'post', '/jobs/:id', methodOf(trigger), 202, 'kind')
  addWrite(app, parts, 'post', '/jobs/:id/cancel', methodOf(cancel), 200, 'jobId')
  addWrite(app, parts, 'delete', '/jobs/:id', methodOf(cancel), 200, 'jobId')
}

function addRead(
  app: FastifyInstance,
  parts: MethodParts,
  path: string,
  method: Method,
  messageOf: (id: string, parameters: URLSearchParams) => Message | Refusal,
): void {
  const { origin, pipeline } = parts
  const door = { route: path.replace(':id', '{id}'), status: 200 }
  app.get(path, {
    exposeHeadRoute: false,
    config: { performs: method, door },
    onRequest: async (request, reply) => {
      const decided = await admitHeaders(request, reply, method, pipeline)
      return isRefusal(decided) ? sendRefusal(request, reply, decided, origin()) : undefined
    },
    handler: (request, reply) =>
      answerWith(request, reply, method, parts, async (admission) => {
        const checked = await pipeline.checkBody(admission, bodyOf(request))
        if (isRefusal(checked)) return checked
        const message = messageOf(idOf(request), parametersOf(request))
        return isRefusal(message) ? pipeline.reject(checked, message) : pipeline.perform(checked, message, undefined)
      }),
  })
}

function addWrite(
  app: FastifyInstance,
  parts: MethodParts,
  verb: 'post' | 'delete',
  path: string,
  method: Method,
  status: number,
  field: 'kind' | 'jobId',
): void {
  const { origin, pipeline } = parts
  const door = { route: path.replace(':id', field === 'kind' ? '{kind}' : '{id}'), status }
  app[verb](
    path,
    {
      config: { performs: method, door },
      onRequest: async (request, reply) => {
        const decided = await admitBody(request, reply, method, parts)
        return isRefusal(decided) ? sendRefusal(request, reply, decided, origin()) : undefined
      },
    },
    (request, reply) =>
      answerWith(request, reply, method, parts, async (admission) => {
        // What the path names cannot be another one in the body.
        const result = await perform(request, admission, method, pipeline, { [field]: idOf(request) })
        if (!result.refused && status === 202)
          void reply.code(status).header('location', `/jobs/${jobIdOf(result.message)}`)
        return result
      }),
  )
}

/** The path says all that is needed: a body that is not there needs no type. */
function admitBody(
  request: FastifyRequest,
  reply: FastifyReply,
  method: Method,
  { pipeline }: MethodParts,
): Promise<unknown> {
  const { 'content-length': length = '0', 'content-type': type, 'transfer-encoding': chunked } = request.headers
  const bodiless = type === undefined && chunked === undefined && Number(length) === 0
  return bodiless ? admitHeaders(request, reply, method, pipeline) : admit(request, reply, method, pipeline)
}

function jobIdOf(message: Message): string {
  const job: unknown = Reflect.get(message, 'job')
  const id: unknown = typeof job === 'object' && job !== null ? Reflect.get(job, 'id') : ''
  return typeof id === 'string' && idPattern.test(id) ? id : ''
}

function idOf(request: FastifyRequest): string {
  return (request.params as { readonly id?: string }).id ?? ''
}

function parametersOf(request: FastifyRequest): URLSearchParams {
  const { url = '' } = request.raw
  const mark = url.indexOf('?')
  return new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
}

function only(
  given: URLSearchParams,
  allowed: ReadonlySet<string>,
  make: (given: URLSearchParams) => Message | Refusal,
): Message | Refusal {
  const names = [...given.keys()]
  if (!names.some((name, at) => !allowed.has(name) || names.indexOf(name) !== at)) return make(given)
  return invalid(
    allowed.size === 0
      ? 'there are no parameters here'
      : `only ${[...allowed].join(', ')} are parameters here, each once`,
  )
}

function listMessage(given: URLSearchParams): Message | Refusal {
  const [state, size] = [(given.get('state') ?? '').toUpperCase(), given.get('page_size') ?? '']
  const states = new Map(Object.entries(JobState))
  if (state !== '' && !states.has(state))
    return invalid(`state must be one of ${[...states.keys()].slice(1).join(', ').toLowerCase()}`)
  if (!/^\d{0,4}$/.test(size)) return invalid('page_size must be a number from 1 to 1000')
  return create(ListJobsRequestSchema, {
    kind: given.get('kind') ?? '',
    state: states.get(state) ?? JobState.UNSPECIFIED,
    pageSize: Number(size),
    pageToken: given.get('page_token') ?? '',
  })
}

function invalid(detail: string): Refusal {
  return refuse('input.invalid', detail, { detail })
}
