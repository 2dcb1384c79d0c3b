import type { Message } from '@bufbuild/protobuf'
import { isRefusal, refuse, type Caller, type Refusal, type RefusalCode } from '#core'
import { addressCharge, chargeHere, limited, locate, type Call } from '#gate'
import { bare, handlers, type Opened, type RecordedOutcome, type Work, type WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import { RecordedFault } from '#store'
import { Admissions, isUnchecked, type Admission, type AdmissionParts, type Denied, type Told } from './admissions.ts'
import type { BestEffort } from './best-effort.ts'
import type { Floods } from './floods.ts'
import { contextOf, type HandlerParts } from './handler-context.ts'
import { idempotencyOf } from './idempotency.ts'
import { decodeBytes, Openings, type FullPort } from './openings.ts'
import { watchSpent } from './kill/spent.ts'
import { readFailure } from './read-failure.ts'
import { recordOf } from './record.ts'
import type { Offbox } from './checkpoints/offbox.ts'
import { readPublic } from './public-reads.ts'
import { spend } from './settle-rates.ts'
import type { SignedRequests } from './signed-requests.ts'
import { shownArguments } from './shown-arguments.ts'
import { outcomeOf, timesOf, toldOf, type Decided } from './telemetry/decided.ts'

export interface PipelineParts extends AdmissionParts, HandlerParts {
  readonly writer: WriterPort
  readonly floods: Floods
  readonly bestEffort: Pick<BestEffort, 'offer' | 'offerOrCount'>
  /** Signed requests are refused without. */
  readonly signatures?: Pick<SignedRequests, 'check'> | undefined
  /** What changes of keys wait for before they are done (SPEC L7). */
  readonly offbox?: Pick<Offbox, 'holds' | 'intend'> | undefined
  /** Told of the outcome of every decision, once (SPEC J3, O4). Never throws and never waits. */
  readonly told?: (decided: Decided) => void
  /** Told of the reply of every call that was done, once, and of what its items cost. Never throws and never waits. */
  readonly spent?: (path: string, caller: Caller, reply: Message, items: readonly bigint[] | undefined) => void
  /** Told of items of a call that budgets and caps refused, where the call was done. Never throws and never waits. */
  readonly denied?: (caller: Caller, codes: readonly RefusalCode[]) => void
  /** Why there is no room for what the call would leave behind (SPEC O14). */
  readonly full?: (method: Call['method']) => Refusal | undefined
  /** Whether what is told says when the gate and the store had the call, for traces. */
  readonly timed?: boolean
}

export interface Reply {
  readonly refused: false
  readonly message: Message
  /** The message in bytes, where it was encoded on the way. */
  readonly bytes?: Uint8Array | undefined
  /** The stored reply of an earlier call with this idempotency key. */
  readonly replayed: boolean
  /** In nano-USD. */
  readonly itemsSpent?: readonly bigint[]
}

/**
 * One call, end to end: what every door does, whatever the transport. Doors hand over what they know before the body
 * (`admit`), then the decoded message (`perform`), and translate the reply or the refusal.
 */
export class Pipeline {
  readonly #parts: PipelineParts

  readonly #admissions: Admissions
  readonly #openings: Openings

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.#admissions = new Admissions(parts, {
      refuse: (denied, refusal) => this.#refuse(denied, refusal),
      tell: (of, code, outcome) => this.#tell(of, code, outcome),
    })
    this.#openings = new Openings(parts, {
      context: (admission, caller) => contextOf(this.#parts, admission, caller),
      refuse: (denied, refusal, outcome) => this.#refuse(denied, refusal, outcome),
      tell: (of, code) => this.#tell(of, code),
    })
  }

  /**
   * Decides on the metadata: at once where the call is let in; a refusal has been recorded, or counted with its like, when its
   * promise resolves. Never rejects.
   */
  admit(call: Call): Admission | Promise<Admission | Refusal> {
    return this.#admissions.admit(call)
  }

  async #refuse(denied: Denied, refusal: Refusal, outcome: 'deny' | 'error' = 'deny'): Promise<Refusal> {
    await this.#deny(denied, refusal, outcome)
    return refusal
  }

  /** Refuses an admitted call for what its body turned out to be: too large, malformed. Never rejects. */
  async reject(admission: Admission, refusal: Refusal): Promise<Refusal> {
    const { caller, actor } = admission.decision
    const denied = { ...admission, caller, actor }
    if (!admission.call.method.unrecorded) return this.#refuse(denied, refusal)
    this.#tell(denied, refusal.code, 'deny')
    return refusal
  }

  /** Records a refusal that came before the credential was looked at; a flood of them is counted. Never rejects. */
  async noteUnread(unread: Call, refusal: Refusal): Promise<void> {
    const call = locate(unread, this.#parts.gate)
    const denied = { call, arrivedAt: this.#parts.clock.monotonic(), caller: undefined }
    if (call.method.unrecorded) this.#tell(denied, refusal.code, 'deny')
    else await this.#deny(denied, refusal)
  }

  /**
   * What can be told only with the body as it was sent: whether the signature of the request is right (SPEC G16). A refusal has been
   * recorded when its promise resolves. Never rejects.
   */
  async checkBody(admission: Admission, body: Uint8Array): Promise<Admission | Refusal> {
    const { call, decision } = admission
    if (!isUnchecked(admission) || call.signed === undefined || decision.caller === undefined) return admission
    const caller = await (this.#parts.signatures?.check(call.signed, body, decision.caller) ??
      refuse('auth.signature_invalid', 'a signature, and nothing here verifies signatures'))
    if (isRefusal(caller)) return this.reject(admission, caller)
    return { ...admission, decision: { ...decision, caller }, bodyChecked: true }
  }

  /** Decodes protobuf bytes and performs the call. */
  performBytes(admission: Admission, bytes: Uint8Array, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    if (isUnchecked(admission)) {
      return this.checkBody(admission, bytes).then((checked) =>
        isRefusal(checked) ? checked : this.performBytes(checked, bytes, idempotencyKey),
      )
    }
    const message = decodeBytes(admission, bytes)
    return isRefusal(message) ? this.reject(admission, message) : this.perform(admission, message, idempotencyKey)
  }

  /** As `open`, for protobuf bytes. */
  async openBytes(unread: Admission, bytes: Uint8Array, full: FullPort): Promise<Opened | Refusal> {
    const admission = await this.checkBody(unread, bytes)
    if (isRefusal(admission)) return admission
    const message = decodeBytes(admission, bytes)
    return isRefusal(message) ? this.reject(admission, message) : this.open(admission, message, full)
  }

  /** Begins a stream: its entry is committed when this resolves, and nothing has been said yet. Never rejects. */
  open(admission: Admission, message: Message, full: FullPort): Promise<Opened | Refusal> {
    return this.#openings.open(admission, message, full)
  }

  /** Never rejects: a fault becomes server.internal with everything private in the log. */
  async perform(admission: Admission, message: Message, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    const { caller, actor } = admission.decision
    const startedAt = this.#parts.timed === true && caller !== undefined ? this.#parts.clock.monotonic() : undefined
    const about = handlers.get(admission.call.method.path)?.about?.(message)
    const whose = { ...admission, caller, actor, startedAt, about }
    try {
      if (isUnchecked(admission)) throw new Error('a door performs a signed request without a look at its signature')
      const cost = handlers.get(admission.call.method.path)?.cost?.(message)
      const short = cost === undefined ? undefined : await spend(admission.call, admission.decision, cost, this.#parts)
      if (short !== undefined) return await this.#refuse(whose, short)
      const reply = await this.#perform(admission, message, idempotencyKey)
      // What was done before is not counted again.
      if (!reply.refused && !reply.replayed && caller !== undefined)
        this.#parts.spent?.(admission.call.method.path, caller, reply.message, reply.itemsSpent)
      const told = reply.refused || !reply.replayed ? whose : { ...whose, about: undefined }
      this.#tell(told, reply.refused ? reply.code : undefined)
      return reply
    } catch (error) {
      this.#parts.fault(error, admission.call)
      const refusal = refuse('server.internal', 'fault')
      const recorded = error instanceof RecordedFault || admission.call.method.unrecorded
      if (!recorded) return this.#refuse(whose, refusal, 'error')
      this.#tell(whose, refusal.code, 'error')
      return refusal
    }
  }

  /**
   * A method that the contract does not have, or an HTTP `verb` that a path does not take: limited per address, counted, aggregated
   * (SPEC G2). Never rejects.
   */
  async refuseUnknown(remote: string, path: string, requestId: string, verb?: string): Promise<Refusal> {
    const { clock, floods, gate } = this.#parts
    const arrivedAt = clock.monotonic()
    const charges = [addressCharge({ remote }, gate)]
    // What needs no credential is counted here while the shared buckets are away.
    const charged = (await this.#parts.sharedRates?.take(charges)) ?? chargeHere(charges, gate)
    const refusal =
      charged.limited === undefined
        ? verb === undefined
          ? refuse('method.unknown', 'method not in the contract')
          : refuse('method.not_allowed', `the path does not take ${verb}`)
        : limited('addresses', charged.limited.rate, charged.waitMs)
    const call = locate({ method: undefined, remote, requestId }, gate)
    this.#tell({ call, arrivedAt, caller: undefined }, refusal.code, 'deny')
    try {
      await floods.unknownMethod(remote, path, refusal, verb)
    } catch (error) {
      this.#parts.fault(error)
    }
    return refusal
  }

  #perform(admission: Admission, message: Message, idempotencyKey: string | undefined): Promise<Reply | Refusal> {
    const { call, decision, arrivedAt } = admission
    const { clock, gate, pseudonyms } = this.#parts
    const { caller, actor } = decision
    if (caller === undefined) return readPublic(admission, message, this.#parts)
    const full = this.#parts.full?.(call.method)
    if (full !== undefined) return this.#refuseFull(admission, full)
    const handler = handlers.get(call.method.path)
    if (handler === undefined) throw new Error(`no handler for ${call.method.path}`)
    const { args, heard } = shownArguments(handler, message)
    const record: Recorder = (outcome, kind) =>
      recordOf({ call, caller, actor, args, arrivedAt, clock, pseudonym: pseudonyms?.of(caller.tenant) }, outcome, kind)

    const idempotency = idempotencyOf(call, caller, message, idempotencyKey)
    if (isRefusal(idempotency)) return this.#submitDeny(call, caller, record, idempotency)
    // Its body may have taken its time to come.
    const killed = gate.kill?.refusal(call, caller)
    if (killed?.code === 'kill.engaged') return this.#submitDeny(call, caller, record, killed)
    const acted = handler.act(message, contextOf(this.#parts, admission, caller))
    if (acted instanceof Promise) return this.#read(call, caller, record, acted, heard)
    if ('later' in acted) {
      return acted.later.then((work) =>
        isRefusal(work)
          ? this.#submitDeny(call, caller, record, work)
          : this.#write(admission, caller, record, work, idempotency),
      )
    }
    if (isRefusal(acted)) return this.#submitDeny(call, caller, record, acted)
    return this.#write(admission, caller, record, acted, idempotency)
  }

  /** A few entries for each address, then counts: refusals for want of room must not fill what is left. */
  async #refuseFull({ call, arrivedAt }: Admission, refusal: Refusal): Promise<Refusal> {
    const { clock, floods } = this.#parts
    const told = { outcome: outcomeOf(refusal.code), code: refusal.code, reason: refusal.reason }
    const record = () => recordOf({ call, caller: undefined, args: () => ({}), arrivedAt, clock }, told)
    await floods.anonymous(call.remote, refusal.code, record, told.outcome)
    return refusal
  }

  async #write(
    { call }: Admission,
    caller: Caller,
    record: Recorder,
    effect: Work,
    idempotency: Exclude<ReturnType<typeof idempotencyOf>, Refusal>,
  ): Promise<Reply | Refusal> {
    const { gate, offbox, writer } = this.#parts
    const asks = killQuestions(effect, (uses) => gate.kill?.refusalOf(uses, caller))
    // Whether what is known may be old is looked at where it is written.
    const engaged = (): Refusal | undefined => {
      const stopped = gate.kill?.refusal(call, caller)
      if (stopped?.code === 'kill.engaged') return stopped
      for (const ask of asks) {
        const refusal = ask()
        if (refusal?.code === 'kill.engaged') return refusal
      }
      return undefined
    }
    const killed = asks.length === 0 ? undefined : engaged()
    if (killed !== undefined) return this.#submitDeny(call, caller, record, killed)
    const unknownOutside = offbox?.holds(call.method) === true ? await offbox.intend(record, call.method) : undefined
    if (unknownOutside !== undefined) return unknownOutside
    const { work, spent } = watchSpent(effect)
    const result = await writer.submit({
      tenantId: bare(caller.tenant.id),
      effect: work,
      output: call.method.output,
      record: (outcome) => record(outcome),
      shedLast: call.method.shedLast,
      ...(gate.kill === undefined ? {} : { killed: engaged }),
      ownFailure: (code) => this.#parts.floods.ownDenial(caller, code, call.method.path, call.remote, 'error'),
      ...(idempotency === undefined ? {} : { idempotency }),
    })
    if (result.refused) return result
    if (result.denied !== undefined) this.#parts.denied?.(caller, result.denied)
    // What was committed holds at once on this replica; the others hear of it by notification.
    // It is done, and said so, also where the look fails: then this replica hears of it as the others do, or goes stale.
    if (effect.changesCredentials === true) {
      await this.#parts.credentials.refresh().catch((error: unknown) => this.#parts.fault(error, call))
    }
    if (result.reply === undefined) throw new Error('a write without a reply')
    const { bytes, reply, replayed } = result
    if (effect.afterCommit === undefined)
      return { refused: false, message: reply, bytes, replayed, itemsSpent: spent() }
    return { refused: false, message: await effect.afterCommit(reply), replayed }
  }

  /**
   * A read is answered once its entry is committed: no entry, no answer (SPEC L7, `required`). One of best effort is answered at
   * once, unless so many entries are in hand already; its refusals are not different from others.
   */
  async #read(
    call: Call,
    caller: Caller,
    record: Recorder,
    reading: Promise<Message | Refusal>,
    heard: (reply: Message) => void,
  ): Promise<Reply | Refusal> {
    const tenantId = bare(caller.tenant.id)
    let found: Message | Refusal
    try {
      found = await reading
    } catch (error) {
      return this.#submitDeny(call, caller, record, readFailure(error))
    }
    if (isRefusal(found)) return this.#submitDeny(call, caller, record, found)
    heard(found)
    if (call.method.bestEffort && this.#parts.bestEffort.offer(record({ outcome: 'allow' }))) {
      return { refused: false, message: found, replayed: false }
    }
    const recorded = await this.#parts.writer.submit({ tenantId, record })
    if (recorded.refused) return recorded
    return { refused: false, message: found, replayed: false }
  }

  async #submitDeny(call: Call, caller: Caller, record: Recorder, refusal: Refusal): Promise<Refusal> {
    const { code, reason } = refusal
    const outcome = outcomeOf(code)
    const own = this.#parts.floods.ownDenial(caller, code, call.method.path, call.remote, outcome)
    if (!own) return refusal
    await this.#submitOwn(record({ outcome, code, reason }))
    return refusal
  }

  async #deny(denied: Denied, refusal: Refusal, outcome: 'deny' | 'error' = 'deny'): Promise<void> {
    const { call, arrivedAt, caller, actor } = denied
    const { clock, floods } = this.#parts
    this.#tell(denied, refusal.code, outcome)
    const told = { outcome, code: refusal.code, reason: refusal.reason }
    const record = () => recordOf({ call, caller, actor, args: () => ({}), arrivedAt, clock }, told)
    try {
      if (caller === undefined) await floods.anonymous(call.remote, refusal.code, record, outcome)
      else if (floods.ownDenial(caller, refusal.code, call.method.path, call.remote, outcome))
        await this.#submitOwn(record())
    } catch (error) {
      // A deny stays a deny, whether or not it could be written down.
      this.#parts.fault(error, call)
    }
  }

  /** A deny stays a deny, whether or not it can be written down now: then it is tried again later, or counted as lost. */
  async #submitOwn(entry: LedgerRecord): Promise<void> {
    const written = await this.#parts.writer.submit({ tenantId: entry.tenantId, record: () => entry })
    if (written.refused) this.#parts.bestEffort.offerOrCount(entry)
  }

  #tell(of: Told, code: RefusalCode | undefined, outcome?: Decided['outcome']): void {
    const { clock, told, timed } = this.#parts
    if (told === undefined) return
    const elapsedMs = clock.monotonic() - of.arrivedAt
    const times = timed === true ? timesOf(of) : undefined
    told(
      toldOf(
        of.call,
        of.caller,
        elapsedMs,
        code,
        outcome,
        of.about === undefined ? times : { ...times, about: of.about },
      ),
    )
  }
}

type KillQuestion = () => Refusal | undefined

/** What the kill switch is asked about work and its parts: of what they use, and what they ask themselves. */
function killQuestions(
  work: Work,
  refusalOf: (uses: NonNullable<Work['uses']>) => Refusal | undefined,
): readonly KillQuestion[] {
  const questions: KillQuestion[] = []
  // Parts that use the same are asked about once.
  const asked = new Set<object>()
  const add = ({ killed, uses }: { readonly uses?: Work['uses']; readonly killed?: KillQuestion }): void => {
    if (uses !== undefined && !asked.has(uses)) {
      asked.add(uses)
      questions.push(() => refusalOf(uses))
    }
    if (killed !== undefined) questions.push(killed)
  }
  add(work)
  if ('parts' in work) for (const part of work.parts) add(part)
  return questions
}

type Recorder = (outcome: RecordedOutcome, kind?: 'intent' | 'aborted') => LedgerRecord
