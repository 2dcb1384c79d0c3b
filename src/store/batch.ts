import type { Client } from 'pg'
import { isRefusal, refuse, uuidv7, type Refusal } from '#core'
import type { LedgerRecord } from '#ledger'
import type { SpendingPort, SpendOutcome, WriteResult, WriterMember } from '#hub'
import type { Connection, Statement } from './connection.ts'
import {
  classify,
  describe,
  isKeyTaken,
  isKillChanged,
  isPartitionMissing,
  sqlState,
  unavailableRefusal,
} from './errors.ts'
import { denyKilled, type Held, type KnownKills } from './batch-kills.ts'
import * as sql from './batch-statements.ts'
import { causeOf, PipelineFailed, sendAll, type Answered } from './pipeline.ts'
import { decideOn } from './spending.ts'
import { makeTelemetryPartitions } from './time-series.ts'
import {
  addEntries,
  addRow,
  isDone,
  judge,
  readRows,
  storedReply,
  type Rows,
  type Told,
  type Verdict,
} from './verdicts.ts'
import type { WriterSettings } from './writer.ts'

/** Told of each transaction that committed. */
export interface WriterWatch {
  committed(done: {
    readonly calls: number
    readonly entries: number
    readonly transactionMs: number
    /** The flush that appends the entries and commits. */
    readonly appendMs: number
  }): void
}

const killChangesMax = 5

/** A call that failed alone and has its entry, or was counted: whoever hears of it writes no other. */
export class RecordedFault extends Error {}
/** The error of a statement, as opposed to one of the connection: the transaction can be tried again in parts. */
class StatementFailed extends Error {}
/** The store went away or cannot serve, and the commit was not sent or was answered otherwise: nothing was done. */
class StoreGone extends Error {}
/** The connection went away after the commit was sent: nobody knows. */
class OutcomeUnknown extends Error {}

/**
 * One transaction for many calls. Flush 1 runs the effects; flush 2 writes the entries with the real outcomes and commits, so
 * that a replica which freezes between them never holds the head of a log.
 */
export class Batch {
  readonly #connection: Connection
  readonly #held: readonly Held[]
  readonly #watch: WriterWatch | undefined
  readonly #kills: KnownKills | undefined
  readonly #spending: SpendingPort | undefined
  /** How often the kill switch has changed under this batch. */
  #killChanges = 0
  #partitionsMade = false
  /** Of the transaction under way, where a member wants to know what became of it. */
  #mark: string | undefined

  constructor(
    connection: Connection,
    held: readonly Held[],
    { kills, spending, watch }: Pick<WriterSettings, 'kills' | 'spending' | 'watch'> = {},
  ) {
    this.#connection = connection
    this.#held = held
    this.#watch = watch
    this.#kills = kills
    this.#spending = spending
  }

  /** Settles every member; never rejects. */
  async run(): Promise<void> {
    try {
      await this.#attempt(this.#held)
    } catch (error) {
      // Nobody waits for ever, whatever went wrong; members that were settled stay as they are.
      for (const one of this.#held) one.reject(new Error('a batch of the store failed', { cause: error }))
    }
  }

  async #attempt(waiting: readonly Held[]): Promise<void> {
    if (waiting.length === 0) return
    let client: Client
    try {
      client = await this.#connection.client()
    } catch (error) {
      return this.#fail(waiting, unavailableRefusal(error))
    }
    // In the turn in which the transaction takes the epoch: what is decided here is decided under that epoch, and holds if it holds.
    const held = this.#kills === undefined ? waiting : waiting.map((one) => denyKilled(one))
    let verdicts: readonly Verdict[]
    try {
      verdicts = await this.#transact(client, held)
    } catch (error) {
      return this.#recover(client, held, error)
    }
    for (const [index, one] of held.entries()) settle(one, verdicts[index])
  }

