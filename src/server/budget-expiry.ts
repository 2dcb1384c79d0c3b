import type { Logger } from 'pino'
import { publicId } from '#core'
import { expireEffect, expiryRecord, type WriterPort } from '#hub'
import { Connection, type ConnectionSettings } from '#store'

const lookEveryMs = 1000
const atMost = 500

interface DueRow {
  readonly id: string
  readonly tenant_id: string
  readonly tenant_name: string
}

/**
 * Ends reservations that nobody ended in time (SPEC B4): a look along an index once a second, and through the writer what it finds. Replicas
 * look by turns; two that find the same one end it once.
 */
export class BudgetExpiry {
  readonly #connection: Connection
  readonly #writer: WriterPort
  readonly #log: Logger
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  constructor(settings: ConnectionSettings, writer: WriterPort, log: Logger, now: () => number = Date.now) {
    this.#connection = new Connection(settings, 'budget expiry')
    this.#writer = writer
    this.#log = log
    this.#now = now
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.look()
        .then(() => undefined)
        .catch((error: unknown) =>
          this.#log.warn({ event: 'budget.expiry_failed', err: error }, 'due reservations are looked for again'),
        )
        .finally(() => {
          this.#looking = undefined
        })
    }, lookEveryMs)
    this.#timer.unref()
  }

  /** One look; answers how many were due. */
  async look(): Promise<number> {
    const client = await this.#connection.client()
    const { rows } = await client.query<DueRow>({
      name: 'budget.due',
      text: 'select id, tenant_id, tenant_name from portcullis.due_reservations($1)',
      values: [atMost],
    })
    await Promise.all(
      rows.map((row) =>
        this.#writer.submit({
          tenantId: row.tenant_id,
          silent: true,
          shedLast: true,
          effect: expireEffect({
            reservationId: row.id,
            log: row.tenant_name,
            tenant: publicId('ten', row.tenant_id),
            killed: false,
          }),
          // Of one that fails: what it came to tells the rest.
          record: () => expiryRecord(row.tenant_name, publicId('ten', row.tenant_id), row.id, this.#now()),
        }),
      ),
    )
    return rows.length
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
    await this.#connection.close()
  }
}
