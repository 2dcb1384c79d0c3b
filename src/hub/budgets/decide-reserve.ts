import { uuidv7, publicId, refuse, type Refusal } from '#core'
import type { Account, Subjects } from './accounts.ts'
import { admit, mostOutput, type Admission } from './admit.ts'
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
  const subjects = subjectsOf(spender, args.model, args.tool)
  const admitted = (outputTokens: bigint): Admission =>
    admit(desk.accounts, subjects, {
      nanoUsd: args.costOf(outputTokens),
      priceUnknown: args.costOf(outputTokens) === undefined,
      tokens: args.inputTokens + outputTokens,
      requests: 1n,
    })
  let outputTokens = args.maxOutputTokens
  let admission = admitted(outputTokens)
  if (admission.denial !== undefined && args.mayCap) {
    const capped = mostOutput(args.maxOutputTokens, admitted)
    if (capped !== undefined) ({ admission, outputTokens } = capped)
  }
  const nanoUsd = args.costOf(outputTokens)
  const { denial, unpriced, wouldDeny } = admission
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
  const heldTokens = args.inputTokens + outputTokens
  for (const leg of admission.legs)
    desk.accounts.book(leg, amountIn(leg, { nanoUsd: nanoUsd ?? 0n, tokens: heldTokens }), 0n)
  desk.made.set(args.id, {
    id: args.id,
    runId: args.runId,
    agentId: spender.agentId,
    keyId: spender.keyId,
    provider: args.provider,
    model: args.model,
    tool: args.tool,
    state: 1,
    legs: admission.legs,
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
  model: string,
  tool: string,
): Subjects {
  return { agentId, keyId, model, runId, team, tool }
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
