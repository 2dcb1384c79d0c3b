import { expect } from 'vitest'
import type { AttemptRecord } from '../rows.ts'
import { decideSpending } from './decide.ts'
import type { BudgetState, ReservationState, SpendArgs, Spender, SpendRow, WindowState } from './spend-rows.ts'

export const who = { log: 'main', tenant: 'ten_x', ownerAgentId: null }
export const noCaps = { policy: undefined, caps: [] }
export const dayMs = 86_400_000
export const freshRun = {
  agentId: null,
  workflow: '',
  promptVersion: '',
  finished: false,
  attempts: 0n,
  costNanoUsd: 0n,
  tokens: 0n,
}

export function budgetOf(more: Partial<BudgetState> = {}): BudgetState {
  return {
    id: 'b1',
    name: 'b',
    subjectKind: 1,
    subjectId: '',
    unit: 1,
    limit: 100n,
    windowKind: 1,
    durationMs: 0,
    hard: true,
    action: 1,
    active: true,
    startMs: 0,
    fromMs: 0,
    resetsAtMs: dayMs,
    ...more,
  }
}

/** The database as decisions see it: rows that were written, and nothing else. */
export class Table {
  readonly budgets: BudgetState[]
  readonly windows = new Map<string, WindowState>()
  readonly reservations = new Map<string, ReservationState>()
  /** What left the state held, and what was settled in all. */
  readonly left: string[] = []
  overage = false
  nowMs = 0

  constructor(budgets: BudgetState[]) {
    this.budgets = budgets
  }

  decide(calls: readonly SpendArgs[]): readonly SpendRow[] {
    const spenders = calls.map((args, n): Spender => {
      const reservation = 'reservationId' in args ? (this.reservations.get(args.reservationId ?? '') ?? null) : null
      const runId = args.kind === 'attempt' ? args.attempt.runId : args.kind === 'reserve' ? args.runId : null
      const run = runId === null ? null : { ...freshRun, agentId: args.ownerAgentId }
      const of = { runId, agentId: null, team: null, keyId: null, models: 'models' in args ? args.models : [] }
      return { n, p: 0, args, run, reservation, ...of }
    })
    const windows = [...this.windows.values()]
    const outcome = decideSpending({ nowMs: this.nowMs, spenders, budgets: this.budgets, windows })
    for (const window of outcome.windows)
      this.windows.set(`${window.budgetId} ${window.subject} ${window.startMs}`, window)
    for (const one of outcome.made) this.reservations.set(one.id, one)
    for (const one of outcome.changed) {
      if (this.reservations.get(one.id)?.state === 1 && one.state !== 1) this.left.push(one.id)
      this.reservations.set(one.id, one)
    }
    this.overage ||= outcome.records.some(({ action }) => action === 'budget.overage')
    return outcome.rows.map(({ row }) => row)
  }

  /** The sums that the windows have to say. */
  expectExact(): void {
    const sums = new Map<string, { held: bigint; settled: bigint }>()
    for (const one of this.reservations.values()) {
      for (const { b, s, w, u } of one.legs) {
        const key = `${b} ${s} ${w}`
        const sum = sums.get(key) ?? { held: 0n, settled: 0n }
        const [held, settled] =
          u === 1
            ? [one.heldNanoUsd, one.settledNanoUsd]
            : u === 2
              ? [one.heldTokens, one.settledTokens]
              : [1n, BigInt(one.settledRequests)]
        if (one.state === 1) sum.held += held
        else sum.settled += settled
        sums.set(key, sum)
      }
    }
    for (const [key, { held, settled }] of this.windows)
      expect({ key, held, settled }).toEqual({ key, ...(sums.get(key) ?? { held: 0n, settled: 0n }) })
    // What comes to nothing needs no window.
    const without = [...sums].filter(([key, { held, settled }]) => !this.windows.has(key) && held + settled > 0n)
    expect(without).toEqual([])
  }
}

export const reserve = (id: string, nanoUsd: bigint, tokens = 1n): SpendArgs => ({
  ...who,
  kind: 'reserve',
  id,
  runId: null,
  agentId: null,
  keyId: null,
  providerType: '',
  provider: '',
  model: 'm',
  models: ['m'],
  tool: '',
  inputTokens: tokens,
  maxOutputTokens: 0n,
  mayCap: false,
  costOf: () => nanoUsd,
  priceVersion: '',
  ttlMs: 1000,
  dryRun: false,
  rules: noCaps,
})
export const settle = (reservationId: string, nanoUsd: bigint, tokens = 1n): SpendArgs => ({
  ...who,
  kind: 'settle',
  reservationId,
  tokens,
  nanoUsd,
  priceOf: () => undefined,
  isPriced: () => true,
})
/** Under a policy that lets a run cost 10. */
export const attempt = (reservationId: string, nanoUsd: bigint, tokens: bigint, runId = 'run'): SpendArgs => ({
  ...who,
  kind: 'attempt',
  attempt: attemptOf(runId, nanoUsd),
  reservationId,
  agentId: null,
  keyId: null,
  models: ['m'],
  tool: '',
  nanoUsd,
  priceUnknown: false,
  tokens,
  priceVersion: '',
  skuOf: ({ model }) => `/${model}`,
  rules: {
    policy: { maxCostPerRunNanoUsd: 10n, maxAttemptsPerRun: 0n, maxTokensPerRun: 0n, maxLatencyPerAttemptMs: 0n },
    caps: [],
  },
})
export const attemptOf = (runId: string, nanoUsd: bigint): AttemptRecord => ({
  id: 'a',
  runId,
  ownerAgentId: null,
  attemptNumber: 1,
  workflow: '',
  providerType: '',
  provider: '',
  model: 'm',
  promptVersion: '',
  promptHash: '',
  outcome: 1,
  errorType: '',
  errorMessage: '',
  inputTokens: '0',
  cachedReadTokens: '0',
  cacheWriteTokens: '0',
  outputTokens: '0',
  reasoningTokens: '0',
  costNanoUsd: nanoUsd.toString(),
  reportedCostNanoUsd: nanoUsd.toString(),
  priceVersion: '',
  unitPrices: '',
  sku: '/m',
  latencyMs: '1',
  qualityScoreMilli: 0,
  createdAtMs: 0,
})
export const extend = (reservationId: string, addNanoUsd: bigint, seen: bigint): SpendArgs => ({
  ...who,
  kind: 'extend',
  reservationId,
  ttlMs: 500,
  addTokens: addNanoUsd,
  addNanoUsd,
  boundOf: () => undefined,
  seenTokens: seen,
  seenPriceOf: () => seen,
  namesOf: ({ model }) => [model],
  rules: noCaps,
})
