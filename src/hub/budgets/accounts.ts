import type { BudgetState, HeadroomRow, Leg, WindowState, WindowWrite } from './spend-rows.ts'

/** What one call is a part of: the subjects of budgets. Ids are bare; what it has none of is empty or null. */
export interface Subjects {
  readonly agentId: string | null
  readonly team: string | null
  readonly keyId: string | null
  readonly runId: string | null
  /** All names of the model, the one that stands for it first: see `modelNames`. */
  readonly models: readonly string[]
  readonly tool: string
}

/** What one call takes of each unit. */
export interface Amounts {
  /** Undefined where nothing can be said. */
  readonly nanoUsd: bigint | undefined
  /** No price is known: what is said of money is what somebody reported. */
  readonly priceUnknown: boolean
  readonly tokens: bigint
  readonly requests: bigint
}

/** A budget that a call counts in, with whose use it is. */
export interface Account {
  readonly budget: BudgetState
  readonly subject: string
}

interface Window {
  readonly budgetId: string
  readonly subject: string
  readonly startMs: number
  held: bigint
  settled: bigint
  alerted: number
  readonly was: { readonly held: bigint; readonly settled: bigint; readonly alerted: number }
}

// Far beyond any real use; a sum that passed it could not be stored.
const bookedMax = 9_000_000_000_000_000_000n
export const thresholds = [50, 80, 100] as const

/** A threshold that a window has passed with what was settled. */
export interface Crossing extends Account {
  readonly startMs: number
  readonly used: bigint
  readonly percent: (typeof thresholds)[number]
}

/** The use of budgets while the calls of a batch are decided: what the database says, and what they add to it. */
export class Accounts {
  readonly #budgets: readonly BudgetState[]
  readonly #byId: ReadonlyMap<string, BudgetState>
  /** Of each budget and subject, by where they start. */
  readonly #windows = new Map<string, Map<number, Window>>()

  constructor(budgets: readonly BudgetState[], windows: readonly WindowState[]) {
    this.#budgets = budgets.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
    this.#byId = new Map(budgets.map((budget) => [budget.id, budget]))
    for (const { budgetId, subject, startMs, held, settled, alerted } of windows) {
      const was = { held, settled, alerted }
      this.#of(budgetId, subject).set(startMs, { budgetId, subject, startMs, held, settled, alerted, was })
    }
  }

  budget(id: string): BudgetState | undefined {
    return this.#byId.get(id)
  }

