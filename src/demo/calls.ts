import { setTimeout as pause } from 'node:timers/promises'
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { ErrorInfoSchema, StatusSchema } from '@portcullis/contract'
import { uuidv7, type Secret } from '#core'
import type { Channel, PreparedCall, UnaryReply } from './grpc-client.ts'
import type { Tally } from './tally.ts'

/** A refusal as it came over the wire. */
export interface Refused {
  readonly code: string
  readonly message: string
  readonly requestId: string | undefined
  /** What the details say beside the code, such as the amounts of a budget. */
  readonly facts?: Readonly<Record<string, string>>
}

/** A call of the demo that had to succeed and was refused. */
export class DemoRefused extends Error {
  override readonly name = 'DemoRefused'
  readonly method: string
  readonly refused: Refused

  constructor(method: string, refused: Refused) {
    super(`${method}: ${refused.message}`)
    this.method = method
    this.refused = refused
  }
}

/** Who calls. A given idempotency key stands for one piece of work; without it every call is a new one. */
export interface As {
  readonly key: Secret
  readonly idempotencyKey?: string
}

type Outcome<Reply> =
  { readonly reply: Reply; readonly refused?: never } | { readonly refused: Refused; readonly reply?: never }

const triesMax = 10
const waitMaxMs = 3000
// UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED (the same key is still in hand), and no answer at all.
const passing: ReadonlySet<string> = new Set(['14', '4', '10', 'none'])

/** Typed calls over gRPC, counted in the tally. */
export class Calls {
  readonly #channel: Pick<Channel, 'call'>
  readonly #counted: () => void
  readonly tally: Tally

  /** `counted` is told of each answered call. */
  constructor(channel: Pick<Channel, 'call'>, tally: Tally, counted: () => void = () => undefined) {
    this.#channel = channel
    this.#counted = counted
    this.tally = tally
  }

  /** The reply or the refusal. */
  async try<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    message: MessageInitShape<Input>,
    { key, idempotencyKey = uuidv7() }: As,
  ): Promise<Outcome<MessageShape<Output>>> {
    const { reply, sentAgain } = await sendUntilAnswered(this.#channel, {
      path: `/${method.parent.typeName}/${method.name}`,
      headers: { authorization: `Bearer ${key.reveal()}`, 'idempotency-key': idempotencyKey },
      message: toBinary(method.input, create(method.input, message)),
    })
    const refused = reply.status === '0' ? undefined : refusedOf(reply)
    this.tally.count(refused?.code, sentAgain)
    this.#counted()
    return refused === undefined ? { reply: fromBinary(method.output, reply.bytes) } : { refused }
  }

  /** The reply; throws where the call is refused. */
  async must<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    message: MessageInitShape<Input>,
    as: As,
  ): Promise<MessageShape<Output>> {
    const { reply, refused } = await this.try(method, message, as)
    if (refused !== undefined) throw new DemoRefused(`${method.parent.name}/${method.name}`, refused)
    return reply
  }

  /** Makes a call that the server has to refuse with that code; throws where it does anything else. */
  async mustNot<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    message: MessageInitShape<Input>,
    as: As,
    code: string,
  ): Promise<void> {
    const { refused } = await this.try(method, message, as)
    const name = `${method.parent.name}/${method.name}`
    if (refused === undefined) throw new Error(`${name} was allowed and should have been refused with ${code}`)
    if (refused.code !== code) throw new DemoRefused(name, refused)
  }
}

/**
 * Sends a call, and again with the same idempotency key while the server is away, so that the work is done once. The last reply
 * stands, whatever it says.
 */
export async function sendUntilAnswered(
  channel: Pick<Channel, 'call'>,
  call: PreparedCall,
): Promise<{ readonly reply: UnaryReply; readonly sentAgain: number }> {
  for (let tries = 0; ; tries += 1) {
    const reply = await channel.call(call)
    if (!passing.has(reply.status) || tries === triesMax) return { reply, sentAgain: tries }
    await pause(Math.min(waitMaxMs, 50 * 2 ** tries))
  }
}

function refusedOf({ status, details }: UnaryReply): Refused {
  if (details === undefined) {
    const message = status === 'none' ? 'the server does not answer any more' : `gRPC status ${status}`
    return { code: status === 'none' ? 'demo.unreachable' : `grpc.${status}`, message, requestId: undefined }
  }
  const told = fromBinary(StatusSchema, details)
  const info = told.details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((found) => found !== undefined)
  const { metadata: facts = {}, reason: code = `grpc.${status}` } = info ?? {}
  return { code, message: told.message, requestId: facts['requestId'], facts }
}
