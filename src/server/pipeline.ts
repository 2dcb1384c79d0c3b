import { setTimeout as delay } from 'node:timers/promises'
import { fromBinary, type Message } from '@bufbuild/protobuf'
import {
  isRefusal,
  noServices,
  refuse,
  type Caller,
  type Clock,
  type Refusal,
  type RefusalCode,
  type ServiceActions,
} from '#core'
import {
  addressCharge,
  chargeHere,
  decide,
  limited,
  type Allowed,
  type Call,
  type Charge,
  type Decision,
  type GatePorts,
} from '#gate'
import {
  bare,
  denyAll,
  handlers,
  type Decider,
  type Work,
  type ReaderPort,
  type RecordedOutcome,
  type WriterPort,
} from '#hub'
import type { LedgerRecord } from '#ledger'
import type { BestEffort } from './best-effort.ts'
import type { Floods } from './floods.ts'
import { idempotencyOf } from './idempotency.ts'
import { recordOf } from './record.ts'
import { answerPublic } from './public-reads.ts'
import { settled, type SharedRatesPort } from './settle-rates.ts'
import { shownArguments } from './shown-arguments.ts'
import { toldOf, type Decided } from './telemetry/decided.ts'

const lateLookMs = 1000

export interface PipelineParts {
  readonly gate: GatePorts
  readonly credentials: { fresh(): boolean; refresh(): Promise<void> }
  readonly writer: WriterPort
  readonly reader: ReaderPort
  readonly floods: Floods
  readonly bestEffort: Pick<BestEffort, 'offer'>
  readonly clock: Clock
  /** Where replicas share the buckets of the gate. */
  readonly sharedRates?: SharedRatesPort | undefined
  /** For services that ask; nobody is let in without one. */
  readonly decider?: Decider
  readonly services?: ServiceActions
  /** A fault, for the log: the caller gets the request id and nothing else (SPEC G19). */
  readonly fault: (error: unknown, call?: Call) => void
  /** Told of the outcome of every decision, once (SPEC J3, O4). Never throws and never waits. */
  readonly told?: (decided: Decided) => void
  /** Why there is no room for what the call would leave behind (SPEC O14). */
  readonly full?: (method: Call['method']) => Refusal | undefined
  /** Told how long the gate took for a call. */
  readonly gated?: (elapsedMs: number) => void
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
      this.#parts.gated?.(clock.monotonic() - arrivedAt)
      if (decision.charges !== undefined) return this.#admitShared(call, decision, decision.charges, arrivedAt)
      if (!decision.refused) return { call, decision, arrivedAt }
      return this.#refuse({ call, arrivedAt, caller: decision.caller }, decision.refusal)
    } catch (error) {
      this.#parts.fault(error, call)
      const refusal = refuse('server.internal', 'fault')
      this.#tell({ call, arrivedAt, caller: undefined }, refusal.code, 'error')
      return Promise.resolve(refusal)
    }
  }

  /** The decision holds once the shared buckets have said so. */
  async #admitShared(
    call: Call,
    decided: Decision,
    charges: readonly Charge[],
    arrivedAt: number,
  ): Promise<Admission | Refusal> {
    try {
      const decision = await settled(decided, charges, this.#parts.gate, this.#parts.sharedRates)
      if (!decision.refused) return { call, decision, arrivedAt }
      return await this.#refuse({ call, arrivedAt, caller: decision.caller }, decision.refusal)
    } catch (error) {
      this.#parts.fault(error, call)
      const refusal = refuse('server.internal', 'fault')
      this.#tell({ call, arrivedAt, caller: undefined }, refusal.code, 'error')
      return refusal
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
      const decided = decide(call, gate)
      const decision =
        decided.charges === undefined ? decided : await settled(decided, decided.charges, gate, this.#parts.sharedRates)
      if (!decision.refused) return { call, decision, arrivedAt }
      const recorded = this.#refuse({ call, arrivedAt, caller: decision.caller }, decision.refusal)
      // While the store is away nothing can be written down: the caller hears of it now and not after the writer gave up.
      return decision.refusal.code === 'store.unavailable' ? decision.refusal : await recorded
    } catch (error) {
      this.#parts.fault(error, call)
      const refusal = refuse('server.internal', 'fault')
      this.#tell({ call, arrivedAt, caller: undefined }, refusal.code, 'error')
      return refusal
    }
  }

  async #refuse(denied: Denied, refusal: Refusal, outcome: 'deny' | 'error' = 'deny'): Promise<Refusal> {
    await this.#deny(denied, refusal, outcome)
    return refusal
  }

  /** Refuses an admitted call for what its body turned out to be: too large, malformed. Never rejects. */
  async reject(admission: Admission, refusal: Refusal): Promise<Refusal> {
    const denied = { ...admission, caller: admission.decision.caller }
    if (!admission.call.method.unrecorded) return this.#refuse(denied, refusal)
    this.#tell(denied, refusal.code, 'deny')
    return refusal
  }

  /** Records a refusal that came before the credential was looked at; a flood of them is counted. Never rejects. */
  async noteUnread(call: Call, refusal: Refusal): Promise<void> {
    const denied = { call, arrivedAt: this.#parts.clock.monotonic(), caller: undefined }
    if (call.method.unrecorded) this.#tell(denied, refusal.code, 'deny')
    else await this.#deny(denied, refusal)
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
    const whose = { ...admission, caller: admission.decision.caller }
    try {
      const reply = await this.#perform(admission, message, idempotencyKey)
      this.#tell(whose, reply.refused ? reply.code : undefined)
      return reply
    } catch (error) {
      this.#parts.fault(error, admission.call)
      const refusal = refuse('server.internal', 'fault')
      if (!admission.call.method.unrecorded) return this.#refuse(whose, refusal, 'error')
      this.#tell(whose, refusal.code, 'error')
      return refusal
    }
  }

  /** A method that the contract does not have: limited per address, counted, aggregated (SPEC G2). Never rejects. */
  async refuseUnknown(remote: string, path: string, requestId: string): Promise<Refusal> {
    const { clock, floods, gate } = this.#parts
    const arrivedAt = clock.monotonic()
    const charges = [addressCharge({ remote }, gate)]
    // What needs no credential is counted here while the shared buckets are away.
    const charged = (await this.#parts.sharedRates?.take(charges)) ?? chargeHere(charges, gate)
    const refusal =
      charged.limited === undefined
        ? refuse('method.unknown', 'method not in the contract')
        : limited('addresses', charged.limited.rate, charged.waitMs)
    this.#tell({ call: { method: undefined, remote, requestId }, arrivedAt, caller: undefined }, refusal.code, 'deny')
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
    if (caller === undefined) return this.#readPublic(admission)
    const full = this.#parts.full?.(call.method)
    if (full !== undefined) return this.#refuseFull(admission, full)
    const handler = handlers.get(call.method.path)
    if (handler === undefined) throw new Error(`no handler for ${call.method.path}`)
    const { args, watch } = shownArguments(handler, message)
    const record = (outcome: RecordedOutcome): LedgerRecord =>
      recordOf({ call, caller, args, arrivedAt, clock }, outcome)

    const idempotency = idempotencyOf(call, caller, message, idempotencyKey)
    if (isRefusal(idempotency)) return this.#submitDeny(call, caller, record, idempotency)
    const { decider = denyAll, services = noServices } = this.#parts
    const acted = handler.act(message, { caller, ownOnly: decision.ownOnly, reader, clock, decider, services })
    if (acted instanceof Promise) return this.#read(call, caller, record, watch(acted))
    if (isRefusal(acted)) return this.#submitDeny(call, caller, record, acted)
    return this.#write(admission, caller, record, acted, idempotency)
  }

  /** A few entries for each address, then counts: refusals for want of room must not fill what is left. */
  async #refuseFull({ call, arrivedAt }: Admission, refusal: Refusal): Promise<Refusal> {
    const { clock, floods } = this.#parts
    const told = { outcome: 'deny', code: refusal.code, reason: refusal.reason } as const
    const record = () => recordOf({ call, caller: undefined, args: () => ({}), arrivedAt, clock }, told)
    await floods.anonymous(call.remote, refusal.code, record)
    return refusal
  }

  async #write(
    { call }: Admission,
    caller: Caller,
    record: Recorder,
    effect: Work,
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

  /** A read of nobody in particular: answered at once; a few entries for each address, then counts (SPEC L7, L14). */
  async #readPublic({ call, arrivedAt }: Admission): Promise<Reply> {
    const { bestEffort, clock, floods, reader } = this.#parts
    const reply = await answerPublic(call.method, reader)
    if (!call.method.unrecorded && floods.ownRead(call.remote, call.method.path)) {
      const recorded = { call, caller: undefined, args: () => ({}), arrivedAt, clock }
      bestEffort.offer(recordOf(recorded, { outcome: 'allow' }))
    }
    return reply
  }

  /**
   * A read is answered once its entry is committed: no entry, no answer (SPEC L7, `required`). One of best effort is answered at
   * once; its refusals are not different from others.
   */
  async #read(
    call: Call,
    caller: Caller,
    record: Recorder,
    reading: Promise<Message | Refusal>,
  ): Promise<Reply | Refusal> {
    const tenantId = bare(caller.tenant.id)
    let found: Message | Refusal
    try {
      found = await reading
    } catch (error) {
      const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
      const refusal = refuse('store.unavailable', reason, { retryAfterSeconds: 1 })
      return this.#submitDeny(call, caller, record, refusal, 'error')
    }
    if (isRefusal(found)) return this.#submitDeny(call, caller, record, found)
    if (call.method.bestEffort) {
      this.#parts.bestEffort.offer(record({ outcome: 'allow' }))
      return { refused: false, message: found, replayed: false }
    }
    const recorded = await this.#parts.writer.submit({ tenantId, record })
    if (recorded.refused) return recorded
    return { refused: false, message: found, replayed: false }
  }

  async #submitDeny(
    call: Call,
    caller: Caller,
    record: Recorder,
    refusal: Refusal,
    outcome: 'deny' | 'error' = 'deny',
  ): Promise<Refusal> {
    const { code, reason } = refusal
    const own = outcome === 'error' || this.#parts.floods.ownDenial(caller, code, call.method.path, call.remote)
    if (!own) return refusal
    await this.#submitOwn(record({ outcome, code, reason }))
    return refusal
  }

  async #deny(
    { call, arrivedAt, caller }: Denied,
    refusal: Refusal,
    outcome: 'deny' | 'error' = 'deny',
  ): Promise<void> {
    const { clock, floods } = this.#parts
    this.#tell({ call, arrivedAt, caller }, refusal.code, outcome)
    const told = { outcome, code: refusal.code, reason: refusal.reason }
    const record = () => recordOf({ call, caller, args: () => ({}), arrivedAt, clock }, told)
    try {
      if (caller === undefined) await floods.anonymous(call.remote, refusal.code, record)
      else if (outcome === 'error' || floods.ownDenial(caller, refusal.code, call.method.path, call.remote))
        await this.#submitOwn(record())
    } catch (error) {
      // A deny stays a deny, whether or not it could be written down.
      this.#parts.fault(error, call)
    }
  }

  /** A deny stays a deny, whether or not it can be written down now: then it is tried again later, or counted as lost. */
  async #submitOwn(entry: LedgerRecord): Promise<void> {
    const written = await this.#parts.writer.submit({ tenantId: entry.tenantId, record: () => entry })
    if (written.refused) this.#parts.bestEffort.offer(entry)
  }

  #tell({ call, arrivedAt, caller }: Told, code: RefusalCode | undefined, outcome?: Decided['outcome']): void {
    const { clock, told } = this.#parts
    if (told !== undefined) told(toldOf(call, caller, clock.monotonic() - arrivedAt, code, outcome))
  }
}

interface Told {
  readonly call: Parameters<typeof toldOf>[0]
  readonly arrivedAt: number
  readonly caller: Caller | undefined
}

interface Denied {
  readonly call: Call
  readonly arrivedAt: number
  readonly caller: Allowed['caller']
}

type Recorder = (outcome: RecordedOutcome) => LedgerRecord
