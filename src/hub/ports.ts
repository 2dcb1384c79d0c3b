import type { DescMessage, Message } from '@bufbuild/protobuf'
import type { LedgerRecord } from '#ledger'
import type { Json, Refusal, RefusalCode } from '#core'
import type { DrillRow, KillRow } from './kills/kill-rows.ts'
import type {
  AgentRow,
  AppRow,
  AttemptRecord,
  BenchmarkRow,
  CertificateRow,
  ChangelogRow,
  ChargeFilter,
  CorrectionRow,
  CostHourRow,
  DriftFilter,
  EventRecord,
  JobFilter,
  JobRow,
  KeyRow,
  NoteRow,
  OperationName,
  OperationRow,
  Operations,
  OperatorRow,
  RunRow,
  SigningKeyRow,
  SessionRow,
  TaskRow,
  TenantRow,
  TokenColumns,
} from './rows.ts'
import type {
  EntryFilter,
  EntryRow,
  EventCursor,
  LogHead,
  LogVerdict,
  TlogPort,
  TokenEvents,
} from './entries/log-rows.ts'
import type { AnalyticsReader } from './analytics/analytics-rows.ts'
import type { BudgetReader } from './budgets/ports.ts'
import type { PolicyReader } from './policies/policy-rows.ts'
import type { PostureReader } from './postures/posture-rows.ts'

export type * from './rows.ts'
export type * from './budgets/ports.ts'
export type * from './entries/log-rows.ts'

/** What a write wants done: the writer runs it with others in one transaction (SPEC L5). A handler never talks to the database. */
export interface Effect<Name extends OperationName = OperationName> {
  readonly operation: Name
  /** Rows are written in the order of this key, so that replicas cannot deadlock. */
  readonly key: string
  readonly args: Operations[Name]['args']
  /** The run whose row the statement updates; locked first, in order. */
  readonly runId?: string
  /** What a kill switch can stand for beside the caller (SPEC K1). */
  readonly uses?: Uses
  /** Why the kills that are known now refuse it, where the method goes on while killed: asked where `uses` are (SPEC K2). */
  readonly killed?: () => Refusal | undefined
  /** Of a part: done behind it where it was not refused, in the same transaction. Nobody is told their rows. */
  readonly after?: readonly Effect[]
  /** What the row means for the caller. */
  readonly answer: (row: Operations[Name]['row'] | undefined) => Answer | Refusal
  /** Credentials in memory are read again before the reply, so that the change holds at once on this replica. */
  readonly changesCredentials?: boolean
  /** Awaited after the commit and after `changesCredentials`, before the reply: what is answered then. Also of a replay. */
  readonly afterCommit?: (reply: Message) => Promise<Message>
}

/** Several effects of one call, answered together; they commit together or not at all. */
export interface Composite {
  readonly parts: readonly Effect[]
  /** The rows in the order of the parts; undefined where a part was refused. */
  readonly answerAll: (rows: readonly (OperationRow | undefined)[]) => Answer | Refusal
  readonly changesCredentials?: boolean
  readonly afterCommit?: (reply: Message) => Promise<Message>
  readonly uses?: Uses
  readonly killed?: () => Refusal | undefined
}

/** What a call is about to use; known once its body is read. */
export interface Uses {
  /** All names of the model: see `modelNames`. */
  readonly models?: readonly string[]
  readonly tool?: string
  readonly jobKind?: string
}

export type Work = Effect | Composite

export interface Answer {
  /** Absent where no caller waits for a message. */
  readonly reply?: Message
  /** What a replay answers, where it differs: a secret is shown once and never stored. */
  readonly stored?: Message
  /** What the entry adds to the arguments once it is known: what was there before a change (SPEC B8). */
  readonly told?: Summary
  /** Entries of their own, which commit with the effect: what it came to. */
  readonly entries?: readonly LedgerRecord[]
  /** Codes of items that budgets or caps refused, where others of the call were done: rules of the kill switch count them. */
  readonly denied?: readonly RefusalCode[]
}

/** Makes an effect; ties the arguments and the row to the operation's name. */
export function effect<Name extends OperationName>(spec: Effect<Name>): Effect {
  return spec as unknown as Effect
}

export interface Idempotency {
  /** Hex of SHA-256 over caller, method and key. */
  readonly keyDigest: string
  /** Hex of SHA-256 over the message without its key field. */
  readonly payloadDigest: string
}

