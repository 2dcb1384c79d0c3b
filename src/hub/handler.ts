import type { DescMethodServerStreaming, DescMethodUnary, DescMessage, Message, MessageShape } from '@bufbuild/protobuf'
import { methodOf, type Method } from '@portcullis/contract'
import { parseId, refuse, type Caller, type Clock, type Refusal, type ServiceActions } from '#core'
import type { Decider } from './authorization/decider.ts'
import type { PseudonymPort } from './entries/pseudonyms.ts'
import type { JobsPort } from './jobs/ports.ts'
import type { KillsPort } from './kills/ports.ts'
import type { BudgetSettings } from './budgets/ports.ts'
import type { CostSettings } from './costs/ports.ts'
import { listCost } from './paging.ts'
import type { PricePort, ReaderPort, RulesPort, SealPort, Summary, TracePort, Work } from './ports.ts'

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
  /** How the figures of providers are compared. */
  readonly costs: CostSettings
  readonly rules: RulesPort
  /** Defaults hold where nothing was composed. */
  readonly budgets?: BudgetSettings | undefined
  /** Absent where nothing takes spans. */
  readonly traces?: TracePort | undefined
  readonly kills: KillsPort
  readonly jobs: JobsPort
  /** Of the call, for what goes on after it. */
  readonly requestId?: string | undefined
}

/** What one method does once the gate has let the call in. */
export interface Handler {
  readonly method: Method
  /** The arguments as the ledger shows them: chosen fields only. Without it none of them is shown (SPEC L3). */
  readonly summary?: (message: Message) => Summary
  /** What the reply adds to the arguments in the ledger, where the reply is a decision. */
  readonly told?: (reply: Message, message: Message) => Summary
  /** What is counted apart beside the method; text of the caller, so that who counts bounds it. */
  readonly about?: (message: Message) => About
  /** Tokens that this call takes from the bucket of its caller, where they depend on what it asks for (SPEC G7). */
  readonly cost?: (message: Message) => number
  readonly act: (message: Message, context: HandlerContext) => Promise<Message | Refusal> | Work | Later | Refusal
  /** Of a method that answers with a stream, which `act` refuses. */
  readonly open?: (message: Message, context: HandlerContext) => Opened | Refusal
}

/** What a call is about, for the metrics. */
export interface About {
  readonly jobKind?: string
}

/** What a stream says, whoever carries it. */
export interface Opened<Output extends Message = Message> {
  /** What is said at once. Asked for after `listen`, so that nothing falls between them. */
  readonly first: () => readonly Output[]
  /** Told of what follows until the answer is called. */
  readonly listen: (hear: (messages: readonly Output[]) => void) => () => void
  /** Says that the stream lives, where nothing else was said for a while. */
  readonly heartbeat: () => Output
}

/** A read that goes on: answers with what is, and then with what changes. */
export function stream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  open: (message: MessageShape<I>, context: HandlerContext) => Opened<MessageShape<O>> | Refusal,
  summary?: (message: MessageShape<I>) => Summary,
): Handler {
  const act = (): Refusal => refuse('server.internal', 'a stream was performed as a call')
  return { method: methodOf(method), act, open, summary } as unknown as Handler
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

/** The bare id of the key that the caller comes with; null where it comes with something else. */
export function keyOf({ credential }: Caller): string | null {
  return parseId('key', credential.id) ?? null
}
