import { publicId, refuse } from '#core'
import { capExceeded } from './cap-refusal.ts'
import {
  amountIn,
  brokenBy,
  exceeded,
  isTheirs,
  isTooMuch,
  nothingSettled,
  refused,
  tooMuch,
} from './decide-reserve.ts'
import type { Desk } from './decide.ts'
import { hasRoom, isEnforced } from './admit.ts'
import { budgetRecord } from './records.ts'
import type {
  HeadroomRow,
  ReservationState,
  SpendArgs,
  SpendExpire,
  SpendExtend,
  SpendRelease,
  SpendRow,
  SpendSettle,
} from './spend-rows.ts'
import { reservationStates as states } from './spend-rows.ts'

/** The number of WindowKind. */
const rolling = 2
const notThere = refused(refuse('object.not_found', 'no such reservation for this caller'))

function wrongState(detail: string): SpendRow {
  return refused(refuse('object.state', detail, { detail }))
}

/** What a reservation came to: in the windows that were reserved, whatever time it is by now. */
export function decideSettle(desk: Desk, args: SpendSettle): SpendRow {
  const found = theirs(desk, args)
  if (found === undefined) return notThere
  const priced = args.tokens === undefined ? undefined : args.priceOf(found)
  // What nobody can tell is taken to be what was held: a call is never free.
  const told = args.nanoUsd === undefined ? (priced ?? found.heldNanoUsd) : larger(args.nanoUsd, priced)
  // What was seen of a model without a price is worth no more than a guess.
  const nanoUsd = args.isPriced(found) ? larger(told, found.seenNanoUsd) : told
  const tokens = larger(args.tokens ?? found.heldTokens, found.seenTokens)
  if (found.state === states.settled) {
    const isSame =
      found.settledTokens === tokens &&
      (args.nanoUsd === undefined || [nanoUsd, args.nanoUsd].includes(found.settledNanoUsd))
    return isSame ? settledRow(desk, found, true) : wrongState('the reservation is settled already, at other amounts')
  }
  if (found.state === states.released) return wrongState('the reservation was released')
  return settledRow(desk, settle(desk, args, found, { nanoUsd, tokens }), false)
}

/** Books exact amounts and frees the rest. Tells what goes beyond what was held. */
export function settle(
  desk: Desk,
  of: SpendArgs,
  found: ReservationState,
  exact: { readonly nanoUsd: bigint; readonly tokens: bigint },
  attemptId: string | null = null,
): ReservationState {
  const late = found.state === states.expired
  const held = { nanoUsd: found.heldNanoUsd, tokens: found.heldTokens }
  for (const leg of found.legs) {
    const booked =
      leg.u === 1 ? found.settledNanoUsd : leg.u === 2 ? found.settledTokens : BigInt(found.settledRequests)
    desk.accounts.book(leg, late ? 0n : -amountIn(leg, held), amountIn(leg, exact) - (late ? booked : 0n))
  }
  const settled: ReservationState = {
    ...found,
    state: states.settled,
    attemptId,
    settledNanoUsd: exact.nanoUsd,
    settledTokens: exact.tokens,
    settledRequests: 1,
    endedAtMs: desk.nowMs,
    late,
  }
  desk.change(settled)
  if (late || exact.nanoUsd > found.heldNanoUsd || exact.tokens > found.heldTokens) {
    desk.records.push(
      budgetRecord('budget.overage', of, desk.nowMs, {
        heldNanoUsd: found.heldNanoUsd.toString(),
        heldTokens: found.heldTokens.toString(),
        late,
        reservationId: publicId('rsv', found.id),
        settledNanoUsd: exact.nanoUsd.toString(),
        settledTokens: exact.tokens.toString(),
      }),
    )
  }
  return settled
}

export function decideExtend(desk: Desk, args: SpendExtend): SpendRow {
  const found = theirs(desk, args)
  if (found === undefined) return notThere
  if (found.state !== states.held) return wrongState('the reservation is not held any more: settle what was used')
  // Here all that was engaged before this transaction began to write is known.
  const stopped = args.stopped?.(found)
  if (stopped !== undefined) return refused(stopped)
  const addNanoUsd = args.addNanoUsd ?? (args.addTokens === 0n ? 0n : args.boundOf(found))
  const adds = addNanoUsd !== 0n || args.addTokens > 0n
  const more = { nanoUsd: found.heldNanoUsd + (addNanoUsd ?? 0n), tokens: found.heldTokens + args.addTokens }
  if (adds && isTooMuch(more)) return tooMuch
  const violation = adds ? brokenBy(args, { ...found, models: args.namesOf(found) }, undefined, more) : undefined
  if (violation !== undefined) return refused(capExceeded(violation))
  for (const leg of adds ? found.legs : []) {
    const budget = desk.accounts.budget(leg.b)
    const asked = leg.u === 1 ? addNanoUsd : leg.u === 2 ? args.addTokens : 0n
    if (asked === 0n || budget === undefined) continue
    const enforced = budget.active && isEnforced(budget)
    if (asked === undefined && !enforced) continue
    if (asked === undefined)
      return refused(
        refuse('budget.price_unknown', `no price of ${found.model}`, {
          facts: { budgetId: publicId('bud', budget.id), model: found.model },
        }),
      )
    // It is booked in the window that was reserved: a calendar's, which may be over, or a bucket of a rolling one, with all those since.
    const startMs = budget.windowKind === rolling ? budget.startMs : leg.w
    const account = { budget: { ...budget, startMs, fromMs: Math.min(budget.fromMs, leg.w) }, subject: leg.s }
    if (desk.accounts.canHold(account, asked) && (!enforced || hasRoom(desk.accounts, account, asked))) continue
    return refused(exceeded({ ...desk.accounts.headroom(account), asked }))
  }
  const added = { nanoUsd: addNanoUsd ?? 0n, tokens: args.addTokens }
  for (const leg of found.legs) if (leg.u !== 3) desk.accounts.book(leg, amountIn(leg, added), 0n)
  const seenTokens = larger(found.seenTokens, args.seenTokens)
  // What was seen of a model without a price is worth what is held.
  const seenNanoUsd =
    args.seenTokens === undefined
      ? undefined
      : (args.seenPriceOf(found) ?? (args.seenTokens > 0n ? found.heldNanoUsd : 0n))
  const extended: ReservationState = {
    ...found,
    heldNanoUsd: found.heldNanoUsd + added.nanoUsd,
    heldTokens: found.heldTokens + added.tokens,
    seenTokens,
    seenNanoUsd: larger(found.seenNanoUsd, seenNanoUsd),
    expiresAtMs: args.ttlMs === 0 ? found.expiresAtMs : Math.max(found.expiresAtMs, desk.nowMs + args.ttlMs),
  }
  desk.change(extended)
  return row(desk, extended, {})
}