export type RecordedOutcome =
  | { readonly outcome: 'allow'; readonly replayed?: boolean; readonly told?: Summary | undefined }
  | { readonly outcome: 'deny' | 'error'; readonly code: string; readonly reason: string }

/** One waiting call: its work, if it has any, and how its entry reads once the outcome is known. */
export interface WriterMember {
  /** Bare UUID; undefined for calls without a tenant. */
  readonly tenantId: string | undefined
  readonly effect?: Work
  readonly idempotency?: Idempotency
  readonly output?: DescMessage
  readonly record: (outcome: RecordedOutcome) => LedgerRecord
  /** Told the id of the batch whose commit was not answered, for who tries again: `committed` says what became of it. */
  readonly unknown?: (batch: string) => void
  /** Refused after all others where too much waits (SPEC O14). */
  readonly shedLast?: boolean
  /** Why the kills that are known now refuse it: asked again where they changed while it waited (SPEC K2). */
  readonly killed?: () => Refusal | undefined
  /** Whether a failure of this member gets an entry of its own; else it was counted with its like (SPEC L14). */
  readonly ownFailure?: (code: RefusalCode) => boolean
  /** Entries that are ready and commit with this one: of calls that have been answered. */
  readonly more?: readonly LedgerRecord[]
  /** Has no entry of its own: its answer or the work says what is to be told. */
  readonly silent?: boolean
}

export type WriteResult =
  | {
      readonly refused: false
      readonly reply: Message | undefined
      /** The reply in bytes, where it was encoded on the way. */
      readonly bytes: Uint8Array | undefined
      readonly replayed: boolean
      readonly denied?: readonly RefusalCode[] | undefined
    }
  | Refusal

export interface WriterPort {
  /** Resolves when the effect and its entry are committed, or with the refusal; rejects on a fault, with nothing done. */
  submit(member: WriterMember): Promise<WriteResult>
  /** Whether that batch has committed. Where it has not, it never will. */
  committed?(batch: string): Promise<boolean>
}

export interface Page {
  readonly size: number
  /** Only rows with a smaller id. */
  readonly before: string | undefined
}

/** What a list found. */
export interface Listing<Row> {
  readonly rows: readonly Row[]
  /** Where the next page begins: below this key. Undefined at the end of the list. */
  readonly next: string | undefined
}

export interface RunFilter {
  readonly id?: string
  readonly taskId?: string
  readonly workflow?: string
  readonly agentId?: string
  readonly status?: number
  readonly promptVersion?: string
  readonly startedAfterMs?: number
  readonly startedBeforeMs?: number
}

/** An attempt as stored; outcome is the number of AttemptOutcome. */
export interface StoredAttempt extends Omit<AttemptRecord, 'ownerAgentId' | 'sku' | 'unitPrices'> {
  readonly agentId: string | null
}

/** An event as stored; level is the number of EventLevel. */
export interface StoredEvent extends Omit<EventRecord, 'ownerAgentId'> {
  readonly agentId: string | null
}

export interface AttemptFilter {
  readonly runId?: string
  readonly workflow?: string
  readonly agentId?: string
  readonly model?: string
  readonly outcome?: number
  readonly promptVersion?: string
  readonly createdAfterMs?: number
  readonly createdBeforeMs?: number
}

export interface EventFilter {
  readonly runId?: string
  readonly eventType?: string
  readonly level?: number
  readonly createdAfterMs?: number
  readonly createdBeforeMs?: number
}

export interface WorkflowTotals {
  readonly workflow: string
  readonly attempts: string
  readonly failedAttempts: string
  readonly inputTokens: string
  readonly outputTokens: string
  readonly latencyMs: string
}

export interface TenantTotals extends TokenColumns {
  readonly agents: string
  readonly runs: string
  readonly finishedRuns: string
  readonly attempts: string
  readonly failedAttempts: string
  readonly costNanoUsd: string
  readonly openTasks: string
}

/** Reads on behalf of one caller, under row-level security. */
export interface ReadScope {
  /** Bare UUID. */
  readonly tenantId: string
  /** The caller is an operator of the platform: it sees tenants and the system log. */
  readonly platform: boolean
}

export interface TaskFilter {
  readonly status?: number
  readonly tag?: string
  readonly agentId?: string
}

export interface BenchmarkFilter {
  readonly workflow?: string
  readonly model?: string
}

/** A page is bounded by its rows and its bytes. Refused where the tenant has too much to read at a time. */
export type Listed<Row> = Promise<Listing<Row> | Refusal>

