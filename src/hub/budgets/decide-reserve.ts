import { uuidv7, publicId, refuse, type Refusal } from '#core'
import type { Account, Subjects } from './accounts.ts'
import { admit, mostOutput, type Admission } from './admit.ts'
import { costMax, tokensMax } from '../runs/rules.ts'
import { judgeAttempt, type RunTotals, type Violation } from '../policies/judge.ts'
import { capExceeded } from './cap-refusal.ts'
import type { Desk } from './decide.ts'
import { amountText, subjectName } from './names.ts'
import { budgetRecord, denialFacts } from './records.ts'
import type { DenialRow, HeadroomRow, Leg, Spender, SpendArgs, SpendReserve, SpendRow } from './spend-rows.ts'

const warn = 3

export function decideReserve(desk: Desk, spender: Spender, args: SpendReserve): SpendRow {
  const { run } = spender
  if (args.runId !== null && !isTheirs(run, args))
    return refused(refuse('object.not_found', 'no such run for this caller'))
  if (run?.finished === true)
    return refused(refuse('object.state', 'the run has ended', { detail: 'the run has ended already' }))
  const subjects = subjectsOf(spender, args.models, args.tool)
  const totals = args.runId === null || run === null ? undefined : desk.totals(args.runId, run)
  const admitted = (outputTokens: bigint): Admission => {
    const nanoUsd = args.costOf(outputTokens)
    const tokens = args.inputTokens + outputTokens
    return {
      ...admit(desk.accounts, subjects, { nanoUsd, priceUnknown: nanoUsd === undefined, tokens, requests: 1n }),
      violation: brokenBy(args, args, totals, { nanoUsd, tokens }),
    }
  }
  let outputTokens = args.maxOutputTokens
  let admission = admitted(outputTokens)
  if ((admission.denial !== undefined || admission.violation !== undefined) && args.mayCap) {
    const capped = mostOutput(args.maxOutputTokens, admitted)
    if (capped !== undefined) ({ admission, outputTokens } = capped)
  }
  const nanoUsd = args.costOf(outputTokens)
  const heldTokens = args.inputTokens + outputTokens
  const held = { nanoUsd: nanoUsd ?? 0n, tokens: heldTokens }
  if (isTooMuch(held)) return tooMuch
  const { unpriced, violation, wouldDeny } = admission
  if (violation !== undefined) return refused(capExceeded(violation))
  const denial = admission.denial ?? unstorable(desk, admission.legs, held)
  if (unpriced !== undefined) {
    return refused(
      refuse('budget.price_unknown', `no price of ${args.model} for budget ${unpriced.id}`, {
        facts: { budgetId: publicId('bud', unpriced.id), model: args.model },
      }),
    )
  }
  if (denial !== undefined && !args.dryRun) return refused(exceeded(denial))
  const decided = {
    verdict: 'done',
    maxOutputTokens: outputTokens,
    capped: outputTokens < args.maxOutputTokens,
    denial: denial ?? wouldDeny,
    heldNanoUsd: nanoUsd ?? 0n,
    ...nothingSettled,
    expiresAtMs: desk.nowMs + args.ttlMs,
    priceUnknown: nanoUsd === undefined,
  } as const
  if (args.dryRun) return { ...decided, reservationId: '', headroom: headroomOf(desk, subjects) }
  for (const leg of admission.legs) desk.accounts.book(leg, amountIn(leg, held), 0n)
  desk.made.set(args.id, {
    id: args.id,
    runId: args.runId,
    agentId: spender.agentId,
    keyId: spender.keyId,
    providerType: args.providerType,
    provider: args.provider,
    model: args.model,
    models: args.models,
    tool: args.tool,
    state: 1,
    legs: admission.legs,
    attemptId: null,
    heldNanoUsd: nanoUsd ?? 0n,
    heldTokens,
    seenNanoUsd: 0n,
    seenTokens: 0n,
    settledNanoUsd: 0n,
    settledTokens: 0n,
    settledRequests: 0,
    priceVersion: args.priceVersion,
    createdAtMs: desk.nowMs,
    expiresAtMs: desk.nowMs + args.ttlMs,
    endedAtMs: null,
    late: false,
    killed: false,
  })
  if (wouldDeny !== undefined) tellWouldDeny(desk, args, args.runId, wouldDeny)
  return { ...decided, reservationId: args.id, headroom: headroomOf(desk, subjects) }
}

