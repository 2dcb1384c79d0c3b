import { Connection, type ConnectionSettings } from './connection.ts'

/** Browser sessions of operators; asked for by the digest of their token. */
export class Sessions {
  readonly #connection: Connection

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, 'sessions')
  }

  async find(digestHex: string): Promise<{ readonly operatorName: string; readonly tenantName: string } | undefined> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ operator_name: string; tenant_name: string }>({
      name: 'session.find',
      text: `select * from portcullis.find_session(decode($1, 'hex'))`,
      values: [digestHex],
    })
    const row = rows[0]
    return row === undefined ? undefined : { operatorName: row.operator_name, tenantName: row.tenant_name }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}
