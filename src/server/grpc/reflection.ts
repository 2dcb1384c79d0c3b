import { create, toBinary, type DescFile } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { status, type Server, type ServerDuplexStream } from '@grpc/grpc-js'
import { Health, methods, ServerReflection, ServerReflectionV1Alpha } from '@portcullis/contract'
import { readBinary } from '../message-counts.ts'

/** grpc.reflection v1 and v1alpha over the descriptors of the contract. Off unless the configuration turns it on (SPEC G18). */
export function addReflection(server: Server): void {
  const files = allFiles([...new Set([...methods.values()].map(({ input }) => input.file)), Health.file])
  const services = [
    ...new Set([...methods.keys()].map((path) => path.slice(1, path.lastIndexOf('/')))),
    Health.typeName,
  ].toSorted()
  for (const service of [ServerReflection, ServerReflectionV1Alpha]) {
    const { input, output, name } = service.method.serverReflectionInfo
    server.register(
      `/${service.typeName}/${name}`,
      (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (bytes: Buffer) => {
          try {
            const originalRequest = readBinary(input, bytes)
            const messageResponse = answer(originalRequest.messageRequest, files, services)
            const reply = create(output, {
              validHost: originalRequest.host,
              originalRequest,
              messageResponse,
            } as Parameters<typeof create<typeof output>>[1])
            call.write(Buffer.from(toBinary(output, reply)))
          } catch {
            call.emit('error', { code: status.INVALID_ARGUMENT, details: 'The request could not be read.' })
          }
        })
        call.on('end', () => call.end())
      },
      same,
      same,
      'bidi',
    )
  }
}

type Asked = { readonly case: string | undefined; readonly value?: unknown }

function answer(asked: Asked, files: ReadonlyMap<string, DescFile>, services: readonly string[]): object {
  if (asked.case === 'listServices') {
    return { case: 'listServicesResponse', value: { service: services.map((name) => ({ name })) } }
  }
  const file =
    asked.case === 'fileByFilename'
      ? files.get(String(asked.value))
      : asked.case === 'fileContainingSymbol'
        ? [...files.values()].find((one) => declares(one, String(asked.value)))
        : undefined
  if (file === undefined)
    return { case: 'errorResponse', value: { errorCode: status.NOT_FOUND, errorMessage: 'not found' } }
  const closure = [...allFiles([file]).values()].map((one) => toBinary(FileDescriptorProtoSchema, one.proto))
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: closure } }
}

function declares(file: DescFile, symbol: string): boolean {
  const inService = file.services.some(
    (service) =>
      service.typeName === symbol || service.methods.some((method) => `${service.typeName}.${method.name}` === symbol),
  )
  return (
    inService ||
    file.messages.some((message) => message.typeName === symbol) ||
    file.enums.some((one) => one.typeName === symbol)
  )
}

/** The files with all that they import, by file name; each one before what it imports. */
function allFiles(roots: readonly DescFile[]): ReadonlyMap<string, DescFile> {
  const seen = new Set<string>()
  const found: DescFile[] = []
  const visit = (file: DescFile): void => {
    if (seen.has(file.proto.name)) return
    seen.add(file.proto.name)
    file.dependencies.forEach(visit)
    found.push(file)
  }
  roots.forEach(visit)
  return new Map(found.toReversed().map((file) => [file.proto.name, file]))
}

function same(bytes: Buffer): Buffer {
  return bytes
}
