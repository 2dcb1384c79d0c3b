import { Pool, type ClientConfig } from 'pg'

/**
 * The twins of P4: a budget as one writes it first. `reserve` and `settle` are one transaction each, which locks the row of the budget;
 * `checkThenAdd` asks for the sum and then inserts, as systems do that keep spending in a log.
 */
export class NaiveBudget {
  readonly #pool: Pool

  private constructor(pool: Pool) {
    this.#pool = pool
  }

  static async make(owner: ClientConfig, limit: bigint): Promise<NaiveBudget> {
    const pool = new Pool({ ...owner, max: 10 })
    await pool.query('create schema if not exists naive')
    await pool.query(
      'create table naive.budget (id int primary key, cap bigint, held bigint not null, settled bigint not null)',
    )
    await pool.query('create table naive.reservations (id bigserial primary key, held bigint not null, settled bigint)')
    await pool.query('create table naive.spending (id bigserial primary key, amount bigint not null)')
    await pool.query('insert into naive.budget values (1, $1, 0, 0)', [limit.toString()])
    return new NaiveBudget(pool)
  }

  /** The id of the reservation; undefined where there is no room. */
  reserve(amount: bigint): Promise<string | undefined> {
    return this.#transact(async (query) => {
      const [budget] = await query<{ room: string }>(
        'select cap - held - settled as room from naive.budget where id = 1 for update',
      )
      if (BigInt(budget?.room ?? 0) < amount) return undefined
      await query('update naive.budget set held = held + $1 where id = 1', [amount.toString()])
      const [made] = await query<{ id: string }>('insert into naive.reservations (held) values ($1) returning id', [
        amount.toString(),
      ])
      return made?.id
    })
  }

  settle(id: string, amount: bigint): Promise<void> {
    return this.#transact(async (query) => {
      const [found] = await query<{ held: string }>(
        'select held from naive.reservations where id = $1 and settled is null for update',
        [id],
      )
      if (found === undefined) return
      await query('update naive.reservations set settled = $2 where id = $1', [id, amount.toString()])
      await query('update naive.budget set held = held - $1, settled = settled + $2 where id = 1', [
        found.held,
        amount.toString(),
      ])
    })
  }

  /** Whether it was let in. */
  async checkThenAdd(amount: bigint, limit: bigint): Promise<boolean> {
    const { rows } = await this.#pool.query<{ used: string }>(
      'select coalesce(sum(amount), 0) as used from naive.spending',
    )
    if (BigInt(rows[0]?.used ?? 0) + amount > limit) return false
    await this.#pool.query('insert into naive.spending (amount) values ($1)', [amount.toString()])
    return true
  }

  close(): Promise<void> {
    return this.#pool.end()
  }

  async #transact<Result>(
    work: (query: <Row>(text: string, values?: readonly string[]) => Promise<readonly Row[]>) => Promise<Result>,
  ): Promise<Result> {
    const client = await this.#pool.connect()
    try {
      await client.query('begin')
      const result = await work(
        async <Row>(text: string, values: readonly string[] = []) =>
          (await client.query({ name: text.slice(0, 60), text, values: [...values] })).rows as Row[],
      )
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  }
}
