import type {
  BudgetState,
  ReservationState,
  RunFacts,
  SpendArgs,
  Spender,
  SpendingPort,
  SpendOutcome,
  WindowState,
} from '#hub'
import type { TenantGroup } from './batch-statements.ts'

/** What `portcullis.open_spending` answers: one look at one tenant. */
interface OpenedRow {
  readonly tag: 'clock' | 'call' | 'budget' | 'window'
  readonly n: number | null
  readonly p: number | null
  readonly data: Readonly<Record<string, unknown>>
}

/** Decides what the calls of one tenant may spend, on what the look under the locks has found. */
export function decideOn(
  group: TenantGroup,
  rows: readonly Readonly<Record<string, unknown>>[],
  port: SpendingPort | undefined,
): SpendOutcome {
  if (port === undefined) throw new Error('a call spends, and nothing here decides what may be spent')
  let nowMs = Number.NaN
  const spenders: Spender[] = []
  const budgets: BudgetState[] = []
  const windows: WindowState[] = []
  const asked = argsOf(group)
  for (const row of rows as unknown as readonly OpenedRow[]) {
    if (row.tag === 'clock') nowMs = Number(row.data['nowMs'])
    else if (row.tag === 'budget') budgets.push(budgetOf(row.data))
    else if (row.tag === 'window') windows.push(windowOf(row.data))
    else {
      const args = asked.get(`${row.n ?? -1} ${row.p ?? 0}`)
      if (args === undefined) throw new Error('a look at spending answered a call that nobody made')
      spenders.push(spenderOf(row, args))
    }
  }
  spenders.sort((a, b) => a.n - b.n || a.p - b.p)
  return port.decide({ nowMs, spenders, budgets, windows })
}

function argsOf(group: TenantGroup): ReadonlyMap<string, SpendArgs> {
  const asked = new Map<string, SpendArgs>()
  for (const [at, { effect }] of group.members.entries()) {
    if (effect === undefined) continue
    for (const [part, { args, operation }] of ('parts' in effect ? effect.parts : [effect]).entries()) {
      if (operation === 'spend') asked.set(`${group.indexes[at] ?? -1} ${part}`, args as SpendArgs)
    }
  }
  return asked
}

function spenderOf({ n, p, data }: OpenedRow, args: SpendArgs): Spender {
  const { run, reservation, ...who } = data as unknown as Pick<Spender, 'runId' | 'agentId' | 'team' | 'keyId'> & {
    readonly run: Texts<RunFacts> | null
    readonly reservation: Texts<ReservationState> | null
  }
  return {
    ...who,
    n: n ?? -1,
    p: p ?? 0,
    args,
    run:
      run === null
        ? null
        : { ...run, attempts: BigInt(run.attempts), costNanoUsd: BigInt(run.costNanoUsd), tokens: BigInt(run.tokens) },
    reservation:
      reservation === null
        ? null
        : {
            ...reservation,
            heldNanoUsd: BigInt(reservation.heldNanoUsd),
            heldTokens: BigInt(reservation.heldTokens),
            seenNanoUsd: BigInt(reservation.seenNanoUsd),
            seenTokens: BigInt(reservation.seenTokens),
            settledNanoUsd: BigInt(reservation.settledNanoUsd),
            settledTokens: BigInt(reservation.settledTokens),
          },
  }
}

function budgetOf(data: object): BudgetState {
  const budget = data as Texts<BudgetState>
  return { ...budget, limit: BigInt(budget.limit) }
}

function windowOf(data: object): WindowState {
  const window = data as Texts<WindowState>
  return { ...window, held: BigInt(window.held), settled: BigInt(window.settled) }
}

/** As JSON carries it: a number of JavaScript could not hold every amount. */
type Texts<Row> = { readonly [Name in keyof Row]: Row[Name] extends bigint ? string : Row[Name] }
