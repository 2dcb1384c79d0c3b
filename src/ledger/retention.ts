/** A month of a retention class, as a partition holds it. Times in milliseconds. */
export interface Month {
  readonly name: string
  readonly retentionClass: string
  readonly firstMs: number
  /** The beginning of the month after. */
  readonly nextMs: number
  readonly bytes: number
}

/** Why a month stays. */
export type Stay = 'kept_for_good' | 'not_expired' | 'held' | 'after_held'

export interface PlannedMonth extends Month {
  /** Undefined where it may go. */
  readonly stays: Stay | undefined
  readonly why: string
}

export interface ClassPlan {
  readonly retentionClass: string
  readonly months: readonly PlannedMonth[]
  /** Everything before it may go; undefined where nothing may. */
  readonly beforeMs: number | undefined
}

export interface Holding {
  readonly log: string
  readonly reason: string
}

interface PlanInput {
  readonly months: readonly Month[]
  /** Days in the database, by class; a class that is missing is kept for good. */
  readonly hotDays: ReadonlyMap<string, number>
  /** The holds on logs that have entries in that month or in one before it. */
  readonly holdsIn: (month: Month) => readonly Holding[]
  readonly nowMs: number
}

const dayMs = 86_400_000

/**
 * Which months may go (SPEC L12). A log loses its beginning and nothing else, so a month goes only with all that are before it:
 * one that is held keeps what follows.
 */
export function planPrune({ months, hotDays, holdsIn, nowMs }: PlanInput): readonly ClassPlan[] {
  const classes = [...new Set(months.map(({ retentionClass }) => retentionClass))].toSorted()
  return classes.map((retentionClass) => {
    const days = hotDays.get(retentionClass)
    const own = months
      .filter((month) => month.retentionClass === retentionClass)
      .toSorted((a, b) => a.firstMs - b.firstMs)
    let held: string | undefined
    const planned = own.map((month): PlannedMonth => {
      if (days === undefined) return stay(month, 'kept_for_good', 'no policy ever ends for this class')
      const expiresMs = month.nextMs + days * dayMs
      if (expiresMs > nowMs) {
        return stay(month, 'not_expired', `it is kept until ${new Date(expiresMs).toISOString().slice(0, 10)}`)
      }
      if (held !== undefined) return stay(month, 'after_held', `${held} is held, and a log loses its beginning only`)
      const [hold] = holdsIn(month)
      if (hold === undefined) return { ...month, stays: undefined, why: 'expired' }
      held = month.name
      return stay(month, 'held', `a legal hold keeps the log ${hold.log}: ${hold.reason}`)
    })
    const last = planned.findLast(({ stays }) => stays === undefined)
    return { retentionClass, months: planned, beforeMs: last?.nextMs }
  })
}

function stay(month: Month, stays: Stay, why: string): PlannedMonth {
  return { ...month, stays, why }
}
