import { Client, type ClientConfig, type QueryResult } from 'pg'

/** How to reach the database. `password` is revealed only here. */
export interface ConnectionSettings {
  readonly client: ClientConfig
  readonly connectTimeoutMs: number
  /** The server ends a statement after this. */
  readonly statementTimeoutMs: number
  /** A connection that was idle for longer is replaced at its next use. */
  readonly idleTimeoutMs: number
  /** A connection is replaced after this, between two uses. */
  readonly maxLifetimeSeconds: number
  /** Statements run once on each new connection. */
  readonly setUp?: readonly string[]
  /** Where an embedded PostgreSQL keeps its data on this machine. */
  readonly dataDir?: string
}

export interface Statement {
  readonly name: string
  readonly text: string
  readonly values: readonly (string | number | null)[]
  /** Of a statement whose rows stand for many parts each: what its row `s` is of. */
  readonly places?: readonly Place[]
}

/** Parts of one member of a batch. */
export interface Place {
  readonly n: number
  readonly parts: readonly number[]
}

const goodbyeMs = 1000

/**
 * One pipelined connection that reconnects by itself. Statements are sent without waiting for the one before; each answers its
 * own promise. After an error of the connection every outstanding promise rejects and the next use connects anew.
 */
export class Connection {
  readonly #settings: ConnectionSettings
  readonly #purpose: string
  #client: Promise<Client> | undefined
  #current: Client | undefined
  #closed = false
  #connectedAt = Number.POSITIVE_INFINITY
  #usedAt = Number.POSITIVE_INFINITY

  constructor(settings: ConnectionSettings, purpose: string) {
    this.#settings = settings
    this.#purpose = purpose
  }

  /** A connected client; rejects where the database cannot be reached in time. */
  async client(): Promise<Client> {
    if (this.#closed) throw new Error('the connection to the store is closed')
    const nowMs = performance.now()
    const { idleTimeoutMs, maxLifetimeSeconds } = this.#settings
    const tired = nowMs - this.#usedAt > idleTimeoutMs || nowMs - this.#connectedAt > maxLifetimeSeconds * 1000
    if (tired) this.#retire()
    this.#usedAt = nowMs
    if (this.#client === undefined) {
      this.#connectedAt = nowMs
      this.#client = this.#connect()
    }
    return this.#client
  }

  /** Whether that client is still the one in use: false once its connection is lost or was dropped. */
  holds(client: Client): boolean {
    return this.#current === client && this.#client !== undefined
  }

  /** Drops the client, for example after a transaction whose state is not known. */
  discard(): void {
    const dropped = this.#client
    this.#client = undefined
    dropped?.then(
      (client) => client.connection.stream.destroy(),
      () => undefined,
    )
  }

  async close(): Promise<void> {
    this.#closed = true
    const client = await this.#client?.catch(() => undefined)
    this.#client = undefined
    if (client === undefined) return
    // A server that is frozen never says goodbye.
    const late = setTimeout(() => client.connection.stream.destroy(), goodbyeMs)
    await client.end().finally(() => clearTimeout(late))
  }

  /** Ends the client once what it was sent has been answered. */
  #retire(): void {
    const retired = this.#client
    this.#client = undefined
    retired?.then(
      (client) => void client.end(),
      () => undefined,
    )
  }

  async #connect(): Promise<Client> {
    const { client: config, connectTimeoutMs, statementTimeoutMs } = this.#settings
    const client = new Client({
      ...config,
      pipeline: true,
      application_name: `portcullis ${this.#purpose}`,
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      lock_timeout: 3000,
      idle_in_transaction_session_timeout: 2000,
      // A server that answers nothing at all (frozen, black-holed) counts as gone.
      query_timeout: statementTimeoutMs + 2000,
      keepAlive: true,
    })
    const forget = (): void => {
      if (this.#current === client) this.#client = undefined
    }
    this.#current = client
    client.on('error', forget)
    client.on('end', forget)
    try {
      await client.connect()
      for (const statement of this.#settings.setUp ?? []) await client.query(statement)
    } catch (error) {
      forget()
      throw error
    }
    return client
  }
}

export function send(client: Client, statement: Statement): Promise<QueryResult<Record<string, unknown>>> {
  return client.query({ name: statement.name, text: statement.text, values: [...statement.values] })
}
