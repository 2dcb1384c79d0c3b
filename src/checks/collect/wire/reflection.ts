import type { Collector } from '../collector.ts'
import { askGrpc, type GrpcAnswer } from './grpc.ts'

/** What one version of gRPC reflection answers to "which services are there?". */
export interface ReflectionAnswer {
  readonly version: 'v1' | 'v1alpha'
  readonly answer: GrpcAnswer
  /** The services that it listed; undefined where it sent no list. */
  readonly services?: readonly string[]
}

const versions = ['v1', 'v1alpha'] as const
// Field numbers of grpc/reflection/v1/reflection.proto; both versions have the same.
const fields = { listServices: 7, listServicesResponse: 6, service: 1, name: 1 } as const

export const reflection: Collector<'live', readonly ReflectionAnswer[]> = async (context) => {
  const { BinaryReader, BinaryWriter, WireType } = await import('@bufbuild/protobuf/wire')
  const request = new BinaryWriter().tag(fields.listServices, WireType.LengthDelimited).string('*').finish()
  return Promise.all(
    versions.map(async (version) => {
      const answer = await askGrpc(
        context,
        `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
        request,
      )
      const services = answer.message === undefined ? undefined : servicesOf(answer.message)
      return { version, answer, ...(services === undefined ? {} : { services }) }
    }),
  )

  function servicesOf(message: Uint8Array): readonly string[] | undefined {
    try {
      const [list] = within(message, fields.listServicesResponse)
      if (list === undefined) return undefined
      return within(list, fields.service)
        .flatMap((service) => within(service, fields.name))
        .map((name) => new TextDecoder().decode(name))
    } catch {
      // What cannot be read is no list.
      return undefined
    }
  }

  /** The values of a field that has a length. */
  function within(message: Uint8Array, wanted: number): readonly Uint8Array[] {
    const reader = new BinaryReader(message)
    const found: Uint8Array[] = []
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag()
      if (field === wanted && type === WireType.LengthDelimited) found.push(reader.bytes())
      else reader.skip(type, field)
    }
    return found
  }
}
