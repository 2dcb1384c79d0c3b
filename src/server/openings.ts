import type { Message } from '@bufbuild/protobuf'
import { isRefusal, refuse, type Caller, type Refusal, type RefusalCode } from '#core'
import { bare, handlers, type HandlerContext, type Opened } from '#hub'
import { isUnchecked, type Admission, type Denied, type Told } from './admissions.ts'
import { readBinary, TooMany } from './message-counts.ts'
import type { PipelineParts } from './pipeline.ts'
import { recordOf } from './record.ts'
import { shownArguments } from './shown-arguments.ts'

/** Why there is no room for another stream of that caller. */
export type FullPort = (caller: Caller) => Refusal | undefined

interface OpeningEnds {
  readonly context: (admission: Admission, caller: Caller) => HandlerContext
  /** Resolves once the refusal is recorded or counted. */
  readonly refuse: (denied: Denied, refusal: Refusal, outcome?: 'deny' | 'error') => Promise<Refusal>
  readonly tell: (of: Told, code: RefusalCode | undefined) => void
}

/** The beginning of streams: what `Pipeline.perform` is for calls. */
export class Openings {
  readonly #parts: Pick<PipelineParts, 'clock' | 'pseudonyms' | 'writer' | 'fault'>
  readonly #ends: OpeningEnds

  constructor(parts: PipelineParts, ends: OpeningEnds) {
    this.#parts = parts
    this.#ends = ends
  }

  /** See `Pipeline.open`. Never rejects. */
  async open(admission: Admission, message: Message, full: FullPort): Promise<Opened | Refusal> {
    const { call, decision, arrivedAt } = admission
    const { caller, actor } = decision
    const whose = { ...admission, caller, actor }
    const { clock, pseudonyms, writer } = this.#parts
    try {
      const handler = handlers.get(call.method.path)
      if (caller === undefined || handler?.open === undefined || isUnchecked(admission))
        throw new Error(`no stream can be opened with ${call.method.path}`)
      const opened = full(caller) ?? handler.open(message, this.#ends.context(admission, caller))
      if (isRefusal(opened)) return await this.#ends.refuse(whose, opened)
      const { args } = shownArguments(handler, message)
      const pseudonym = pseudonyms?.of(caller.tenant)
      const recorded = await writer.submit({
        tenantId: bare(caller.tenant.id),
        record: (outcome) => recordOf({ call, caller, actor, args, arrivedAt, clock, pseudonym }, outcome),
      })
      this.#ends.tell(whose, recorded.refused ? recorded.code : undefined)
      return recorded.refused ? recorded : opened
    } catch (error) {
      this.#parts.fault(error, call)
      return this.#ends.refuse(whose, refuse('server.internal', 'fault'), 'error')
    }
  }
}

/** The message of a call, from protobuf bytes. */
export function decodeBytes({ call }: Admission, bytes: Uint8Array): Message | Refusal {
  try {
    return readBinary(call.method.input, bytes)
  } catch (error) {
    if (error instanceof TooMany) return error.refusal
    return refuse('input.malformed', `protobuf: ${error instanceof Error ? error.message : String(error)}`)
  }
}
