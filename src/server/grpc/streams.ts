import { toBinary, type Message } from '@bufbuild/protobuf'
import { Metadata, type ServerWritableStream } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import type { Method } from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import type { Admission } from '../admissions.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Hearer, Streams } from '../streams.ts'
import { statusOf } from './status.ts'

interface StreamParts {
  readonly pipeline: Pipeline
  readonly streams: Streams
  readonly log: Logger
  readonly admissionOf: (metadata: Metadata) => Admission | undefined
}

type Writable = ServerWritableStream<Buffer, Buffer>

/** A method that answers with a stream: its headers say that it has begun, its status why it ended. */
export function streamHandler(method: Method, { pipeline, streams, log, admissionOf }: StreamParts) {
  return (call: Writable): void => {
    const admission = admissionOf(call.metadata)
    const end = (refusal: Refusal): void => endWith(call, refusal, admission?.call.requestId ?? '')
    // Fails closed: a call that reached its handler without a decision is refused.
    if (admission === undefined) return end(refuse('server.internal', 'not admitted'))
    void begin(call, method, admission, { pipeline, streams }, end).catch((error: unknown) => {
      log.error({ event: 'server.fault', err: error, method: method.path }, 'fault in a gRPC stream')
      end(refuse('server.internal', 'fault'))
    })
  }
}

async function begin(
  call: Writable,
  method: Method,
  admission: Admission,
  { pipeline, streams }: Pick<StreamParts, 'pipeline' | 'streams'>,
  end: (refusal: Refusal) => void,
): Promise<void> {
  const opened = await pipeline.openBytes(admission, call.request, (caller) => streams.full(caller))
  if (isRefusal(opened)) return end(opened)
  const { caller, ownOnly } = admission.decision
  if (caller === undefined) return end(refuse('server.internal', 'nobody'))
  if (call.cancelled) return undefined
  const head = new Metadata()
  head.set('x-request-id', admission.call.requestId)
  call.sendMetadata(head)
  const hearer = new CallHearer(call, method, end)
  const leave = streams.join(admission.call, caller, ownOnly, opened, hearer)
  call.once('cancelled', leave)
  call.once('error', leave)
  return undefined
}

class CallHearer implements Hearer {
  readonly #call: Writable
  readonly #method: Method
  readonly end: (why: Refusal) => void
  #full = false

  constructor(call: Writable, method: Method, end: (why: Refusal) => void) {
    this.#call = call
    this.#method = method
    this.end = end
    call.on('drain', () => {
      this.#full = false
    })
  }

  ready(): boolean {
    return !this.#full && !this.#call.cancelled
  }

  say(message: Message): void {
    const bytes = toBinary(this.#method.output, message)
    this.#full = !this.#call.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }
}

function endWith(call: Writable, refusal: Refusal, requestId: string): void {
  // The way in which a handler of grpc-js ends a stream with a status.
  call.emit('error', statusOf(refusal, requestId))
}