  /**
   * A bad member is found by halving; it fails alone and the others are done (SPEC L5). Bad is also one whose own code throws:
   * its answer, its reply, its entry.
   */
  async #recover(client: Client, held: readonly Held[], error: unknown): Promise<void> {
    if (error instanceof OutcomeUnknown) {
      this.#connection.discard()
      for (const { member } of held) if (this.#mark !== undefined) member.unknown?.(this.#mark)
      return this.#fail(held, refuse('outcome.unknown', describe(error.cause)))
    }
    if (error instanceof StoreGone) {
      this.#connection.discard()
      return this.#fail(held, unavailableRefusal(error.cause))
    }
    try {
      await client.query('rollback')
    } catch {
      // The connection is gone; the next attempt opens another, and the transaction died with this one.
      this.#connection.discard()
    }
    if (error instanceof StatementFailed && isKillChanged(error.cause)) return this.#decideAgain(held)
    if (error instanceof StatementFailed && isPartitionMissing(error.cause) && !this.#partitionsMade)
      return this.#makePartitions(client, held)
    const [only] = held
    if (held.length === 1 && only !== undefined) {
      return this.#failAlone(only, error instanceof StatementFailed ? error.cause : error)
    }
    const middle = held.length >> 1
    await this.#attempt(held.slice(0, middle))
    await this.#attempt(held.slice(middle))
  }

  /** They are made ahead by housekeeping: here for a process that was away for days. */
  async #makePartitions(client: Client, held: readonly Held[]): Promise<void> {
    this.#partitionsMade = true
    try {
      await makeTelemetryPartitions(client, 1)
    } catch (error) {
      return this.#fail(held, unavailableRefusal(error))
    }
    await this.#attempt(held)
  }

  /** What was admitted under kills that have changed since is decided under those in force, and then done or refused (SPEC K2). */
  async #decideAgain(held: readonly Held[]): Promise<void> {
    this.#killChanges += 1
    if (this.#killChanges > killChangesMax)
      return this.#fail(held, refuse('store.busy', 'the kill switch keeps changing', { retryAfterSeconds: 1 }))
    try {
      await this.#kills?.refresh()
    } catch (error) {
      return this.#fail(held, unavailableRefusal(error))
    }
    await this.#attempt(held)
  }

