import type { LedgerRecord } from '#ledger'
import type { AttemptRecord, EventRecord } from '../rows.ts'
import { Accounts } from './accounts.ts'
import { decideAttempt } from './decide-attempt.ts'
import { decideExpire, decideExtend, decideRelease, decideSettle } from './decide-held.ts'
import { decideReserve } from './decide-reserve.ts'
import { crossingRecord } from './records.ts'
import {
  type OpenedSpending,
  type ReservationState,
  type ReservationWrite,
  type RunFacts,
  type Spender,
  type SpendOutcome,
  type SpendRow,
} from './spend-rows.ts'

/** What the calls of a batch have come to so far: each is decided on what those before it left. */
export class Desk {
  readonly nowMs: number
  readonly accounts: Accounts
  readonly made = new Map<string, ReservationWrite>()
  readonly attempts: { readonly n: number; readonly p: number; readonly attempt: AttemptRecord }[] = []
  readonly events: EventRecord[] = []
  readonly records: LedgerRecord[] = []
  /** Reservations that were ended, by the kill that counts them. */
  readonly killed = new Map<string, number>()
  readonly #reservations = new Map<string, ReservationState>()
  readonly #changed = new Set<string>()
  readonly #runs = new Map<string, { attempts: bigint; costNanoUsd: bigint; tokens: bigint }>()

  constructor(opened: OpenedSpending) {
    this.nowMs = opened.nowMs
    this.accounts = new Accounts(opened.budgets, opened.windows)
    for (const { reservation } of opened.spenders)
      if (reservation !== null) this.#reservations.set(reservation.id, reservation)
  }

  /** As it stands by now. */
  reservation(id: string): ReservationState | undefined {
    return this.#reservations.get(id)
  }

  change(reservation: ReservationState): void {
    this.#reservations.set(reservation.id, reservation)
    this.#changed.add(reservation.id)
  }

  /** What a run has used, with the attempts of this batch. */
  totals(runId: string, run: RunFacts): Readonly<Record<'attempts' | 'costNanoUsd' | 'tokens', bigint>> {
    const more = this.#runs.get(runId) ?? { attempts: 0n, costNanoUsd: 0n, tokens: 0n }
    return {
      attempts: run.attempts + more.attempts,
      costNanoUsd: run.costNanoUsd + more.costNanoUsd,
      tokens: run.tokens + more.tokens,
    }
  }

  addToRun(runId: string, costNanoUsd: bigint, tokens: bigint): void {
    const more = this.#runs.get(runId) ?? { attempts: 0n, costNanoUsd: 0n, tokens: 0n }
    more.attempts += 1n
    more.costNanoUsd += costNanoUsd
    more.tokens += tokens
    this.#runs.set(runId, more)
  }

  changed(): readonly ReservationState[] {
    return [...this.#changed].toSorted().flatMap((id) => this.#reservations.get(id) ?? [])
  }
}

/** Decides the calls of one tenant in a batch, in their order (SPEC B4 to B7). Pure: no clock, no database, no randomness but of ids. */
export function decideSpending(opened: OpenedSpending): SpendOutcome {
  const desk = new Desk(opened)
  const rows = opened.spenders.map((spender) => ({ n: spender.n, p: spender.p, row: decideOne(desk, spender) }))
  const [first] = opened.spenders
  if (first !== undefined) {
    for (const crossing of desk.accounts.takeCrossings())
      desk.records.push(crossingRecord(crossing, first.args, desk.nowMs))
  }
  return {
    rows,
    made: [...desk.made.values()],
    changed: desk.changed(),
    windows: desk.accounts.changes(),
    attempts: desk.attempts,
    events: desk.events,
    // In one order: each is a lock.
    killed: [...desk.killed].map(([id, settled]) => ({ id, settled })).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    records: desk.records,
  }
}

function decideOne(desk: Desk, spender: Spender): SpendRow {
  const { args } = spender
  switch (args.kind) {
    case 'reserve':
      return decideReserve(desk, spender, args)
    case 'settle':
      return decideSettle(desk, args)
    case 'extend':
      return decideExtend(desk, args)
    case 'release':
      return decideRelease(desk, args)
    case 'expire':
      return decideExpire(desk, args)
    case 'attempt':
      return decideAttempt(desk, spender, args)
    default:
      return args satisfies never
  }
}
