import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { BudgetService, SimulateResponseSchema, SubjectKind } from '@portcullis/contract'
import { isRefusal, refuse, uuidv7 } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope } from '../handler.ts'
import type { BudgetState, DenialRow, PastAttempt } from '../ports.ts'
import { Accounts, amountOf, subjectOf, type Amounts, type Subjects } from './accounts.ts'
import { admit } from './admit.ts'
import { budgetFields } from './budget-fields.ts'
import { denialMessage } from './messages.ts'

const daysMax = 31
const attemptsMax = 1_000_000
const pageSize = 5000

/** What a budget would have done to the attempts of a time that has passed (SPEC B6). */
export const simulate = read(
  BudgetService.method.simulate,
  async (message, { caller, clock, reader }) => {
    const fields = new Fields()
    const { budget } = message
    if (budget === undefined) return refuse('input.invalid', 'budget: is required', { detail: 'budget is required' })
    const given = budgetFields(fields, budget)
    if (given.subjectKind === SubjectKind.KEY || given.subjectKind === SubjectKind.TOOL)
      fields.wrong('budget.subject.kind', 'is not known of attempts that were recorded: use another kind')
    const untilMs = message.until === undefined ? clock.now() : fields.moment('until', message.until)
    if (message.from === undefined) fields.wrong('from', 'is required')
    const fromMs = message.from === undefined ? 0 : fields.moment('from', message.from)
    if (untilMs <= fromMs || untilMs - fromMs > daysMax * 86_400_000)
      fields.wrong('until', `must be after from, at most ${daysMax} days`)
    if (fields.refusal !== undefined) return fields.refusal
    const simulation = new Simulation({ ...given, id: uuidv7(0), limit: BigInt(given.limit) })
    const window = {
      kind: given.windowKind,
      duration: given.duration,
      durationMs: given.durationMs,
      timeZone: given.timeZone,
    }
    let after: string | undefined
    for (;;) {
      const page = await reader.pastAttempts(readScope(caller, false), { fromMs, untilMs, after, window }, pageSize)
      if (isRefusal(page)) return page
      for (const attempt of page) simulation.take(attempt)
      after = page.at(-1)?.id
      if (page.length < pageSize || after === undefined) break
      if (simulation.looked >= attemptsMax)
        return refuse('input.invalid', 'too many attempts', {
          detail: `until: there are more than ${attemptsMax} attempts: ask for less time`,
        })
    }
    return create(SimulateResponseSchema, simulation.result())
  },
  ({ budget }) => ({ limit: budget?.limit?.toString(), subjectKind: budget?.subject?.kind, unit: budget?.unit }),
)

type Tried = Pick<
  BudgetState,
  'id' | 'name' | 'subjectKind' | 'subjectId' | 'unit' | 'limit' | 'windowKind' | 'hard' | 'action'
> & { readonly durationMs: string }

/** One budget over attempts in their order: each is decided as enforcement would have, and charged where it is let in. */
export class Simulation {
  readonly #budget: Tried
  #accounts: Accounts | undefined
  #startMs = Number.NaN
  readonly #booked = new Map<string, { subject: string; startMs: number; settled: bigint }>()
  #attempts = 0n
  #admitted = 0n
  #denied = 0n
  #admittedAmount = 0n
  #deniedAmount = 0n
  #first: { readonly denial: DenialRow; readonly atMs: number } | undefined
  looked = 0

  constructor(budget: Tried) {
    this.#budget = budget
  }

  take(attempt: PastAttempt): void {
    this.looked += 1
    const subjects: Subjects = { ...attempt, keyId: null, tool: '' }
    const subject = subjectOf(this.#budget, subjects)
    if (subject === undefined) return
    const amounts: Amounts = {
      nanoUsd: BigInt(attempt.costNanoUsd),
      priceUnknown: false,
      tokens: BigInt(attempt.tokens),
      requests: 1n,
    }
    const amount = amountOf(this.#budget.unit, amounts) ?? 0n
    const accounts = this.#at(attempt)
    const { denial, wouldDeny, legs } = admit(accounts, subjects, amounts)
    this.#attempts += 1n
    const refused = denial ?? wouldDeny
    if (refused !== undefined) {
      this.#denied += 1n
      this.#deniedAmount += amount
      this.#first ??= { denial: refused, atMs: attempt.createdAtMs }
      return
    }
    this.#admitted += 1n
    this.#admittedAmount += amount
    for (const leg of legs) {
      accounts.book(leg, 0n, amount)
      const key = `${leg.s} ${leg.w}`
      const booked = this.#booked.get(key) ?? { subject: leg.s, startMs: leg.w, settled: 0n }
      booked.settled += amount
      this.#booked.set(key, booked)
    }
  }

  result(): object {
    return {
      attempts: this.#attempts,
      admitted: this.#admitted,
      denied: this.#denied,
      admittedAmount: this.#admittedAmount,
      deniedAmount: this.#deniedAmount,
      ...(this.#first === undefined
        ? {}
        : {
            firstDenial: denialMessage(this.#first.denial),
            firstDeniedAt: timestampFromMs(this.#first.atMs),
          }),
    }
  }

  /** The accounts as they would have been: a soft budget is asked as if it was hard. */
  #at({ startMs, fromMs, resetsAtMs }: PastAttempt): Accounts {
    if (this.#accounts !== undefined && this.#startMs === startMs) return this.#accounts
    const { durationMs, ...budget } = this.#budget
    const state: BudgetState = {
      ...budget,
      hard: true,
      action: 1,
      durationMs: Number(durationMs),
      active: true,
      startMs,
      fromMs,
      resetsAtMs,
    }
    for (const [key, { startMs: start }] of this.#booked) if (start < fromMs - 86_400_000) this.#booked.delete(key)
    const windows = [...this.#booked.values()].map((one) => ({ ...one, budgetId: state.id, held: 0n, alerted: 0 }))
    this.#accounts = new Accounts([state], windows)
    this.#startMs = startMs
    return this.#accounts
  }
}
