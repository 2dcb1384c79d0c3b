import { setTimeout as delay } from 'node:timers/promises'
import { refuse, type Caller, type Clock, type Refusal, type RefusalCode } from '#core'
import {
  addressGroup,
  decide,
  locate,
  type Allowed,
  type Call,
  type Charge,
  type Decision,
  type GatePorts,
} from '#gate'
import type { About } from '#hub'
import { settled, type SharedRatesPort } from './settle-rates.ts'
import type { CallTimes, Decided, toldOf } from './telemetry/decided.ts'

const lateLookMs = 1000

/** What cannot be decided at once: the signatures of tokens and of proofs (SPEC G3, A3). */
export interface PreparePort {
  /** The call with the verdicts that are known already, at once; undefined where something has to be verified first. */
  known(call: Call): Call | undefined
  /** The call with its verdicts. What is wrong with a token or a proof is a verdict; rejects on a fault only. */
  prepare(call: Call): Promise<Call>
}

export interface AdmissionParts {
  readonly gate: GatePorts
  readonly credentials: { fresh(): boolean; refresh(): Promise<void> }
  readonly clock: Clock
  /** Where replicas share the buckets of the gate. */
  readonly sharedRates?: SharedRatesPort | undefined
  /** A call with a token is refused without. */
  readonly prepare?: PreparePort | undefined
  /** A fault, for the log: the caller gets the request id and nothing else (SPEC G19). */
  readonly fault: (error: unknown, call?: Call) => void
  /** Told how long the gate took for a call. */
  readonly gated?: (elapsedMs: number) => void
}

/** A call that the gate has let in; its body has not been read yet. */
export interface Admission {
  readonly call: Call
  readonly decision: Allowed
  /** Monotonic milliseconds. */
  readonly arrivedAt: number
  readonly decidedAt?: number
  /** The signature of the request was looked at, over its body. */
  readonly bodyChecked?: true
}

/** A caller's request has a signature, and nobody has looked at it yet: it MUST NOT be performed. */
export function isUnchecked({ call, decision, bodyChecked }: Admission): boolean {
  return call.signed !== undefined && decision.caller !== undefined && bodyChecked !== true
}

export interface Told extends CallTimes {
  readonly about?: About | undefined
  readonly call: Parameters<typeof toldOf>[0]
  readonly caller: Caller | undefined
}

export interface Denied extends CallTimes {
  readonly call: Call
  readonly caller: Allowed['caller']
  readonly actor?: Allowed['actor']
}

interface AdmissionEnds {
  /** Resolves once the refusal is recorded or counted. */
  readonly refuse: (denied: Denied, refusal: Refusal) => Promise<Refusal>
  readonly tell: (of: Told, code: RefusalCode | undefined, outcome?: Decided['outcome']) => void
}

/** The decision on the metadata of a call: at once where it can be, after what has to be verified or asked for elsewhere. */
export class Admissions {
  readonly #parts: AdmissionParts
  readonly #ends: AdmissionEnds

  constructor(parts: AdmissionParts, ends: AdmissionEnds) {
    this.#parts = parts
    this.#ends = ends
  }

  /** See `Pipeline.admit`. Never rejects. */
  admit(asked: Call): Admission | Promise<Admission | Refusal> {
    const { clock, credentials, gate, prepare } = this.#parts
    const arrivedAt = clock.monotonic()
    let call = asked
    try {
      call = locate(asked, gate)
      if (!credentials.fresh() && call.method.access !== 'public_read') return this.#later(call, arrivedAt)
      const ready = prepare === undefined ? call : prepare.known(call)
      if (ready === undefined && this.#mayTry(call)) return this.#later(call, arrivedAt)
      call = ready ?? call
      const decision = decide(call, gate)
      const decidedAt = clock.monotonic()
      this.#parts.gated?.(decidedAt - arrivedAt)
      if (decision.charges !== undefined) return this.#admitShared(call, decision, decision.charges, arrivedAt)
      if (!decision.refused) return { call, decision, arrivedAt, decidedAt }
      return this.#ends.refuse(deniedOf({ call, arrivedAt, decidedAt }, decision), decision.refusal)
    } catch (error) {
      return Promise.resolve(this.#faulted(call, arrivedAt, error))
    }
  }

  /** An address that failed too often has nothing verified for it: the gate refuses it without. */
  #mayTry(call: Call): boolean {
    const { clock, gate } = this.#parts
    return gate.failures.wait(addressGroup(call.remote), clock.monotonic()) === 0
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
      const decidedAt = this.#parts.clock.monotonic()
      if (!decision.refused) return { call, decision, arrivedAt, decidedAt }
      return await this.#ends.refuse(deniedOf({ call, arrivedAt, decidedAt }, decision), decision.refusal)
    } catch (error) {
      return this.#faulted(call, arrivedAt, error)
    }
  }

  /** After a stall of this process its state is late, not wrong: one look at it. Then what the call carries is verified. */
  async #later(asked: Call, arrivedAt: number): Promise<Admission | Refusal> {
    const { clock, credentials, gate, prepare } = this.#parts
    try {
      if (!credentials.fresh() && asked.method.access !== 'public_read') await this.#lookAgain()
      const ready = prepare === undefined ? asked : prepare.known(asked)
      const call = ready ?? (this.#mayTry(asked) ? await prepare?.prepare(asked) : undefined) ?? asked
      const decided = decide(call, gate)
      const decision =
        decided.charges === undefined ? decided : await settled(decided, decided.charges, gate, this.#parts.sharedRates)
      const decidedAt = clock.monotonic()
      if (!decision.refused) return { call, decision, arrivedAt, decidedAt }
      const recorded = this.#ends.refuse(deniedOf({ call, arrivedAt, decidedAt }, decision), decision.refusal)
      // While the store is away nothing can be written down: the caller hears of it now and not after the writer gave up.
      return decision.refusal.code === 'store.unavailable' ? decision.refusal : await recorded
    } catch (error) {
      return this.#faulted(asked, arrivedAt, error)
    }
  }

  async #lookAgain(): Promise<void> {
    const over = new AbortController()
    const late = delay(lateLookMs, undefined, { ref: false, signal: over.signal })
    await Promise.race([this.#parts.credentials.refresh(), late]).catch(() => undefined)
    over.abort()
    late.catch(() => undefined)
  }

  #faulted(call: Call, arrivedAt: number, error: unknown): Refusal {
    this.#parts.fault(error, call)
    const refusal = refuse('server.internal', 'fault')
    this.#ends.tell({ call, arrivedAt, caller: undefined }, refusal.code, 'error')
    return refusal
  }
}

function deniedOf(of: Omit<Denied, 'caller' | 'actor'>, { caller, actor }: Decision): Denied {
  return { ...of, caller, actor }
}
