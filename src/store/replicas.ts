import { uuidv7 } from '#core'
import { Connection, type ConnectionSettings } from './connection.ts'

export interface Acks {
  readonly replicas: number
  readonly acknowledged: number
}

/** The processes that serve from this database, and what each has seen of the kill switch (SPEC K2). */
export class Replicas {
  readonly #connection: Connection
  readonly #id = uuidv7()
  #known = false

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, 'replicas')
  }

  /** Says that this process lives, and denies what is engaged up to that epoch. */
  async see(epoch: string): Promise<void> {
    this.#known = true
    const client = await this.#connection.client()
    await client.query({
      name: 'replicas.see',
      text: 'select portcullis.see_replica($1, $2::text::bigint)',
      values: [this.#id, epoch],
    })
  }

  /** Those that live, and those of them that have seen that epoch. */
  async acks(epoch: string): Promise<Acks> {
    const client = await this.#connection.client()
    const { rows } = await client.query<Acks>({
      name: 'replicas.acks',
      text: 'select replicas, acknowledged from portcullis.kill_acks($1::text::bigint)',
      values: [epoch],
    })
    return rows[0] ?? { replicas: 0, acknowledged: 0 }
  }

  /** Kills in whose scope something is under way, with the tenant that it is in; at most so many reservations of each. */
  async killWork(atMost: number): Promise<readonly KillWork[]> {
    const client = await this.#connection.client()
    const { rows } = await client.query<KillWork>({
      name: 'kills.work',
      text: `select kill_id as "killId", tenant_id as "tenantId", tenant_name as "tenantName", runs, reservations
        from portcullis.kill_work($1)`,
      values: [atMost],
    })
    return rows
  }

  /** Kills that have nothing left to end, and are not finished yet. */
  async killsThrough(): Promise<readonly KillThrough[]> {
    const client = await this.#connection.client()
    const { rows } = await client.query<KillThrough>({
      name: 'kills.through',
      text: `select kill_id as "killId", tenant_id as "tenantId", tenant_name as "tenantName" from portcullis.kills_through()`,
    })
    return rows
  }

  async close(): Promise<void> {
    try {
      if (this.#known) {
        const client = await this.#connection.client()
        await client.query('select portcullis.leave_replica($1)', [this.#id])
      }
    } catch {
      // It is forgotten 30 seconds after it was last seen.
    }
    await this.#connection.close()
  }
}

/** Ids are bare UUIDs. The tenant is that of the kill. */
export interface KillThrough {
  readonly killId: string
  readonly tenantId: string
  readonly tenantName: string
}

/** The tenant is the one in which something is left. */
export interface KillWork extends KillThrough {
  readonly runs: boolean
  /** Held ones. */
  readonly reservations: readonly string[]
}