export interface ReaderPort extends BudgetReader, PolicyReader, AnalyticsReader, PostureReader {
  readonly tlog: TlogPort
  run(scope: ReadScope, id: string): Promise<RunRow | undefined>
  runs(scope: ReadScope, filter: RunFilter, page: Page): Listed<RunRow>
  agents(scope: ReadScope, filter: { readonly name?: string }, page: Page): Listed<AgentRow>
  keys(scope: ReadScope, filter: { readonly agentId?: string }, page: Page): Listed<KeyRow>
  apps(scope: ReadScope, filter: { readonly name?: string }, page: Page): Listed<AppRow>
  operators(scope: ReadScope, filter: { readonly name?: string }, page: Page): Listed<OperatorRow>
  sessions(scope: ReadScope, filter: { readonly operatorId?: string }, page: Page): Listed<SessionRow>
  certificates(scope: ReadScope, filter: { readonly agentId?: string }, page: Page): Listed<CertificateRow>
  signingKeys(scope: ReadScope, filter: { readonly agentId?: string }, page: Page): Listed<SigningKeyRow>
  tenants(scope: ReadScope, page: Page): Listed<TenantRow>
  tasks(scope: ReadScope, filter: TaskFilter, page: Page): Listed<TaskRow>
  notes(scope: ReadScope, filter: { readonly tag?: string }, page: Page): Listed<NoteRow>
  changelog(scope: ReadScope, filter: { readonly category?: string }, page: Page): Listed<ChangelogRow>
  attempts(scope: ReadScope, filter: AttemptFilter, page: Page): Listed<StoredAttempt>
  events(scope: ReadScope, filter: EventFilter, page: Page): Listed<StoredEvent>
  benchmarks(scope: ReadScope, filter: BenchmarkFilter, page: Page): Listed<BenchmarkRow>
  jobs(scope: ReadScope, filter: JobFilter, page: Page): Listed<JobRow>
  job(scope: ReadScope, id: string): Promise<JobRow | undefined>
  /** The newest job of each of these kinds. */
  lastJobs(scope: ReadScope, kinds: readonly string[]): Promise<readonly JobRow[]>
  kills(scope: ReadScope, filter: { readonly engagedAtMs?: number }, page: Page): Listed<KillRow>
  drills(scope: ReadScope, page: Page): Listed<DrillRow>
  totals(scope: ReadScope): Promise<TenantTotals>
  /** Published workflows with at least that many samples, of all tenants together. */
  publicSummary(minimumSamples: number): Promise<readonly WorkflowTotals[]>
  /** What was used at which prices, by hour; the newest hour first. */
  costHours(scope: ReadScope, filter: ChargeFilter, page: Page): Listed<CostHourRow>
  /** Every comparison with what a provider charged; the newest day first. */
  corrections(scope: ReadScope, filter: ChargeFilter, page: Page): Listed<CorrectionRow>
  /** What was said last of each day, model and key. */
  drift(scope: ReadScope, filter: DriftFilter, page: Page): Listed<CorrectionRow>
  entries(scope: ReadScope, filter: EntryFilter, page: Page): Listed<EntryRow>
  /** Entries of a log in order, from that seq on. */
  entriesFrom(scope: ReadScope, log: string, fromSeq: number, limit: number): Promise<readonly EntryRow[]>
  /** What became of tokens since then, of the tenant; without a cursor nothing has yet. A bounded number of entries is looked at. */
  tokenEvents(scope: ReadScope, cursor: EventCursor | undefined, limit: number): Promise<TokenEvents | Refusal>
  /** Undefined where the log is not there for this caller. */
  head(scope: ReadScope, log: string): Promise<LogHead | undefined>
  /** The names of the logs that are there for this caller; at most 100. */
  logs(scope: ReadScope): Promise<readonly string[]>
  /** Replays a log; whoever asks while a replay of it runs gets the result of that. Undefined as for `head`. */
  verify(scope: ReadScope, log: string): Promise<LogVerdict | 'too_long' | undefined>
  ping(): Promise<boolean>
}

/** Seals secrets for the row of `portcullis.secrets` that will hold them (SPEC S1). Ids are bare UUIDs. */
export interface SealPort {
  /** Rejects where the holder of the master keys gives no answer. */
  seal(secret: Uint8Array, tenantId: string, id: string): Promise<{ readonly envelope: Buffer; readonly keyId: string }>
}

/** What goes into the entry as arguments: chosen fields only, never the whole message (SPEC L3). */
export type Summary = { readonly [key: string]: Json | undefined }