/** The first limit that a call with these bounds would break; how long it takes is judged with its attempt. */
export function brokenBy(
  { rules }: Pick<SpendReserve, 'rules'>,
  of: Pick<SpendReserve, 'providerType' | 'provider' | 'models'>,
  totals: RunTotals | undefined,
  { nanoUsd, tokens }: { readonly nanoUsd: bigint | undefined; readonly tokens: bigint },
): Violation | undefined {
  // Only calls of models become attempts.
  if (of.models.length === 0) return undefined
  return judgeAttempt(rules, totals, { ...of, costNanoUsd: nanoUsd, tokens, latencyMs: undefined }).find(
    ({ dryRun }) => !dryRun,
  )
}

/** Far beyond any call. */
export function isTooMuch({ nanoUsd, tokens }: { readonly nanoUsd: bigint; readonly tokens: bigint }): boolean {
  return nanoUsd > costMax || tokens > tokensMax
}

const tooMuchText = `one reservation holds at most ${costMax} nano-USD and ${tokensMax} tokens: ask for less`
export const tooMuch = refused(refuse('input.invalid', tooMuchText, { detail: tooMuchText }))

function unstorable(desk: Desk, legs: readonly Leg[], amounts: Parameters<typeof amountIn>[1]): DenialRow | undefined {
  for (const leg of legs) {
    const budget = desk.accounts.budget(leg.b)
    const asked = amountIn(leg, amounts)
    if (budget === undefined || desk.accounts.canHold({ budget, subject: leg.s }, asked)) continue
    return { ...desk.accounts.headroom({ budget, subject: leg.s }), asked }
  }
  return undefined
}

export const nothingSettled = { settledNanoUsd: 0n, overageNanoUsd: 0n, late: false, unchanged: false } as const

export function refused(refusal: Refusal): SpendRow {
  return { verdict: 'refused', refusal }
}

/** The refusal of a hard budget: it names what has no room, and when it has (SPEC B5). */
export function exceeded(denial: DenialRow): Refusal {
  const { subjectKind, subjectId, unit, limit, used, held, asked } = denial
  const facts = denialFacts(denial)
  const text = `${subjectName(subjectKind, subjectId)}: ${amountText(unit, asked)} asked, ${amountText(unit, used)} used and ${amountText(
    unit,
    held,
  )} held of ${amountText(unit, limit)}`
  return refuse('budget.exceeded', `budget ${denial.budgetId}, ${text}`, {
    detail: `${text}; ${facts['resetsAt'] === undefined ? 'it does not reset by itself' : `resets at ${facts['resetsAt']}`}`,
    facts,
  })
}

/** What a leg takes of the amounts of its reservation. */
export function amountIn(leg: Leg, amounts: { readonly nanoUsd: bigint; readonly tokens: bigint }): bigint {
  return leg.u === 1 ? amounts.nanoUsd : leg.u === 2 ? amounts.tokens : 1n
}

export function subjectsOf(
  { agentId, keyId, runId, team }: Pick<Spender, 'agentId' | 'keyId' | 'runId' | 'team'>,
  models: readonly string[],
  tool: string,
): Subjects {
  return { agentId, keyId, models, runId, team, tool }
}

export function isTheirs(
  object: { readonly agentId: string | null } | null | undefined,
  { ownerAgentId }: Pick<SpendArgs, 'ownerAgentId'>,
): boolean {
  return object !== null && object !== undefined && (ownerAgentId === null || object.agentId === ownerAgentId)
}

export function headroomOf(desk: Desk, subjects: Subjects): readonly HeadroomRow[] {
  return desk.accounts.matching(subjects).map((account: Account) => desk.accounts.headroom(account))
}

/** A budget that is only tried out says what it would have refused: in the ledger, and as an event of the run (SPEC B6). */
export function tellWouldDeny(desk: Desk, args: SpendArgs, runId: string | null, denial: DenialRow): void {
  const facts = denialFacts(denial)
  desk.records.push(
    budgetRecord('budget.would_deny', args, desk.nowMs, {
      ...facts,
      ...(runId === null ? {} : { runId: publicId('run', runId) }),
    }),
  )
  if (runId !== null) desk.events.push(eventOf(desk, runId, 'budget.would_deny', 'a budget would have refused', facts))
}

export function eventOf(
  desk: Desk,
  runId: string,
  eventType: string,
  message: string,
  data: Readonly<Record<string, string>>,
): Desk['events'][number] {
  return {
    id: uuidv7(desk.nowMs),
    runId,
    ownerAgentId: null,
    eventType,
    level: warn,
    message,
    dataJson: JSON.stringify(data),
    createdAtMs: desk.nowMs,
  }
}
