import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { AuthorizationService, CheckRequestSchema, CheckResponseSchema, type CheckRequest } from '@portcullis/contract'

/** The twin of P2: bare grpc-js that reads the same request and answers a reply of the same shape. Prints its port. */
const server = new Server()
server.register(
  `/${AuthorizationService.typeName}/Check`,
  (call: ServerUnaryCall<CheckRequest, Buffer>, callback: sendUnaryData<Buffer>) => {
    const { action, caller } = call.request
    const reply = create(CheckResponseSchema, { allow: action !== '', ttlSeconds: 5, epoch: '1', caller })
    callback(null, Buffer.from(toBinary(CheckResponseSchema, reply)))
  },
  (reply: Buffer) => reply,
  (bytes: Buffer) => fromBinary(CheckRequestSchema, bytes),
  'unary',
)
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  console.log(JSON.stringify({ grpc: `127.0.0.1:${port}` }))
})
