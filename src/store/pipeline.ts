import { Query, types, type Client, type Connection } from 'pg'
import type { Statement } from './connection.ts'

export interface Answered {
  /** The first word of the command tag: `SELECT`, `COMMIT`. */
  readonly command: string
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

/** The first error of a pipeline: of the server, or of the connection. */
export class PipelineFailed extends Error {
  /** How many statements were answered before; what came after them was not run, unless the connection was lost. */
  readonly answered: number

  constructor(answered: number, cause: unknown) {
    super('a statement failed', { cause })
    this.answered = answered
  }
}

/**
 * Sends statements in one write and under one Sync, so that each side wakes once for all of them. The server runs them in order
 * up to the first that fails; whoever needs all or none of them begins a transaction. Rejects with PipelineFailed only.
 */
export function sendAll(client: Client, statements: readonly Statement[]): Promise<readonly Answered[]> {
  return new Promise((resolve, reject) => {
    const done = (error: unknown): void => {
      if (error) reject(new PipelineFailed(pipeline.answered.length, error))
      else resolve(pipeline.answered)
    }
    const pipeline = new Pipeline(statements, done)
    client.query(pipeline)
  })
}

/** What the server or the connection said. */
export function causeOf(error: unknown): unknown {
  return error instanceof PipelineFailed ? error.cause : error
}

/** By connection, the names of the statements that were prepared on it here, or are being. */
const prepared = new WeakMap<Connection, Set<string>>()

interface Field {
  readonly name: string
  readonly dataTypeID: number
}

interface Column {
  readonly name: string
  readonly parse: (text: string) => unknown
}

/** A query in the eyes of `pg`, which hands the messages of the server to the one that is active until the next ReadyForQuery. */
class Pipeline extends Query {
  readonly answered: Answered[] = []
  readonly #statements: readonly Statement[]
  /** What it is the first to prepare. */
  readonly #first: string[] = []
  #columns: readonly Column[] = []
  #empty: Readonly<Record<string, null>> = {}
  #rows: Record<string, unknown>[] = []
  #unreadable: unknown
  /** `pg` puts its time limit around it. */
  callback: (error: unknown) => void

  constructor(statements: readonly Statement[], done: (error: unknown) => void) {
    super('')
    this.#statements = statements
    this.callback = done
  }

  override readonly submit = (connection: Connection): void => {
    const known = prepared.get(connection) ?? new Set()
    prepared.set(connection, known)
    connection.stream.cork()
    try {
      for (const { name, text, values } of this.#statements) {
        if (!known.has(name)) {
          // An earlier pipeline may have failed behind this very statement.
          connection.close({ type: 'S', name }, true)
          connection.parse({ name, text, types: [] }, true)
          known.add(name)
          this.#first.push(name)
        }
        connection.bind({ statement: name, values: values.map(textOf) }, true)
        connection.describe({ type: 'P' }, true)
        connection.execute({}, true)
      }
      connection.sync()
    } catch (error) {
      // Of half a pipeline nothing may be run.
      connection.stream.destroy()
      throw error
    } finally {
      connection.stream.uncork()
    }
  }

  handleRowDescription({ fields }: { readonly fields: readonly Field[] }): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, parse: types.getTypeParser(dataTypeID, 'text') }))
    this.#empty = Object.fromEntries(fields.map(({ name }) => [name, null]))
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    // A copy, so that all rows have one shape: an object that grows to twenty columns becomes a dictionary, slow for whoever reads it.
    const row: Record<string, unknown> = { ...this.#empty }
    try {
      for (const [index, { name, parse }] of this.#columns.entries()) {
        const text = fields[index] ?? null
        if (text !== null) row[name] = parse(text)
      }
    } catch (error) {
      // Thrown on, it would take the messages behind it along, and those belong to others.
      this.#unreadable = error
    }
    this.#rows.push(row)
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.answered.push({ command: text.split(' ', 1)[0] ?? '', rows: this.#rows })
    this.#rows = []
  }

  handleReadyForQuery(): void {
    this.callback(this.#unreadable)
  }

  handleError(error: unknown, connection: Connection): void {
    // Which of them the server has is not known. Whoever has sent one behind this fails, and whoever sends one from here on prepares it.
    for (const name of this.#first) prepared.get(connection)?.delete(name)
    this.callback(error)
  }
}

function textOf(value: string | number | null): string | null {
  return typeof value === 'number' ? String(value) : value
}