export function decideRelease(desk: Desk, args: SpendRelease): SpendRow {
  const found = theirs(desk, args)
  if (found === undefined) return notThere
  if (found.state === states.released) return row(desk, found, { unchanged: true })
  if (found.state !== states.held) return wrongState('the reservation is not held any more')
  if (found.seenTokens > 0n || found.seenNanoUsd > 0n)
    return wrongState('something of the reservation was used: settle it')
  free(desk, found)
  const released: ReservationState = { ...found, state: states.released, endedAtMs: desk.nowMs }
  desk.change(released)
  return row(desk, released, {})
}

/** Books what was seen; what nobody said anything of is free until it is settled, late. */
export function decideExpire(desk: Desk, args: SpendExpire): SpendRow {
  const found = theirs(desk, args)
  if (found === undefined) return notThere
  if (found.state !== states.held || (!args.killed && found.expiresAtMs > desk.nowMs))
    return row(desk, found, { unchanged: true })
  const seen = found.seenTokens > 0n || found.seenNanoUsd > 0n
  free(desk, found)
  const expired: ReservationState = {
    ...found,
    state: states.expired,
    settledNanoUsd: found.seenNanoUsd,
    settledTokens: found.seenTokens,
    settledRequests: seen ? 1 : 0,
    endedAtMs: desk.nowMs,
    killed: args.killed,
  }
  if (seen) {
    for (const leg of found.legs)
      desk.accounts.book(leg, 0n, amountIn(leg, { nanoUsd: found.seenNanoUsd, tokens: found.seenTokens }))
  }
  desk.change(expired)
  if (args.killId !== undefined) desk.killed.set(args.killId, (desk.killed.get(args.killId) ?? 0) + 1)
  desk.records.push(
    budgetRecord('budget.reservation_expired', args, desk.nowMs, {
      heldNanoUsd: found.heldNanoUsd.toString(),
      heldTokens: found.heldTokens.toString(),
      killed: args.killed,
      reservationId: publicId('rsv', found.id),
      seenNanoUsd: found.seenNanoUsd.toString(),
      seenTokens: found.seenTokens.toString(),
    }),
  )
  return row(desk, expired, {})
}

function free(desk: Desk, found: ReservationState): void {
  for (const leg of found.legs)
    desk.accounts.book(leg, -amountIn(leg, { nanoUsd: found.heldNanoUsd, tokens: found.heldTokens }), 0n)
}

function theirs(desk: Desk, args: SpendArgs & { readonly reservationId: string }): ReservationState | undefined {
  const found = desk.reservation(args.reservationId)
  return isTheirs(found, args) ? found : undefined
}

function settledRow(desk: Desk, settled: ReservationState, unchanged: boolean): SpendRow {
  const beyond = settled.settledNanoUsd - (settled.late ? settled.seenNanoUsd : settled.heldNanoUsd)
  return row(desk, settled, {
    settledNanoUsd: settled.settledNanoUsd,
    overageNanoUsd: beyond > 0n ? beyond : 0n,
    late: settled.late,
    unchanged,
  })
}

type Done = Extract<SpendRow, { readonly verdict: 'done' }>

export function row(desk: Desk, of: ReservationState, more: Partial<Done>): SpendRow {
  return {
    verdict: 'done',
    reservationId: of.id,
    headroom: legHeadroom(desk, of),
    maxOutputTokens: 0n,
    capped: false,
    denial: undefined,
    heldNanoUsd: of.heldNanoUsd,
    expiresAtMs: of.expiresAtMs,
    priceUnknown: false,
    ...nothingSettled,
    ...more,
  }
}

/** The budgets that the reservation is booked in, as they stand now. */
function legHeadroom(desk: Desk, { legs }: ReservationState): readonly HeadroomRow[] {
  return legs.flatMap(({ b, s }) => {
    const budget = desk.accounts.budget(b)
    return budget === undefined ? [] : [desk.accounts.headroom({ budget, subject: s })]
  })
}

export function larger(one: bigint, other: bigint | undefined): bigint {
  return other === undefined || other < one ? one : other
}
