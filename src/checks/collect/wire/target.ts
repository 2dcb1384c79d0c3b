import type { Collector } from '../collector.ts'
import type { GrpcTarget } from './live-context.ts'
import { askGrpc, grpcStatus, type GrpcAnswer } from './grpc.ts'
import { askHttp, type HttpAnswer } from './http.ts'

/** Whether a Portcullis answers at the HTTP address: the positive control of every probe. */
export type Target =
  | { readonly is: 'portcullis'; readonly port: number; readonly version: string }
  | { readonly is: 'no'; readonly why: string }

const service = '/portcullis.v1.HubService'
// No contract of ours has it: what says yes to this says yes to everything.
const absentMethod = `${service}/NoSuchMethod`

export const target: Collector<'live', Target> = async (context) => {
  const ask = (path: string): Promise<HttpAnswer> =>
    askHttp(context, { method: 'POST', url: new URL(path, context.url), body: '{}' })
  const [health, absent] = await Promise.all([ask(`${service}/GetHealth`), ask(absentMethod)])
  const no = (why: string): Target => ({ is: 'no', why: `${context.url.host}: ${why}.` })
  if (health.kind === 'silence') return no(health.why)
  if (absent.kind === 'silence') return no(absent.why)
  if (health.status === absent.status) return no(`every request is answered alike, with ${health.status}`)
  const version = health.json?.['version']
  if (health.status !== 200 || typeof health.json?.['status'] !== 'string' || typeof version !== 'string')
    return no('what answers there is no Portcullis')
  if (absent.status !== 404) return no(`a method that does not exist is answered with ${absent.status}`)
  const { port, protocol } = context.url
  return { is: 'portcullis', version, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}

/** What the gRPC address says to calls whose answer is known beforehand. */
export interface GrpcDoor {
  readonly grpc: GrpcTarget
  /** It serves a health method, ours or the standard one: something that speaks gRPC is there and works. */
  readonly alive: boolean
  readonly health: GrpcAnswer
  /** To a method that does not exist. */
  readonly absent: GrpcAnswer
}

export const grpcDoor: Collector<'live', GrpcDoor> = async (context) => {
  const nothing = new Uint8Array()
  const [own, standard, absent] = await Promise.all([
    askGrpc(context, `${service}/GetHealth`, nothing),
    askGrpc(context, '/grpc.health.v1.Health/Check', nothing),
    askGrpc(context, absentMethod, nothing),
  ])
  const alive = [own, standard].some(({ code }) => code === grpcStatus.ok)
  return { grpc: context.grpc, alive, health: own, absent }
}

const managementPort = 9091

/** What answers where the management listener usually is. */
export interface Management {
  readonly port: number
  /** Of the instance that it belongs to; undefined where nothing of ours answers. */
  readonly version: string | undefined
}

export const management: Collector<'live', Management> = async (context) => {
  const url = new URL('/healthz', `http://${context.url.hostname}:${managementPort}`)
  const answer = await askHttp(context, { method: 'GET', url })
  const version = answer.kind === 'reply' && answer.status === 200 ? answer.json?.['version'] : undefined
  return { port: managementPort, version: typeof version === 'string' ? version : undefined }
}

/** Why the gRPC address cannot be judged; undefined where it can. */
export function doorProblem(found: Target, { grpc, alive, health, absent }: GrpcDoor): string | undefined {
  const { address, named } = grpc
  // A port that nobody named is believed only beside a Portcullis.
  if (!named && found.is === 'no')
    return `Nothing recognised there, so ${address} was not believed either. ${found.why}`
  if (absent.code === grpcStatus.ok) return `${address}: a method that does not exist is answered with OK.`
  if (alive) return undefined
  const hint = named ? '' : ' Name the address with --grpc where it is another one.'
  return `${address}: no gRPC server answers a health call there (${health.status}).${hint}`
}
