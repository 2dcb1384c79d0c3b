import { Pool, type ClientConfig } from 'pg'

/**
 * The twin of P5: telemetry as one writes it first. A pool of ten, one INSERT a row, committed by itself; one index, no key, no run, no
 * totals, no ledger, and no server in between.
 */
export class NaiveRows {
  readonly #pool: Pool
  #count = 0

  private constructor(pool: Pool) {
    this.#pool = pool
  }

  static async make(owner: ClientConfig): Promise<NaiveRows> {
    const pool = new Pool({ ...owner, max: 10 })
    await pool.query('create schema if not exists naive')
    await pool.query(`create table if not exists naive.attempts (
      id bigserial primary key, run_id text not null, attempt_number int not null, provider text not null, model text not null,
      prompt_version text not null, prompt_hash text not null, outcome int not null, error_message text not null,
      input_tokens bigint not null, output_tokens bigint not null, latency_ms bigint not null,
      created_at timestamptz not null default now())`)
    return new NaiveRows(pool)
  }

  async insert(): Promise<void> {
    this.#count += 1
    await this.#pool.query({
      name: 'insert',
      text: `insert into naive.attempts (run_id, attempt_number, provider, model, prompt_version, prompt_hash, outcome, error_message,
        input_tokens, output_tokens, latency_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      values: [
        'run_01934c5e-0000-7000-8000-000000000000',
        this.#count,
        'example',
        'model-a',
        'v3',
        'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
        1,
        '',
        1154,
        211,
        840,
      ],
    })
  }

  close(): Promise<void> {
    return this.#pool.end()
  }
}
