import type { SingleUsePort } from '#authority'
import { sha256 } from '#core'
import { Connection, type ConnectionSettings } from './connection.ts'

export interface SingleUseSettings {
  readonly connection: ConnectionSettings
  /** Takes that wait for the statement before them; one more is a fault. */
  readonly waitingMax: number
  /** What was not answered by then is a fault, whatever becomes of it. */
  readonly deadlineMs: number
}

export const singleUseDefaults = { waitingMax: 4096, deadlineMs: 2000 } as const

interface Waiting {
  readonly digest: Buffer
  readonly kind: string
  readonly expiresAt: Date
  readonly taken: (first: boolean) => void
  readonly failed: (error: Error) => void
}

const batchMax = 512

/**
 * What may be used once, decided by the primary key of one table for all replicas. Takes of one process that wait share the next
 * statement; each is answered after its commit. Rejects where the database does not answer: whoever asks refuses then.
 */
export class SingleUse implements SingleUsePort {
  readonly #settings: SingleUseSettings
  readonly #connection: Connection
  readonly #waiting: Waiting[] = []
  #sending: Promise<void> | undefined

  constructor(settings: SingleUseSettings) {
    this.#settings = settings
    this.#connection = new Connection(settings.connection, 'single use')
  }

  take(kind: Parameters<SingleUsePort['take']>[0], value: string, expiresAtMs: number): Promise<boolean> {
    const { waitingMax, deadlineMs } = this.#settings
    if (this.#waiting.length >= waitingMax)
      return Promise.reject(new Error(`${waitingMax} proofs and nonces wait for the database; try again later`))
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () =>
          reject(new Error(`the database did not say within ${deadlineMs} ms whether this is used for the first time`)),
        deadlineMs,
      )
      this.#waiting.push({
        digest: sha256(`${kind}\0${value}`),
        kind,
        expiresAt: new Date(expiresAtMs),
        taken: (first) => {
          clearTimeout(late)
          resolve(first)
        },
        failed: (error) => {
          clearTimeout(late)
          reject(error)
        },
      })
      this.#sending ??= this.#send().finally(() => (this.#sending = undefined))
    })
  }

  async close(): Promise<void> {
    await this.#sending
    await this.#connection.close()
  }

  async #send(): Promise<void> {
    // What comes in the same turn goes with the first.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchMax)
      try {
        const first = await this.#insert(batch)
        // Of equal ones in a batch the row is the first's.
        for (const { digest, taken } of batch) taken(first.delete(digest.toString('hex')))
      } catch (error) {
        const fault = new Error('whether this is used for the first time could not be asked', { cause: error })
        for (const { failed } of batch) failed(fault)
      }
    }
  }

  async #insert(batch: readonly Waiting[]): Promise<Set<string>> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ digest: Buffer }>({
      name: 'single_use.take',
      text: 'select portcullis.take_single_use($1::bytea[], $2::text[], $3::timestamptz[]) as digest',
      values: [
        batch.map(({ digest }) => digest),
        batch.map(({ kind }) => kind),
        batch.map(({ expiresAt }) => expiresAt),
      ],
    })
    return new Set(rows.map(({ digest }) => digest.toString('hex')))
  }
}
