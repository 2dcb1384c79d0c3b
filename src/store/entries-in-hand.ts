import type { Client } from 'pg'
import type { LedgerRecord } from '#ledger'
import { appendStatement } from './batch-statements.ts'
import { Connection, send, type ConnectionSettings } from './connection.ts'

/** A replica that ended without a stop while it had entries in hand. */
export interface DeadHand {
  readonly replica: string
  readonly atMost: number
  readonly sinceMs: number
  readonly seenAtMs: number
}

// Longer than a replica takes to be back on its connection after PostgreSQL has restarted.
const unseenDefault = '15 seconds'

/** What a replica says it may lose in a crash, kept in the database (SPEC L7). */
export class EntriesInHand {
  readonly #connection: Connection
  readonly #replica: string
  readonly #unseen: string
  #locked: Client | undefined
  #turn: Promise<unknown> = Promise.resolve()

  /** `unseen`: for how long a replica has not been seen before it counts as gone, as an interval of PostgreSQL. */
  constructor(settings: ConnectionSettings, replica: string, unseen = unseenDefault) {
    this.#connection = new Connection(settings, 'entries in hand')
    this.#replica = replica
    this.#unseen = unseen
  }

  /** Resolves once the database has it: at most so many from now on. */
  hold(atMost: number): Promise<void> {
    return this.#inTurn(() => this.#hold(atMost))
  }

  /** Writes an entry for each replica that is gone, in the transaction that forgets it; how many there were. */
  tellDead(record: (dead: DeadHand) => LedgerRecord): Promise<number> {
    return this.#inTurn(() => this.#tellDead(record))
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#connection.close()
  }

  /** One thing after the other: what is held must not become part of another transaction. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #hold(atMost: number): Promise<void> {
    const client = await this.#connection.client()
    if (this.#locked !== client) {
      await client.query('select pg_advisory_lock(portcullis.hand_lock($1))', [this.#replica])
      this.#locked = client
    }
    await client.query({
      name: 'hand.hold',
      text: 'select portcullis.hold_entries($1, $2)',
      values: [this.#replica, atMost],
    })
  }

  async #tellDead(record: (dead: DeadHand) => LedgerRecord): Promise<number> {
    const client = await this.#connection.client()
    try {
      await client.query('begin')
      const { rows } = await client.query<{ replica: string; at_most: number; since: Date; seen_at: Date }>(
        'select * from portcullis.take_dead_hands($1)',
        [this.#unseen],
      )
      const records = rows.map(({ replica, at_most: atMost, since, seen_at: seenAt }) =>
        record({ replica, atMost, sinceMs: since.getTime(), seenAtMs: seenAt.getTime() }),
      )
      for (const statement of appendStatement(records)) await send(client, statement)
      await client.query('commit')
      return rows.length
    } catch (error) {
      // Its state is not known: the next use connects anew, and takes the lock again.
      this.#connection.discard()
      throw error
    }
  }
}
