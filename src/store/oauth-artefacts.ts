import type { ArtefactStore, SessionGrant, StoredArtefact } from '#authority'
import { Connection, type ConnectionSettings } from './connection.ts'

/** What the authorization server keeps, found by digest (SPEC A1). It is written with the writer: see the operation `oauth.commit`. */
export class OAuthArtefacts implements ArtefactStore {
  readonly #connection: Connection

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, 'oauth')
  }

  find(model: string, digest: string): Promise<StoredArtefact | undefined> {
    return this.#ask('oauth.find', 'select * from portcullis.oauth_find($1, $2)', model, digest)
  }

  findByUid(model: string, uidDigest: string): Promise<StoredArtefact | undefined> {
    return this.#ask('oauth.find_by_uid', 'select * from portcullis.oauth_find_by_uid($1, $2)', model, uidDigest)
  }

  async grantsUnder(sessionUidDigest: string): Promise<readonly SessionGrant[]> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ grant_id: string; client_id: string }>({
      name: 'oauth.grants_under',
      text: 'select * from portcullis.oauth_grants_under($1)',
      values: [Buffer.from(sessionUidDigest, 'hex')],
    })
    return rows.map((row) => ({ grantId: row.grant_id, clientId: row.client_id }))
  }

  /** Writes that nothing is recorded of: one statement, which is a transaction. */
  async keep(writes: object): Promise<string> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ verdict: string }>({
      name: 'oauth.keep',
      text: 'select portcullis.oauth_commit($1::text::jsonb) as verdict',
      values: [JSON.stringify(writes)],
    })
    return rows[0]?.verdict ?? ''
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #ask(name: string, text: string, model: string, digest: string): Promise<StoredArtefact | undefined> {
    const client = await this.#connection.client()
    const { rows } = await client.query<StoredArtefact>({ name, text, values: [model, Buffer.from(digest, 'hex')] })
    return rows[0]
  }
}
