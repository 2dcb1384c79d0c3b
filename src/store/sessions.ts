import { Connection, type ConnectionSettings } from './connection.ts'

/** Browser sessions of operators; asked for by the digest of their token. */
export class Sessions {
  readonly #connection: Connection

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, 'sessions')
  }

  /** Whether a one-time code could be spent now. */
  async codeUsable(digestHex: string): Promise<boolean> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ usable: boolean }>({
      name: 'session.code_usable',
      text: `select portcullis.code_usable(decode($1, 'hex')) as usable`,
      values: [digestHex],
    })
    return rows[0]?.usable === true
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
