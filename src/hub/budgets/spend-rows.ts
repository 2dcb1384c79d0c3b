import type { Refusal } from '#core'
import type { LedgerRecord } from '#ledger'
import type { PricedModel } from '../costs/ports.ts'
import type { TenantRules } from '../policies/ports.ts'
import type { AttemptRecord, EventRecord } from '../rows.ts'

/** The numbers of ReservationState. */
export const reservationStates = { held: 1, settled: 2, released: 3, expired: 4 } as const

/** Who asks, as every kind of spending says it. Ids are bare UUIDs; amounts are bigints and never reach SQL as numbers. */
interface Asked {
  /** The log of the tenant: where records of thresholds go. */
  readonly log: string
  /** `ten_...` */
  readonly tenant: string
  /** Where set, only runs and reservations of this agent are there. */
  readonly ownerAgentId: string | null
}

export interface SpendReserve extends Asked {
  readonly kind: 'reserve'
  readonly id: string
  readonly runId: string | null
  /** The calling agent: whose spending it is where there is no run. */
  readonly agentId: string | null
  readonly keyId: string | null
  readonly providerType: string
  readonly provider: string
  readonly model: string
  /** All names of the model: see `modelNames`. */
  readonly models: readonly string[]
  readonly tool: string
  readonly inputTokens: bigint
  readonly maxOutputTokens: bigint
  /** Fewer output tokens may be admitted than that. */
  readonly mayCap: boolean
  /** What it can cost at most with so many output tokens; undefined where no price is known. */
  readonly costOf: (outputTokens: bigint) => bigint | undefined
  readonly priceVersion: string
  readonly ttlMs: number
  readonly dryRun: boolean
  readonly rules: Pick<TenantRules, 'policy' | 'caps'>
}

export interface SpendSettle extends Asked {
  readonly kind: 'settle'
  readonly reservationId: string
  /** All classes together; undefined where it was not said: then what is held counts as used. */
  readonly tokens: bigint | undefined
  /** As the caller says; undefined where the tokens are to be priced. */
  readonly nanoUsd: bigint | undefined
  readonly priceOf: (model: PricedModel) => bigint | undefined
  readonly isPriced: (model: PricedModel) => boolean
}

export interface SpendExtend extends Asked {
  readonly kind: 'extend'
  readonly reservationId: string
  readonly ttlMs: number
  /** Why nothing is added to what holds that model and tool (SPEC K1). */
  readonly stopped?: (of: PricedModel & { readonly tool: string }) => Refusal | undefined
  readonly addTokens: bigint
  /** Undefined where the added tokens are to be priced. */
  readonly addNanoUsd: bigint | undefined
  readonly boundOf: (model: PricedModel) => bigint | undefined
  readonly seenTokens: bigint | undefined
  readonly seenPriceOf: (model: PricedModel) => bigint | undefined
  readonly namesOf: (model: PricedModel) => readonly string[]
  readonly rules: Pick<TenantRules, 'policy' | 'caps'>
}

export interface SpendRelease extends Asked {
  readonly kind: 'release'
  readonly reservationId: string
}

/** Ends a reservation that is past its time, or whose holder was killed: books what was seen and frees the rest. */
export interface SpendExpire extends Asked {
  readonly kind: 'expire'
  readonly reservationId: string
  readonly killed: boolean
  /** Bare; the kill that counts it. */
  readonly killId?: string
}

/** An attempt that counts: settles its reservation, or is charged at once. */
export interface SpendAttempt extends Asked {
  readonly kind: 'attempt'
  readonly attempt: AttemptRecord
  readonly reservationId: string | null
  readonly agentId: string | null
  readonly keyId: string | null
  /** All names of the model: see `modelNames`. */
  readonly models: readonly string[]
  readonly tool: string
  /** What it is recorded at. */
  readonly nanoUsd: bigint
  /** That is what was reported. */
  readonly priceUnknown: boolean
  readonly tokens: bigint
  readonly priceVersion: string
  /** One name for all names of a model. */
  readonly skuOf: (model: PricedModel) => string
  readonly rules: Pick<TenantRules, 'policy' | 'caps'>
}

export type SpendArgs = SpendReserve | SpendSettle | SpendExtend | SpendRelease | SpendExpire | SpendAttempt

/** What a budget has for one subject at a moment. `subjectId` is bare. */
export interface HeadroomRow {
  readonly budgetId: string
  readonly subjectKind: number
  readonly subjectId: string
  readonly unit: number
  readonly limit: bigint
  readonly used: bigint
  readonly held: bigint
  readonly resetsAtMs: number | null
}

export interface DenialRow extends HeadroomRow {
  readonly asked: bigint
}

/** What became of one call. Fields that its kind does not have are absent. */
export type SpendRow =
  | { readonly verdict: 'refused'; readonly refusal: Refusal }
  | {
      readonly verdict: 'done'
      readonly reservationId: string
      readonly headroom: readonly HeadroomRow[]
      /** Output tokens that were admitted, where fewer than asked for or not. */
      readonly maxOutputTokens: bigint
      readonly capped: boolean
      /** What would have been refused. */
      readonly denial: DenialRow | undefined
      readonly heldNanoUsd: bigint
      readonly settledNanoUsd: bigint
      readonly overageNanoUsd: bigint
      readonly expiresAtMs: number
      readonly late: boolean
      readonly priceUnknown: boolean
      /** An expiry that found nothing to end, or a settlement that was made before. */
      readonly unchanged: boolean
      /** Of an attempt: what its run says of it. */
      readonly attempt?: { readonly workflow: string; readonly promptVersion: string; readonly agentId: string | null }
    }