  async #failAlone(one: Held, cause: unknown): Promise<void> {
    // The work was done under the same key meanwhile, and ours was undone: the next look finds the reply.
    if (isKeyTaken(cause)) return one.resolve('elsewhere')
    const contended = classify(cause) === 'contended'
    const refusal = refuse(
      contended ? 'store.busy' : 'server.internal',
      describe(cause),
      contended ? { retryAfterSeconds: 1 } : {},
    )
    const { effect, ownFailure, record, tenantId } = one.member
    let recorded = effect !== undefined && ownFailure?.(refusal.code) === false
    if (effect !== undefined && !recorded) {
      const outcome = { outcome: 'error', code: refusal.code, reason: refusal.reason } as const
      const settled = (result: WriteResult | 'elsewhere'): void => {
        recorded = !isRefusal(result)
      }
      const member = { tenantId, record: () => record(outcome) }
      await this.#attempt([{ member, resolve: settled, reject: () => undefined, queuedAt: one.queuedAt }])
    }
    if (contended) one.resolve(refusal)
    else one.reject(new (recorded ? RecordedFault : Error)('a member of a batch failed', { cause }))
  }

  #fail(held: readonly Held[], refusal: Refusal): void {
    for (const one of held) {
      // Where only the record was at stake the caller is told that, and not that work may have been done.
      one.resolve(
        one.member.effect === undefined
          ? refuse('audit.unavailable', refusal.reason, { retryAfterSeconds: 1 })
          : refusal,
      )
    }
  }

  async #transact(client: Client, held: readonly Held[]): Promise<readonly Verdict[]> {
    const begunAt = performance.now()
    this.#mark = held.some(({ member }) => member.unknown !== undefined) ? uuidv7() : undefined
    const work = sql.groupByTenant(membersOf(held)).filter((group) => group.effects > 0)
    let verdicts: readonly Verdict[] = held.map(() => ({ kind: 'done', answer: undefined }))
    let rows: Rows = new Map()
    let spent: ReadonlyMap<sql.TenantGroup, SpendOutcome> = new Map()
    if (work.length > 0) {
      // Parts of a batch that failed have waited for locks once already.
      const enter = this.#kills === undefined ? [] : [sql.enterStatement(membersOf(held), this.#kills.epoch())]
      const opening = [sql.begin, ...(held.length < this.#held.length ? [sql.waitShort] : []), ...enter]
      const early = sql.locksEarly(work)
      const flush = [...opening, ...work.flatMap((group) => sql.effectStatements(group, early))]
      const told = readRows(flush, await this.#flush(client, flush))
      rows = told.rows
      spent = this.#spend(work, told)
      verdicts = judge(held, told)
    }
    const more = [...spent.values()].flatMap(({ records }) => records)
    const entries: LedgerRecord[] = []
    for (const [index, { member }] of held.entries()) addEntries(entries, member, verdicts[index])
    for (const record of more) entries.push(record)
    const closing = [
      ...(work.length > 0 ? [] : [sql.begin]),
      ...work.flatMap((group) =>
        sql.closeStatements(
          group,
          work.length === 1,
          (index) => storedReply(held[index], verdicts[index]),
          (index, part) => isDone(rows.get(index)?.[part]),
          spent.get(group),
        ),
      ),
      ...sql.markStatement(this.#mark),
      ...sql.appendStatement(entries),
    ]
    const appendedAt = performance.now()
    await this.#commit(client, closing)
    const doneAt = performance.now()
    if (more.length > 0) this.#spending?.told?.(more)
    this.#watch?.committed({
      calls: held.length,
      entries: entries.length,
      transactionMs: doneAt - begunAt,
      appendMs: doneAt - appendedAt,
    })
    return verdicts
  }

  /** Decides what the calls of each tenant may spend, under the locks of flush 1; flush 2 writes it. */
  #spend(work: readonly sql.TenantGroup[], told: Told): ReadonlyMap<sql.TenantGroup, SpendOutcome> {
    const spent = new Map<sql.TenantGroup, SpendOutcome>()
    // One look for each tenant that spends, in the order of the tenants.
    const spending = told.opened.length === 0 ? [] : work.filter((group) => sql.spends(group))
    for (const [index, group] of spending.entries()) {
      const outcome = decideOn(group, told.opened[index] ?? [], this.#spending)
      for (const { n, p, row } of outcome.rows) addRow(told.rows, n, p, row)
      spent.set(group, outcome)
    }
    return spent
  }

  async #flush(client: Client, statements: readonly Statement[]): Promise<readonly Answered[]> {
    try {
      return await sendAll(client, statements)
    } catch (error) {
      throw failure(causeOf(error))
    }
  }

  async #commit(client: Client, statements: readonly Statement[]): Promise<void> {
    if (!this.#connection.holds(client))
      throw new StoreGone('the store went away', { cause: new Error('the connection was lost before the commit') })
    let last: Answered | undefined
    try {
      last = (await sendAll(client, [...statements, sql.commit])).at(-1)
    } catch (error) {
      const cause = causeOf(error)
      if (sqlState(cause) === undefined) throw new OutcomeUnknown('the commit was not answered', { cause })
      // An error that the server answered before the commit is certain: the commit was not run, whether or not we hear more.
      const early = error instanceof PipelineFailed && error.answered < statements.length
      if (early || classify(cause) !== 'unavailable') throw failure(cause)
      throw new OutcomeUnknown('the commit was not answered', { cause })
    }
    if (last?.command !== 'COMMIT')
      throw new StoreGone('not committed', {
        cause: new Error(`the commit was answered with ${last?.command ?? 'nothing'}`),
      })
  }
}

function membersOf(held: readonly Held[]): readonly WriterMember[] {
  return held.map((one) => one.member)
}

function failure(cause: unknown): StoreGone | StatementFailed {
  return classify(cause) === 'unavailable'
    ? new StoreGone('the store went away', { cause })
    : new StatementFailed('a statement failed', { cause })
}

function settle({ resolve, reject }: Held, verdict: Verdict | undefined): void {
  switch (verdict?.kind) {
    case 'done':
      return resolve({
        refused: false,
        reply: verdict.answer?.reply,
        bytes: verdict.bytes,
        replayed: false,
        denied: verdict.answer?.denied,
      })
    case 'refused':
      return resolve(verdict.refusal)
    case 'elsewhere':
      return resolve('elsewhere')
    case 'replayed':
      return resolve({ refused: false, reply: verdict.reply, bytes: undefined, replayed: true })
    case undefined:
      return reject(new Error('a member of a batch was left without a verdict'))
  }
}
