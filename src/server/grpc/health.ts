import { create, toBinary } from '@bufbuild/protobuf'
import { status, type sendUnaryData, type Server, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js'
import { Health, HealthCheckResponse_ServingStatus as Serving, methods } from '@portcullis/contract'
import { readBinary } from '../message-counts.ts'

const { check, watch } = Health.method
const services = new Set(['', ...[...methods.keys()].map((path) => path.slice(1, path.lastIndexOf('/')))])
const lookEveryMs = 1000

/** grpc.health.v1.Health for the whole server and for each service; writes no ledger entry (SPEC G23). */
export function addHealth(server: Server, healthy: () => boolean): void {
  const state = (service: string): Serving =>
    services.has(service) ? (healthy() ? Serving.SERVING : Serving.NOT_SERVING) : Serving.SERVICE_UNKNOWN
  const reply = (value: Serving): Buffer => Buffer.from(toBinary(check.output, create(check.output, { status: value })))
  const serviceOf = (bytes: Buffer): string | undefined => {
    try {
      return readBinary(check.input, bytes).service
    } catch {
      // The caller gets INVALID_ARGUMENT.
      return undefined
    }
  }

  server.register(
    '/grpc.health.v1.Health/Check',
    (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      const service = serviceOf(call.request)
      if (service === undefined)
        return callback({ code: status.INVALID_ARGUMENT, details: 'The request could not be read.' })
      const value = state(service)
      if (value === Serving.SERVICE_UNKNOWN)
        return callback({ code: status.NOT_FOUND, details: 'There is no such service.' })
      return callback(null, reply(value))
    },
    same,
    same,
    'unary',
  )
  server.register(
    `/grpc.health.v1.Health/${watch.name}`,
    (call: ServerWritableStream<Buffer, Buffer>) => {
      const service = serviceOf(call.request) ?? 'unreadable'
      let last = state(service)
      call.write(reply(last))
      const timer = setInterval(() => {
        const now = state(service)
        if (now !== last) call.write(reply(now))
        last = now
      }, lookEveryMs)
      timer.unref()
      call.on('close', () => clearInterval(timer))
      call.on('cancelled', () => clearInterval(timer))
    },
    same,
    same,
    'serverStream',
  )
}

function same(bytes: Buffer): Buffer {
  return bytes
}
