import { publicId, refuse, type Refusal } from '#core'
import { judgeAttempt, type Violation } from '../policies/judge.ts'
import { capExceeded, violationFacts } from './cap-refusal.ts'
import { modelNames } from '../costs/model-names.ts'
import { admit, type Admission } from './admit.ts'
import {
  amountIn,
  eventOf,
  exceeded,
  headroomOf,
  isTheirs,
  refused,
  subjectsOf,
  tellWouldDeny,
} from './decide-reserve.ts'
import type { Desk } from './decide.ts'
import { larger, row, settle } from './decide-held.ts'
import { budgetRecord } from './records.ts'
import { reservationStates as states } from './spend-rows.ts'
import type { ReservationState, ReservationWrite, Spender, SpendAttempt, SpendRow } from './spend-rows.ts'

/**
 * An attempt of a tenant whose spending is limited (SPEC B1, B2, B4): what is recorded of it is what is booked. It settles the reservation
 * that it names, or is charged at once; where there is no room for it nothing is written.
 */
export function decideAttempt(desk: Desk, spender: Spender, args: SpendAttempt): SpendRow {
  const { attempt, nanoUsd, tokens } = args
  const { run } = spender
  if (run === null || !isTheirs(run, args)) return refused(refuse('object.not_found', 'no such run for this caller'))
  const violations = judgeAttempt(args.rules, desk.totals(attempt.runId, run), {
    providerType: attempt.providerType,
    provider: attempt.provider,
    models: args.models,
    costNanoUsd: nanoUsd,
    tokens,
    latencyMs: BigInt(attempt.latencyMs),
  })
  const enforced = violations.find(({ dryRun }) => !dryRun)
  if (enforced !== undefined) {
    if (args.reservationId !== null) remember(desk, spender, args, args.reservationId)
    return refused(capExceeded(enforced))
  }
  const paid =
    args.reservationId === null ? charge(desk, spender, args) : settleWith(desk, spender, args, args.reservationId)
  if (paid.verdict === 'refused') return paid
  for (const violation of violations) tellViolation(desk, args, violation)
  desk.addToRun(attempt.runId, BigInt(attempt.costNanoUsd), tokens)
  desk.attempts.push({ n: spender.n, p: spender.p, attempt })
  const workflow = attempt.workflow === '' ? run.workflow : attempt.workflow
  const promptVersion = attempt.promptVersion === '' ? run.promptVersion : attempt.promptVersion
  return { ...paid, attempt: { workflow, promptVersion, agentId: run.agentId } }
}

/**
 * The same numbers are reported and enforced. A reservation pays for one attempt, and for none but that which it was made for; budgets that
 * could not know of the attempt from the reservation are asked now.
 */
function settleWith(desk: Desk, spender: Spender, args: SpendAttempt, reservationId: string): SpendRow {
  const found = desk.reservation(reservationId)
  if (found === undefined || !isTheirs(found, args))
    return refused(refuse('object.not_found', 'no such reservation for this caller'))
  const other = otherThan(found, spender, args)
  if (other !== undefined) return wrongState(`the reservation was made for another ${other}`)
  const exact = exactOf(args, found)
  const isSettled = found.state === states.settled
  if (found.attemptId !== null) return wrongState('the reservation has paid for an attempt already')
  if (isSettled && (found.settledNanoUsd !== exact.nanoUsd || found.settledTokens !== exact.tokens))
    return wrongState('the reservation is settled already, at other amounts')
  if (found.state === states.released) return wrongState('the reservation was released')
  const asked = ask(desk, spender, args, exact, new Set(found.legs.map(({ b }) => b)))
  if ('refusal' in asked) {
    remember(desk, spender, args, reservationId)
    return refused(asked.refusal)
  }
  const { id } = args.attempt
  const settled = isSettled ? { ...found, attemptId: id } : settle(desk, args, found, exact, id)
  for (const leg of asked.legs) desk.accounts.book(leg, 0n, amountIn(leg, exact))
  const paid = { ...settled, legs: [...settled.legs, ...asked.legs] }
  desk.change(paid)
  if (asked.wouldDeny !== undefined) tellWouldDeny(desk, args, args.attempt.runId, asked.wouldDeny)
  return row(desk, paid, { settledNanoUsd: paid.settledNanoUsd, late: paid.late, unchanged: isSettled })
}

/** What the attempt names otherwise than its reservation; what either of them does not name is no difference. */
function otherThan(found: ReservationState, { run }: Spender, args: SpendAttempt): string | undefined {
  const { attempt, skuOf, tool } = args
  const { provider, runId } = attempt
  const differs = (one: string, two: string): boolean =>
    one !== '' && two !== '' && one.trim().toLowerCase() !== two.trim().toLowerCase()
  if (found.runId !== null && found.runId !== runId) return 'run'
  if (found.agentId !== null && found.agentId !== run?.agentId) return 'agent'
  const known = modelNames(found, { skuOf })
  if (known.length > 0 && !known.some((name) => args.models.includes(name))) return 'model'
  if (differs(found.provider, provider)) return 'provider'
  return differs(found.tool, tool) ? 'tool' : undefined
}

