import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { BudgetService, SimulateResponseSchema, SubjectKind } from '@portcullis/contract'
import { isRefusal, refuse, uuidv7 } from '#core'
import { modelNames } from '../costs/model-names.ts'
import type { PricePort } from '../costs/ports.ts'
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
// So many are decided in a few milliseconds; then others have their turn.
const turnSize = 500

/** What a budget would have done to the attempts of a time that has passed (SPEC B6). */
export const simulate = read(
  BudgetService.method.simulate,
  async (message, { caller, clock, prices, reader }) => {
    const fields = new Fields()
    const { budget } = message
    if (budget === undefined) return refuse('input.invalid', 'budget: is required', { detail: 'budget is required' })
    const given = budgetFields(fields, budget)
    if (given.subjectKind === SubjectKind.KEY || given.subjectKind === SubjectKind.TOOL)
      fields.wrong('budget.subject.kind', notKept(given.subjectKind))
    const untilMs = message.until === undefined ? clock.now() : fields.moment('until', message.until)
    if (message.from === undefined) fields.wrong('from', 'is required')
    const fromMs = message.from === undefined ? 0 : fields.moment('from', message.from)
    if (untilMs <= fromMs || untilMs - fromMs > daysMax * 86_400_000)
      fields.wrong('until', `must be after from, at most ${daysMax} days`)
    if (fields.refusal !== undefined) return fields.refusal
    const simulation = new Simulation({ ...given, id: uuidv7(0), limit: BigInt(given.limit) }, prices)
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
      await simulation.takeAll(page)
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

/** What enforcement counts by the call is not in the record of the attempt: to leave those out would answer too little. */
function notKept(kind: SubjectKind): string {
  const what = kind === SubjectKind.KEY ? 'the key that they came with' : 'the tool that they were made for'
  return `cannot be simulated: recorded attempts keep their run, agent and model, and not ${what}; set such a budget with the action DRY_RUN and see what it would deny`
}

type Tried = Pick<
  BudgetState,
  'id' | 'name' | 'subjectKind' | 'subjectId' | 'unit' | 'limit' | 'windowKind' | 'hard' | 'action'
> & { readonly durationMs: string }

/** One budget over attempts in their order: each is decided as enforcement would have, and charged where it is let in. */
export class Simulation {
  /** The one budget of the accounts; its window goes on with the attempts. */
  readonly #budget: { -readonly [Name in keyof BudgetState]: BudgetState[Name] }
  readonly #accounts: Accounts
  readonly #prices: Pick<PricePort, 'skuOf'>
  #forgottenAtMs = Number.NEGATIVE_INFINITY
  #attempts = 0n
  #admitted = 0n
  #denied = 0n
  #admittedAmount = 0n
  #deniedAmount = 0n
  #first: { readonly denial: DenialRow; readonly atMs: number } | undefined
  looked = 0

  /** A soft budget is asked as if it was hard. */
  constructor(budget: Tried, prices: Pick<PricePort, 'skuOf'>) {
    this.#prices = prices
    const window = { startMs: Number.NEGATIVE_INFINITY, fromMs: 0, resetsAtMs: null }
    this.#budget = { ...budget, ...window, durationMs: Number(budget.durationMs), hard: true, action: 1, active: true }
    this.#accounts = new Accounts([this.#budget], [])
  }

  async takeAll(attempts: readonly PastAttempt[]): Promise<void> {
    for (const attempt of attempts) {
      this.take(attempt)
      if (this.looked % turnSize === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  take(attempt: PastAttempt): void {
    this.looked += 1
    const models = this.#budget.subjectKind === SubjectKind.MODEL ? modelNames(attempt, this.#prices) : []
    const subjects: Subjects = { ...attempt, models, keyId: null, tool: '' }
    const subject = subjectOf(this.#budget, subjects)
    if (subject === undefined) return
    const amounts: Amounts = {
      nanoUsd: BigInt(attempt.costNanoUsd),
      priceUnknown: false,
      tokens: BigInt(attempt.tokens),
      requests: 1n,
    }
    const amount = amountOf(this.#budget.unit, amounts) ?? 0n
    this.#moveTo(attempt)
    const { denial, wouldDeny, legs } = admit(this.#accounts, subjects, amounts)
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
    for (const leg of legs) this.#accounts.book(leg, 0n, amount)
  }

  result(): MessageInitShape<typeof SimulateResponseSchema> & { readonly admitted: bigint } {
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

  /**
   * Never back, as the clock of enforcement: what was recorded late counts where the budget stands. Each bucket is dropped when a whole
   * window has passed since the last time, so that it is looked at once or twice.
   */
  #moveTo({ startMs, fromMs, resetsAtMs }: PastAttempt): void {
    if (startMs <= this.#budget.startMs) return
    Object.assign(this.#budget, { startMs, fromMs, resetsAtMs })
    if (fromMs <= this.#forgottenAtMs) return
    this.#accounts.forget(fromMs)
    this.#forgottenAtMs = startMs
  }
}
