import { fromBinary, type Message } from '@bufbuild/protobuf'
import { isRefusal, refuse, type Caller, type Clock, type Refusal } from '#core'
import { decide, type Allowed, type Call, type GatePorts } from '#gate'
import { bare, handlers, type Effect, type ReaderPort, type RecordedOutcome, type Summary, type WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import type { Floods } from './floods.ts'
import { idempotencyOf } from './idempotency.ts'
import { recordOf } from './record.ts'
import { answerPublic } from './public-reads.ts'

export interface PipelineParts {
  readonly gate: GatePorts
  readonly credentials: { fresh(): boolean; refresh(): Promise<void> }
  readonly writer: WriterPort
  readonly reader: ReaderPort
  readonly floods: Floods
  readonly clock: Clock
  /** A call without a reply by then is answered with bounds.deadline, whatever becomes of its work. */
  readonly replyTimeoutMs: number
  /** A fault, for the log: the caller gets the request id and nothing else (SPEC G19). */
  readonly fault: (error: unknown, call: Call) => void
}

/** A call that the gate has let in; its body has not been read yet. */
export interface Admission {
  readonly call: Call
  readonly decision: Allowed
  /** Monotonic milliseconds. */
  readonly arrivedAt: number
}

export interface Reply {
  readonly refused: false
  readonly message: Message
  /** The message in bytes, where it was encoded on the way. */
  readonly bytes?: Uint8Array | undefined
  /** The stored reply of an earlier call with this idempotency key. */
  readonly replayed: boolean
}

/**
 * One call, end to end: what every door does, whatever the transport. Doors hand over what they know before the body
 * (`admit`), then the decoded message (`perform`), and translate the reply or the refusal.
 */
export class Pipeline {
  readonly #parts: PipelineParts

  constructor(parts: PipelineParts) {
    this.#parts = parts
  }

  /** Decides on the metadata. A refusal has been recorded, or counted with its like, when this resolves. Never rejects. */
  async admit(call: Call): Promise<Admission | Refusal> {
    try {
      return await this.#admit(call)
    } catch (error) {
      this.#parts.fault(error, call)
      return refuse('server.internal', 'fault')
    }
  }

  async #admit(call: Call): Promise<Admission | Refusal> {
    const { clock, credentials, gate } = this.#parts
    const arrivedAt = clock.monotonic()
    if (!credentials.fresh() && call.method.access !== 'public_read') {
      // One look before the refusal: after a stall of this process the state is late, not wrong.
      await credentials.refresh().catch(() => undefined)
    }
    const decision = decide(call, gate)
    if (!decision.refused) return { call, decision, arrivedAt }
    await this.#deny({ call, arrivedAt, caller: decision.caller }, decision.refusal)
    return decision.refusal
  }

  /** Refuses an admitted call for what its body turned out to be: too large, malformed. Never rejects. */
  async reject(admission: Admission, refusal: Refusal): Promise<Refusal> {
    if (!admission.call.method.unrecorded) await this.#deny({ ...admission, caller: admission.decision.caller }, refusal)
    return refusal
  }

  /** Decodes protobuf bytes and performs the call. */
  async performBytes(admission: Admission, bytes: Uint8Array, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    let message: Message
    try {
      message = fromBinary(admission.call.method.input, bytes)
    } catch (error) {
      return this.reject(admission, refuse('input.malformed', `protobuf: ${error instanceof Error ? error.message : String(error)}`))
    }
    return this.perform(admission, message, idempotencyKey)
  }

  /** Never rejects: a fault becomes server.internal with everything private in the log. */
  async perform(admission: Admission, message: Message, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    try {
      return await this.#inTime(this.#perform(admission, message, idempotencyKey))
    } catch (error) {
      this.#parts.fault(error, admission.call)
      return refuse('server.internal', 'fault')
    }
  }

  /** A method that the contract does not have: limited per address, counted, aggregated (SPEC G2). */
  async refuseUnknown(remote: string, path: string): Promise<Refusal> {
    const { clock, floods, gate } = this.#parts
    const waitMs = gate.addresses.take(remote, clock.monotonic())
    const refusal =
      waitMs === 0
        ? refuse('method.unknown', 'method not in the contract')
        : refuse('rate.limited', 'address bucket empty', { retryAfterSeconds: Math.ceil(waitMs / 1000) })
    await floods.unknownMethod(remote, path, refusal)
    return refusal
  }

  #inTime(work: Promise<Reply | Refusal>): Promise<Reply | Refusal> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => resolve(refuse('bounds.deadline', 'limits.replyTimeoutMs passed')), this.#parts.replyTimeoutMs)
      work.then(resolve, reject).finally(() => clearTimeout(late))
    })
  }

  async #perform(admission: Admission, message: Message, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    const { call, decision, arrivedAt } = admission
    const { reader, clock } = this.#parts
    const { caller } = decision
    if (caller === undefined) return answerPublic(call.method, reader)
    const handler = handlers.get(call.method.path)
    if (handler === undefined) throw new Error(`no handler for ${call.method.path}`)
    const args = (): Summary => handler.summary(message)
    const record = (outcome: RecordedOutcome): LedgerRecord => recordOf({ call, caller, args, arrivedAt, clock }, outcome)

    const idempotency = idempotencyOf(call, caller, message, idempotencyKey)
    if (isRefusal(idempotency)) return this.#submitDeny(caller, record, idempotency)
    const acted = handler.act(message, { caller, ownOnly: decision.ownOnly, reader, clock })
    if (acted instanceof Promise) return this.#read(caller, record, acted)
    if (isRefusal(acted)) return this.#submitDeny(caller, record, acted)
    return this.#write(admission, caller, record, acted, idempotency)
  }

  async #write(
    { call }: Admission,
    caller: Caller,
    record: Recorder,
    effect: Effect,
    idempotency: Exclude<ReturnType<typeof idempotencyOf>, Refusal>,
  ): Promise<Reply | Refusal> {
    const result = await this.#parts.writer.submit({
      tenantId: bare(caller.tenant.id),
      effect,
      output: call.method.output,
      record,
      ...(idempotency === undefined ? {} : { idempotency }),
    })
    if (result.refused) return result
    // What was committed holds at once on this replica; the others hear of it by notification.
    if (effect.changesCredentials === true) await this.#parts.credentials.refresh()
    if (result.reply === undefined) throw new Error('a write without a reply')
    return { refused: false, message: result.reply, bytes: result.bytes, replayed: result.replayed }
  }

  /** A read is answered once its entry is committed: no entry, no answer (SPEC L7, `required`). */
  async #read(caller: Caller, record: Recorder, reading: Promise<Message | Refusal>): Promise<Reply | Refusal> {
    const tenantId = bare(caller.tenant.id)
    let found: Message | Refusal
    try {
      found = await reading
    } catch (error) {
      const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
      return this.#submitDeny(caller, record, refuse('store.unavailable', reason, { retryAfterSeconds: 1 }), 'error')
    }
    if (isRefusal(found)) return this.#submitDeny(caller, record, found)
    const recorded = await this.#parts.writer.submit({ tenantId, record })
    if (recorded.refused) return recorded
    return { refused: false, message: found, replayed: false }
  }

  async #submitDeny(
    caller: Caller,
    record: Recorder,
    refusal: Refusal,
    outcome: 'deny' | 'error' = 'deny',
  ): Promise<Refusal> {
    const entry = () => record({ outcome, code: refusal.code, reason: refusal.reason })
    // A deny stays a deny, whether or not it could be written down.
    await this.#parts.writer.submit({ tenantId: bare(caller.tenant.id), record: entry })
    return refusal
  }

  async #deny(denied: { call: Call; arrivedAt: number; caller: Allowed['caller'] }, refusal: Refusal): Promise<void> {
    const { call, arrivedAt, caller } = denied
    const { clock, floods, writer } = this.#parts
    const outcome = { outcome: 'deny', code: refusal.code, reason: refusal.reason } as const
    const record = () => recordOf({ call, caller, args: () => ({}), arrivedAt, clock }, outcome)
    try {
      if (caller === undefined) await floods.anonymous(call.remote, refusal.code, record)
      else await writer.submit({ tenantId: bare(caller.tenant.id), record })
    } catch (error) {
      // A deny stays a deny, whether or not it could be written down.
      this.#parts.fault(error, call)
    }
  }
}

type Recorder = (outcome: RecordedOutcome) => LedgerRecord