function wrongState(detail: string): SpendRow {
  return refused(refuse('object.state', detail, { detail }))
}

/** What is not recorded was spent all the same: the reservation says so, and its expiry books it. One that has expired is booked now. */
function remember(desk: Desk, spender: Spender, args: SpendAttempt, reservationId: string): void {
  const found = desk.reservation(reservationId)
  if (found === undefined || !isTheirs(found, args) || otherThan(found, spender, args) !== undefined) return
  const exact = exactOf(args, found)
  if (found.state === states.expired) settle(desk, args, found, exact)
  if (found.state !== states.held) return
  const seenNanoUsd = larger(found.seenNanoUsd, exact.nanoUsd)
  const seenTokens = larger(found.seenTokens, exact.tokens)
  if (seenNanoUsd !== found.seenNanoUsd || seenTokens !== found.seenTokens)
    desk.change({ ...found, seenNanoUsd, seenTokens })
}

function exactOf(
  { nanoUsd, priceUnknown, tokens }: SpendAttempt,
  { heldNanoUsd, seenNanoUsd, seenTokens }: ReservationState,
): { readonly nanoUsd: bigint; readonly tokens: bigint } {
  // What nobody can tell is taken to be what was held: an attempt is never free.
  const told = priceUnknown && nanoUsd === 0n ? heldNanoUsd : nanoUsd
  return { nanoUsd: priceUnknown ? told : larger(told, seenNanoUsd), tokens: larger(tokens, seenTokens) }
}

/** What the budgets say of the attempt, but for those that count it already. */
function ask(
  desk: Desk,
  spender: Spender,
  { attempt, models, priceUnknown, tool }: SpendAttempt,
  amount: { readonly nanoUsd: bigint; readonly tokens: bigint },
  counted?: ReadonlySet<string>,
): Pick<Admission, 'legs' | 'wouldDeny'> | { readonly refusal: Refusal } {
  const amounts = { ...amount, priceUnknown, requests: 1n }
  const subjects = subjectsOf(spender, models, tool)
  const { denial, unpriced, wouldDeny, legs } = admit(desk.accounts, subjects, amounts, counted)
  if (unpriced !== undefined) {
    return {
      refusal: refuse('budget.price_unknown', `no price of ${attempt.model}`, {
        facts: { budgetId: publicId('bud', unpriced.id), model: attempt.model },
      }),
    }
  }
  return denial === undefined ? { legs, wouldDeny } : { refusal: exceeded(denial) }
}

function charge(desk: Desk, spender: Spender, args: SpendAttempt): SpendRow {
  const { attempt, tokens } = args
  const subjects = subjectsOf(spender, args.models, args.tool)
  const asked = ask(desk, spender, args, args)
  if ('refusal' in asked) return refused(asked.refusal)
  const { legs, wouldDeny } = asked
  const booked = { nanoUsd: args.nanoUsd, tokens }
  for (const leg of legs) desk.accounts.book(leg, 0n, amountIn(leg, booked))
  const charged: ReservationWrite & ReservationState = {
    id: attempt.id,
    runId: attempt.runId,
    agentId: spender.agentId,
    keyId: spender.keyId,
    providerType: attempt.providerType,
    provider: attempt.provider,
    model: attempt.model,
    models: args.models,
    tool: args.tool,
    state: states.settled,
    legs,
    attemptId: attempt.id,
    heldNanoUsd: booked.nanoUsd,
    heldTokens: tokens,
    seenNanoUsd: 0n,
    seenTokens: 0n,
    settledNanoUsd: booked.nanoUsd,
    settledTokens: tokens,
    settledRequests: 1,
    priceVersion: args.priceVersion,
    createdAtMs: desk.nowMs,
    expiresAtMs: desk.nowMs,
    endedAtMs: desk.nowMs,
    late: false,
    killed: false,
  }
  if (legs.length > 0) desk.made.set(charged.id, charged)
  if (wouldDeny !== undefined) tellWouldDeny(desk, args, attempt.runId, wouldDeny)
  return row(desk, charged, { headroom: headroomOf(desk, subjects), settledNanoUsd: booked.nanoUsd })
}

/** A cap that is only tried out: the attempt passes, and its run says so. */
function tellViolation(desk: Desk, args: SpendAttempt, violation: Violation): void {
  const { runId } = args.attempt
  const facts = violationFacts(violation)
  desk.events.push(eventOf(desk, runId, 'policy.violation', 'a cap would have refused an attempt', facts))
  desk.records.push(budgetRecord('policy.violation', args, desk.nowMs, { ...facts, runId: publicId('run', runId) }))
}
