import { publicId, refuse, type Refusal } from '#core'
import { maskText } from '#ledger'
import { judgeAttempt, type Violation } from '../policies/judge.ts'
import { admit } from './admit.ts'
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
    model: attempt.model,
    costNanoUsd: nanoUsd,
    tokens,
    latencyMs: BigInt(attempt.latencyMs),
  })
  const enforced = violations.find(({ dryRun }) => !dryRun)
  if (enforced !== undefined) {
    if (args.reservationId !== null) remember(desk, args, args.reservationId)
    return refused(capExceeded(enforced))
  }
  const paid = args.reservationId === null ? charge(desk, spender, args) : settleWith(desk, args, args.reservationId)
  if (paid.verdict === 'refused') return paid
  for (const violation of violations) tellViolation(desk, args, violation)
  desk.addToRun(attempt.runId, BigInt(attempt.costNanoUsd), tokens)
  desk.attempts.push({ n: spender.n, p: spender.p, attempt })
  const workflow = attempt.workflow === '' ? run.workflow : attempt.workflow
  const promptVersion = attempt.promptVersion === '' ? run.promptVersion : attempt.promptVersion
  return { ...paid, attempt: { workflow, promptVersion, agentId: run.agentId } }
}

/** The same numbers are reported and enforced. */
function settleWith(desk: Desk, args: SpendAttempt, reservationId: string): SpendRow {
  const found = reservedFor(desk, args, reservationId)
  if (found === undefined) return refused(refuse('object.not_found', 'no such reservation for this caller and run'))
  const exact = exactOf(args, found)
  if (found.state === states.settled) {
    if (found.settledNanoUsd === exact.nanoUsd && found.settledTokens === exact.tokens)
      return row(desk, found, { settledNanoUsd: found.settledNanoUsd, unchanged: true })
    const detail = 'the reservation is settled already, at other amounts'
    return refused(refuse('object.state', detail, { detail }))
  }
  if (found.state === states.released)
    return refused(refuse('object.state', 'released', { detail: 'the reservation was released' }))
  const settled = settle(desk, args, found, exact)
  return row(desk, settled, { settledNanoUsd: settled.settledNanoUsd, late: settled.late })
}

/** What is not recorded was spent all the same: the reservation says so, and its expiry books it. One that has expired is booked now. */
function remember(desk: Desk, args: SpendAttempt, reservationId: string): void {
  const found = reservedFor(desk, args, reservationId)
  if (found === undefined) return
  const exact = exactOf(args, found)
  if (found.state === states.expired) settle(desk, args, found, exact)
  if (found.state !== states.held) return
  const seenNanoUsd = larger(found.seenNanoUsd, exact.nanoUsd)
  const seenTokens = larger(found.seenTokens, exact.tokens)
  if (seenNanoUsd !== found.seenNanoUsd || seenTokens !== found.seenTokens)
    desk.change({ ...found, seenNanoUsd, seenTokens })
}

function reservedFor(desk: Desk, args: SpendAttempt, reservationId: string): ReservationState | undefined {
  const found = desk.reservation(reservationId)
  const isOfRun = found !== undefined && (found.runId === null || found.runId === args.attempt.runId)
  return isOfRun && isTheirs(found, args) ? found : undefined
}

function exactOf(
  { nanoUsd, priceUnknown, tokens }: SpendAttempt,
  { heldNanoUsd }: ReservationState,
): { readonly nanoUsd: bigint; readonly tokens: bigint } {
  // What nobody can tell is taken to be what was held: an attempt is never free.
  return { nanoUsd: priceUnknown && nanoUsd === 0n ? heldNanoUsd : nanoUsd, tokens }
}

function charge(desk: Desk, spender: Spender, args: SpendAttempt): SpendRow {
  const { attempt, tokens } = args
  const subjects = subjectsOf(spender, attempt.model, args.tool)
  const amounts = { nanoUsd: args.nanoUsd, priceUnknown: args.priceUnknown, tokens, requests: 1n }
  const { denial, unpriced, wouldDeny, legs } = admit(desk.accounts, subjects, amounts)
  if (unpriced !== undefined) {
    return refused(
      refuse('budget.price_unknown', `no price of ${attempt.model}`, {
        facts: { budgetId: publicId('bud', unpriced.id), model: attempt.model },
      }),
    )
  }
  if (denial !== undefined) return refused(exceeded(denial))
  const booked = { nanoUsd: args.nanoUsd, tokens }
  for (const leg of legs) desk.accounts.book(leg, 0n, amountIn(leg, booked))
  const charged: ReservationWrite & ReservationState = {
    id: attempt.id,
    runId: attempt.runId,
    agentId: spender.agentId,
    keyId: spender.keyId,
    provider: attempt.provider,
    model: attempt.model,
    tool: args.tool,
    state: states.settled,
    legs,
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

function factsOf({ capId, name, limitName, limit, value }: Violation): Readonly<Record<string, string>> {
  return {
    ...(capId === undefined ? {} : { capId: publicId('cap', capId) }),
    name: maskText(name),
    limitName,
    limit: limit.toString(),
    value: value.toString(),
  }
}

function capExceeded(violation: Violation): Refusal {
  const { limit, limitName, name, value } = violation
  const text = `${maskText(name)}: ${limitName} is ${limit}, and this attempt makes it ${value}`
  return refuse('policy.cap_exceeded', text, { detail: text, facts: factsOf(violation) })
}

/** A cap that is only tried out: the attempt passes, and its run says so. */
function tellViolation(desk: Desk, args: SpendAttempt, violation: Violation): void {
  const { runId } = args.attempt
  const facts = factsOf(violation)
  desk.events.push(eventOf(desk, runId, 'policy.violation', 'a cap would have refused an attempt', facts))
  desk.records.push(budgetRecord('policy.violation', args, desk.nowMs, { ...facts, runId: publicId('run', runId) }))
}
