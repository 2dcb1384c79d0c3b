import { createHash } from 'node:crypto'
import { Pool, type ClientConfig } from 'pg'

/**
 * The twin of P3: a hash chain as one writes it first. One transaction a call: lock the head, hash in Node, insert, update,
 * commit. No redaction, no tree, no queue, one index.
 */
export class NaiveChain {
  readonly #pool: Pool

  private constructor(pool: Pool) {
    this.#pool = pool
  }

  static async make(owner: ClientConfig): Promise<NaiveChain> {
    const pool = new Pool({ ...owner, max: 10 })
    await pool.query('create schema if not exists naive')
    await pool.query('create table naive.head (id int primary key, size bigint not null, hash bytea not null)')
    await pool.query('create table naive.entries (seq bigint primary key, entry text not null, hash bytea not null)')
    await pool.query(`insert into naive.head values (1, 0, decode(repeat('00', 32), 'hex'))`)
    return new NaiveChain(pool)
  }

  async append(body: string): Promise<void> {
    const client = await this.#pool.connect()
    try {
      await client.query('begin')
      const { rows } = await client.query<{ size: string; hash: Buffer }>(
        'select size, hash from naive.head where id = 1 for update',
      )
      const [head] = rows
      if (head === undefined) throw new Error('the naive chain has no head')
      const entry = JSON.stringify({ seq: head.size, prev: head.hash.toString('hex'), ts: new Date(), body })
      const hash = createHash('sha256').update(entry).digest()
      await client.query('insert into naive.entries values ($1, $2, $3)', [head.size, entry, hash])
      await client.query('update naive.head set size = size + 1, hash = $1 where id = 1', [hash])
      await client.query('commit')
    } catch (error) {
      await client.query('rollback')
      throw error
    } finally {
      client.release()
    }
  }

  close(): Promise<void> {
    return this.#pool.end()
  }
}