/** A budget with its window now. */
export interface BudgetState {
  readonly id: string
  readonly name: string
  readonly subjectKind: number
  readonly subjectId: string
  readonly unit: number
  readonly limit: bigint
  readonly windowKind: number
  readonly durationMs: number
  readonly hard: boolean
  readonly action: number
  readonly active: boolean
  readonly startMs: number
  /** Windows that started before it do not count. */
  readonly fromMs: number
  readonly resetsAtMs: number | null
}

export interface WindowState {
  readonly budgetId: string
  readonly subject: string
  readonly startMs: number
  readonly held: bigint
  readonly settled: bigint
  readonly alerted: number
}

/** Where a reservation is booked: budget, subject, start of the window in milliseconds, unit. */
export interface Leg {
  readonly b: string
  readonly s: string
  readonly w: number
  readonly u: number
}

export interface ReservationState {
  readonly id: string
  readonly runId: string | null
  readonly agentId: string | null
  readonly providerType: string
  readonly provider: string
  readonly model: string
  readonly tool: string
  readonly state: number
  readonly legs: readonly Leg[]
  /** The one attempt that it has paid for. */
  readonly attemptId: string | null
  readonly heldNanoUsd: bigint
  readonly heldTokens: bigint
  readonly seenNanoUsd: bigint
  readonly seenTokens: bigint
  readonly settledNanoUsd: bigint
  readonly settledTokens: bigint
  readonly settledRequests: number
  readonly expiresAtMs: number
  readonly endedAtMs: number | null
  readonly late: boolean
  readonly killed: boolean
}

export interface RunFacts {
  readonly agentId: string | null
  readonly workflow: string
  readonly promptVersion: string
  readonly finished: boolean
  readonly attempts: bigint
  readonly costNanoUsd: bigint
  readonly tokens: bigint
}

/** One call with what the database knows of it. */
export interface Spender {
  readonly n: number
  readonly p: number
  readonly args: SpendArgs
  readonly runId: string | null
  readonly agentId: string | null
  readonly team: string | null
  readonly keyId: string | null
  readonly run: RunFacts | null
  readonly reservation: ReservationState | null
}

/** What one tenant's calls of a batch spend from, under lock. */
export interface OpenedSpending {
  /** Of the database. */
  readonly nowMs: number
  /** In the order in which they are decided. */
  readonly spenders: readonly Spender[]
  readonly budgets: readonly BudgetState[]
  readonly windows: readonly WindowState[]
}

/** A reservation as it is written: a new one whole, of one that was there what changed. */
export interface ReservationWrite extends ReservationState {
  readonly models: readonly string[]
  readonly keyId: string | null
  readonly priceVersion: string
  readonly createdAtMs: number
}

/** A window as it is to stand. */
export type WindowWrite = WindowState

export interface SpendOutcome {
  /** For each call that was decided. */
  readonly rows: readonly { readonly n: number; readonly p: number; readonly row: SpendRow }[]
  readonly made: readonly ReservationWrite[]
  readonly changed: readonly ReservationState[]
  readonly windows: readonly WindowWrite[]
  readonly attempts: readonly { readonly n: number; readonly p: number; readonly attempt: AttemptRecord }[]
  readonly events: readonly EventRecord[]
  /** How many reservations were ended because of each kill (SPEC K3). */
  readonly killed: readonly { readonly id: string; readonly settled: number }[]
  /** Entries beside those of the calls; they commit with them. */
  readonly records: readonly LedgerRecord[]
}

/** Decides what the calls of a batch may spend: pure. The store runs it between the look and the write, in one transaction. */
export type DecideSpending = (opened: OpenedSpending) => SpendOutcome

/** What the writer asks, and tells once it has committed. */
export interface SpendingPort {
  readonly decide: DecideSpending
  readonly told?: (records: readonly LedgerRecord[]) => void
}

/** A budget as it is stored. */
export interface BudgetRow {
  readonly id: string
  readonly name: string
  readonly subjectKind: number
  readonly subjectId: string
  readonly unit: number
  readonly limit: string
  readonly windowKind: number
  readonly duration: string
  readonly durationMs: string
  readonly timeZone: string
  readonly hard: boolean
  readonly action: number
  readonly active: boolean
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

export interface BudgetPut extends BudgetRow {
  /** It is a new one: its id is not there yet. */
  readonly made: boolean
  /** New ones are refused where the tenant has so many. */
  readonly atMost: number
}

/** What stood there before the change; a new one has nothing before it (SPEC B8). */
export type BudgetPutRow = { readonly [Name in keyof BudgetRow]: BudgetRow[Name] | null } & {
  readonly verdict: 'done' | 'object.not_found' | 'object.state' | 'too_many' | 'time_zone'
}

/** A budget with the use of its windows now, the fullest first. */
export interface BudgetUseRow extends BudgetRow {
  readonly resetsAtMs: number | null
  readonly windows: readonly {
    readonly subject: string
    readonly held: string
    readonly settled: string
    readonly resetsAtMs: number | null
  }[]
}

/** A reservation as it is listed. */
export interface ReservationRow {
  readonly id: string
  readonly runId: string | null
  readonly agentId: string | null
  readonly provider: string
  readonly model: string
  readonly tool: string
  readonly state: number
  readonly heldNanoUsd: string
  readonly heldTokens: string
  readonly settledNanoUsd: string
  readonly settledTokens: string
  readonly priceVersion: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly endedAtMs: number | null
  readonly late: boolean
  readonly killed: boolean
}

/** An attempt that was recorded, with the window that a budget had at its time. */
export interface PastAttempt {
  readonly id: string
  readonly runId: string
  readonly agentId: string | null
  readonly team: string | null
  readonly provider: string
  readonly model: string
  readonly costNanoUsd: string
  readonly tokens: string
  readonly createdAtMs: number
  readonly startMs: number
  readonly fromMs: number
  readonly resetsAtMs: number | null
}