  /** The budgets in force that count a call of these subjects, in order of their ids. */
  matching(subjects: Subjects): readonly Account[] {
    return this.#budgets.flatMap((budget) => {
      const subject = budget.active ? subjectOf(budget, subjects) : undefined
      return subject === undefined ? [] : [{ budget, subject }]
    })
  }

  /** What counts of a budget now. */
  use({ budget, subject }: Account): { readonly used: bigint; readonly held: bigint } {
    let [used, held] = [0n, 0n]
    for (const window of this.#counted(budget, subject)) {
      used += window.settled
      held += window.held
    }
    return { used, held }
  }

  /** Whether so much more may be held there: whatever a budget allows, its sums have to be stored. */
  canHold(account: Account, amount: bigint): boolean {
    return this.use(account).held + amount <= bookedMax
  }

  headroom(account: Account): HeadroomRow {
    const { budget, subject } = account
    return {
      budgetId: budget.id,
      subjectKind: budget.subjectKind,
      subjectId: subject,
      unit: budget.unit,
      limit: budget.limit,
      ...this.use(account),
      resetsAtMs: this.#resetsAt(account),
    }
  }

  /** Adds to one window, which is made where it is not there. */
  book({ b, s, w }: Leg, held: bigint, settled: bigint): void {
    const known = this.#of(b, s)
    let window = known.get(w)
    if (window === undefined) {
      const was = { held: 0n, settled: 0n, alerted: 0 }
      window = { budgetId: b, subject: s, startMs: w, held: 0n, settled: 0n, alerted: 0, was }
      known.set(w, window)
    }
    window.held += held
    window.settled = window.settled + settled > bookedMax ? bookedMax : window.settled + settled
  }

  /** Drops what was booked before that moment: only for who does not write the changes. */
  forget(beforeMs: number): void {
    for (const [key, windows] of this.#windows) {
      for (const startMs of windows.keys()) if (startMs < beforeMs) windows.delete(startMs)
      if (windows.size === 0) this.#windows.delete(key)
    }
  }

  /** Marks the thresholds that were passed since the look, each once a window, and answers them. */
  takeCrossings(): readonly Crossing[] {
    const crossings: Crossing[] = []
    for (const window of this.#touched()) {
      const budget = this.#byId.get(window.budgetId)
      if (budget === undefined || budget.limit === 0n || !budget.active || window.settled <= window.was.settled)
        continue
      const isRolling = budget.windowKind === 2
      const counted = isRolling ? this.#counted(budget, window.subject) : [window]
      const used = counted.reduce((sum, one) => sum + one.settled, 0n)
      const told = Math.max(...counted.map(({ alerted }) => alerted), 0)
      for (const percent of thresholds) {
        if (percent <= told || used * 100n < budget.limit * BigInt(percent)) continue
        crossings.push({ budget, subject: window.subject, startMs: window.startMs, used, percent })
        window.alerted = percent
      }
    }
    return crossings
  }

  /** The windows that are not as they were, in order of their keys. */
  changes(): readonly WindowWrite[] {
    return [...this.#touched()]
      .map(({ budgetId, subject, startMs, held, settled, alerted }) => ({
        budgetId,
        subject,
        startMs,
        held,
        settled,
        alerted,
      }))
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  }

  *#touched(): Iterable<Window> {
    for (const windows of this.#windows.values()) {
      for (const window of windows.values()) {
        const { held, settled, alerted, was } = window
        if (held !== was.held || settled !== was.settled || alerted !== was.alerted) yield window
      }
    }
  }

  #counted(budget: BudgetState, subject: string): readonly Window[] {
    const known = this.#windows.get(`${budget.id} ${subject}`)
    if (known === undefined) return []
    return [...known.values()].filter(({ startMs }) => startMs >= budget.fromMs && startMs <= budget.startMs)
  }

  /** Of a rolling window, when the oldest use of it leaves. */
  #resetsAt({ budget, subject }: Account): number | null {
    if (budget.windowKind !== 2) return budget.resetsAtMs
    const starts = this.#counted(budget, subject)
      .filter(({ held, settled }) => held + settled > 0n)
      .map(({ startMs }) => startMs)
    const width = Math.max(1000, Math.ceil(budget.durationMs / 60))
    return starts.length === 0 ? null : Math.min(...starts) + width + budget.durationMs
  }

  #of(budgetId: string, subject: string): Map<number, Window> {
    const key = `${budgetId} ${subject}`
    const known = this.#windows.get(key)
    if (known !== undefined) return known
    const made = new Map<number, Window>()
    this.#windows.set(key, made)
    return made
  }
}

/** Whose use a call is in a budget; undefined where the budget does not count it. */
export function subjectOf(budget: Pick<BudgetState, 'subjectKind' | 'subjectId'>, of: Subjects): string | undefined {
  if (budget.subjectKind === 6 && of.models.includes(budget.subjectId)) return budget.subjectId
  const ids = [undefined, '', of.team, of.agentId, of.keyId, of.runId, of.models[0], of.tool]
  const id = ids[budget.subjectKind] ?? undefined
  if (id === undefined || (id === '' && budget.subjectKind !== 1)) return undefined
  return budget.subjectId === '*' || budget.subjectId === id ? id : undefined
}

export function amountOf(unit: number, amounts: Amounts): bigint | undefined {
  return unit === 1 ? amounts.nanoUsd : unit === 2 ? amounts.tokens : amounts.requests
}

function keyOf({ budgetId, subject, startMs }: WindowWrite): string {
  return `${budgetId} ${subject} ${startMs}`
}
