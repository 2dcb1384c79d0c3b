import { setTimeout as delay } from 'node:timers/promises'
import { fromBinary, type Message } from '@bufbuild/protobuf'
import { isRefusal, refuse, type Caller, type Clock, type Refusal } from '#core'
import { decide, type Allowed, type Call, type GatePorts } from '#gate'
import { bare, handlers, type Effect, type ReaderPort, type RecordedOutcome, type Summary, type WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import type { Floods } from './floods.ts'
import { idempotencyOf } from './idempotency.ts'
import { recordOf } from './record.ts'
import { answerPublic } from './public-reads.ts'

const lateLookMs = 1000

export interface PipelineParts {
  readonly gate: GatePorts
  readonly credentials: { fresh(): boolean; refresh(): Promise<void> }
  readonly writer: WriterPort
  readonly reader: ReaderPort
  readonly floods: Floods
  readonly clock: Clock
  /** A fault, for the log: the caller gets the request id and nothing else (SPEC G19). */
  readonly fault: (error: unknown, call?: Call) => void
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

  /**
   * Decides on the metadata: at once where the call is let in; a refusal has been recorded, or counted with its like, when its
   * promise resolves. Never rejects.
   */
  admit(call: Call): Admission | Promise<Admission | Refusal> {
    const { clock, credentials, gate } = this.#parts
    const arrivedAt = clock.monotonic()
    try {
      if (!credentials.fresh() && call.method.access !== 'public_read') return this.#admitLate(call, arrivedAt)
      const decision = decide(call, gate)
      if (!decision.refused) return { call, decision, arrivedAt }
      return this.#refuse({ call, arrivedAt, caller: decision.caller }, decision.refusal)
    } catch (error) {
      this.#parts.fault(error, call)
      return Promise.resolve(refuse('server.internal', 'fault'))
    }
  }

  /** One look at the credentials before the refusal: after a stall of this process their state is late, not wrong. */
  async #admitLate(call: Call, arrivedAt: number): Promise<Admission | Refusal> {
    const { credentials, gate } = this.#parts
    try {
      const over = new AbortController()
      const late = delay(lateLookMs, undefined, { ref: false, signal: over.signal })
      await Promise.race([credentials.refresh(), late]).catch(() => undefined)
      over.abort()
      late.catch(() => undefined)
      const decision = decide(call, gate)
      if (!decision.refused) return { call, decision, arrivedAt }
      const recorded = this.#refuse({ call, arrivedAt, caller: decision.caller }, decision.refusal)
      // While the store is away nothing can be written down: the caller hears of it now and not after the writer gave up.
      return decision.refusal.code === 'store.unavailable' ? decision.refusal : await recorded
    } catch (error) {
      this.#parts.fault(error, call)
      return refuse('server.internal', 'fault')
    }
  }

  async #refuse(denied: Denied, refusal: Refusal, outcome: 'deny' | 'error' = 'deny'): Promise<Refusal> {
    await this.#deny(denied, refusal, outcome)
    return refusal
  }

  /** Refuses an admitted call for what its body turned out to be: too large, malformed. Never rejects. */
  async reject(admission: Admission, refusal: Refusal): Promise<Refusal> {
    if (admission.call.method.unrecorded) return refusal
    return this.#refuse({ ...admission, caller: admission.decision.caller }, refusal)
  }

  /** Records a refusal that came before the credential was looked at; a flood of them is counted. Never rejects. */
  async noteUnread(call: Call, refusal: Refusal): Promise<void> {
    if (call.method.unrecorded) return
    await this.#deny({ call, arrivedAt: this.#parts.clock.monotonic(), caller: undefined }, refusal)
  }

  /** Decodes protobuf bytes and performs the call. */
  performBytes(admission: Admission, bytes: Uint8Array, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    let message: Message
    try {
      message = fromBinary(admission.call.method.input, bytes)
    } catch (error) {
      return this.reject(
        admission,
        refuse('input.malformed', `protobuf: ${error instanceof Error ? error.message : String(error)}`),
      )
    }
    return this.perform(admission, message, idempotencyKey)
  }

  /** Never rejects: a fault becomes server.internal with everything private in the log. */
  async perform(admission: Admission, message: Message, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    try {
      return await this.#perform(admission, message, idempotencyKey)
    } catch (error) {
      this.#parts.fault(error, admission.call)
      const refusal = refuse('server.internal', 'fault')
      if (admission.call.method.unrecorded) return refusal
      return this.#refuse({ ...admission, caller: admission.decision.caller }, refusal, 'error')
    }
  }

  /** A method that the contract does not have: limited per address, counted, aggregated (SPEC G2). Never rejects. */
  async refuseUnknown(remote: string, path: string): Promise<Refusal> {
    const { clock, floods, gate } = this.#parts
    const waitMs = gate.addresses.take(remote, clock.monotonic())
    const refusal =
      waitMs === 0
        ? refuse('method.unknown', 'method not in the contract')
        : refuse('rate.limited', 'address bucket empty', { retryAfterSeconds: Math.ceil(waitMs / 1000) })
    try {
      await floods.unknownMethod(remote, path, refusal)
    } catch (error) {
      this.#parts.fault(error)
    }
    return refusal
  }

  #perform(admission: Admission, message: Message, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    const { call, decision, arrivedAt } = admission
    const { reader, clock } = this.#parts
    const { caller } = decision
    if (caller === undefined) return answerPublic(call.method, reader)
    const handler = handlers.get(call.method.path)
    if (handler === undefined) throw new Error(`no handler for ${call.method.path}`)
    const args = (): Summary => handler.summary(message)
    const record = (outcome: RecordedOutcome): LedgerRecord =>
      recordOf({ call, caller, args, arrivedAt, clock }, outcome)

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
    // It is done, and said so, also where the look fails: then this replica hears of it as the others do, or goes stale.
    if (effect.changesCredentials === true) {
      await this.#parts.credentials.refresh().catch((error: unknown) => this.#parts.fault(error, call))
    }
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

  async #deny(
    { call, arrivedAt, caller }: Denied,
    refusal: Refusal,
    outcome: 'deny' | 'error' = 'deny',
  ): Promise<void> {
    const { clock, floods, writer } = this.#parts
    const told = { outcome, code: refusal.code, reason: refusal.reason }
    const record = () => recordOf({ call, caller, args: () => ({}), arrivedAt, clock }, told)
    try {
      if (caller === undefined) await floods.anonymous(call.remote, refusal.code, record)
      else await writer.submit({ tenantId: bare(caller.tenant.id), record })
    } catch (error) {
      // A deny stays a deny, whether or not it could be written down.
      this.#parts.fault(error, call)
    }
  }
}

interface Denied {
  readonly call: Call
  readonly arrivedAt: number
  readonly caller: Allowed['caller']
}

type Recorder = (outcome: RecordedOutcome) => LedgerRecord
