import type { DescMethodUnary, DescMessage, Message, MessageShape } from '@bufbuild/protobuf'
import { methodOf, type Method } from '@portcullis/contract'
import type { Caller, Clock, Refusal, ServiceActions } from '#core'
import type { Decider } from './authorization/decider.ts'
import type { PseudonymPort } from './entries/pseudonyms.ts'
import { listCost } from './paging.ts'
import type { PricePort, ReaderPort, RulesPort, SealPort, Summary, Work } from './ports.ts'

/** What a handler knows beside the message. */
export interface HandlerContext {
  readonly caller: Caller
  /** The caller lacks the read scope: only its own objects are there. */
  readonly ownOnly: boolean
  readonly reader: ReaderPort
  readonly clock: Clock
  /** Who callers of other services are. */
  readonly decider: Decider
  /** Actions of registered services: scopes beside our own. */
  readonly services: ServiceActions
  /** Where people reach this server: what a link begins with. */
  readonly origin?: (() => string) | undefined
  /** Names of tenants whose operators may be people of the issuer that people sign in at; none is `main` alone. */
  readonly signInTenants?: readonly string[] | undefined
  /** Absent where no master keys are configured. */
  readonly pseudonyms?: PseudonymPort | undefined
  /** Absent where no master keys are configured. */
  readonly sealing?: SealPort | undefined
  readonly prices: PricePort
  readonly rules: RulesPort
}

/** What one method does once the gate has let the call in. */
export interface Handler {
  readonly method: Method
  /** The arguments as the ledger shows them: chosen fields only. Without it none of them is shown (SPEC L3). */
  readonly summary?: (message: Message) => Summary
  /** What the reply adds to the arguments in the ledger, where the reply is a decision. */
  readonly told?: (reply: Message, message: Message) => Summary
  /** Tokens that this call takes from the bucket of its caller, where they depend on what it asks for (SPEC G7). */
  readonly cost?: (message: Message) => number
  readonly act: (message: Message, context: HandlerContext) => Promise<Message | Refusal> | Work | Later | Refusal
}

/** Work that is known once something has been waited for that is not the database. */
export interface Later {
  readonly later: Promise<Work | Refusal>
}

/** As `write`, for work that waits for something first: a secret that is being sealed. */
export function writeLater<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  act: (message: MessageShape<I>, context: HandlerContext) => Work | Later | Refusal,
  summary?: (message: MessageShape<I>) => Summary,
): Handler {
  return { method: methodOf(method), act, summary } as unknown as Handler
}

/** A write: validates and says what is to be done; the writer does it. */
export function write<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  act: (message: MessageShape<I>, context: HandlerContext) => Work | Refusal,
  summary?: (message: MessageShape<I>) => Summary,
): Handler {
  return { method: methodOf(method), act, summary } as unknown as Handler
}

/** A read: answers from the store, under the caller's tenant. One that answers with a page costs by the rows it asks for. */
export function read<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  act: (message: MessageShape<I>, context: HandlerContext) => Promise<MessageShape<O> | Refusal>,
  summary?: (message: MessageShape<I>) => Summary,
): Handler {
  const paged = method.input.fields.some(({ name }) => name === 'page_size')
  return { method: methodOf(method), act, summary, ...(paged ? { cost: listCost } : {}) } as unknown as Handler
}

/** A read whose reply is a decision that the ledger keeps. */
export function readTold<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  act: (message: MessageShape<I>, context: HandlerContext) => Promise<MessageShape<O> | Refusal>,
  summary: (message: MessageShape<I>) => Summary,
  told: (reply: MessageShape<O>, message: MessageShape<I>) => Summary,
  cost?: (message: MessageShape<I>) => number,
): Handler {
  return { ...read(method, act, summary), told, ...(cost === undefined ? {} : { cost }) } as unknown as Handler
}

/** Bare UUID of a public id that was made by us. */
export function bare(id: string): string {
  return id.slice(id.indexOf('_') + 1)
}

export function readScope(
  caller: Caller,
  platform: boolean,
): { readonly tenantId: string; readonly platform: boolean } {
  return { tenantId: bare(caller.tenant.id), platform }
}

/** An agent writes to its own objects; an operator to those of the whole tenant, which null stands for. */
export function ownerOf(caller: Caller): string | null {
  return caller.kind === 'agent' ? bare(caller.id) : null
}
