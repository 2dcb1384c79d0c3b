import { publicId } from '#core'
import { Connection, type ConnectionSettings } from './connection.ts'

/** Who somebody turned out to be. Ids are public ones. */
export interface KnownPerson {
  readonly operator: { readonly id: string; readonly name: string }
  readonly tenant: { readonly id: string; readonly name: string }
}

export interface LiveSession extends KnownPerson {
  /** `ses_...` */
  readonly id: string
  readonly signedInAtMs: number
  readonly hasPassword: boolean
  /** The person signs in at another issuer, and has no password here. */
  readonly upstream: boolean
}

export interface StoredPassword extends KnownPerson {
  /** argon2id as a PHC string. */
  readonly hash: string
  readonly version: string
}

/** What attempts are counted under: `burst` at once, then one each interval. */
export interface AttemptCount {
  readonly keyHex: string
  readonly intervalMs: number
  readonly burst: number
}

// About a megabyte. More than is tried in the time that one attempt counts, unless somebody makes up names.
const attemptRowsMax = 10_000

interface PersonRow {
  readonly operator_id: string
  readonly operator_name: string
  readonly tenant_id: string
  readonly tenant_name: string
}

/** Browser sessions of operators, asked for by the digest of their token, and who somebody is by what they show. */
export class Sessions {
  readonly #connection: Connection

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, 'sessions')
  }

  /** Whether a one-time code could be spent now. */
  async codeUsable(digestHex: string): Promise<boolean> {
    const row = await this.#one<{ usable: boolean }>(
      'session.code_usable',
      `select portcullis.code_usable(decode($1, 'hex')) as usable`,
      [digestHex],
    )
    return row?.usable === true
  }

  /** Whose password a one-time link sets, as long as it is good. */
  async passwordCode(digestHex: string): Promise<KnownPerson | undefined> {
    return person(
      await this.#one<PersonRow>(
        'session.password_code',
        `select * from portcullis.find_password_code(decode($1, 'hex'))`,
        [digestHex],
      ),
    )
  }

  async password(tenant: string, name: string): Promise<StoredPassword | undefined> {
    const row = await this.#one<PersonRow & { hash: string; version: string }>(
      'session.password',
      'select * from portcullis.find_password($1, $2)',
      [tenant, name],
    )
    const known = person(row)
    return row === undefined || known === undefined ? undefined : { ...known, hash: row.hash, version: row.version }
  }

  async upstream(subject: string): Promise<KnownPerson | undefined> {
    return person(
      await this.#one<PersonRow>('session.upstream', 'select * from portcullis.find_upstream($1)', [subject]),
    )
  }

  /** The session of a cookie, which counts as a use of it. */
  async find(digestHex: string): Promise<LiveSession | undefined> {
    const row = await this.#one<
      PersonRow & { id: string; signed_in_at: Date; has_password: boolean; upstream: boolean }
    >('session.use', `select * from portcullis.use_session(decode($1, 'hex'))`, [digestHex])
    const known = person(row)
    if (row === undefined || known === undefined) return undefined
    return {
      ...known,
      id: publicId('ses', row.id),
      signedInAtMs: row.signed_in_at.getTime(),
      hasPassword: row.has_password,
      upstream: row.upstream,
    }
  }

  /** Counts one attempt to sign in under each key and answers 0, or counts none and answers the milliseconds to wait (SPEC A9). */
  async beginSignIn(counts: readonly AttemptCount[]): Promise<number> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ wait: number }>({
      name: 'session.begin_sign_in',
      text: 'select portcullis.begin_sign_in($1::bytea[], $2::float8[], $3::int[], $4) as wait',
      values: [...columnsOf(counts), counts.map(({ burst }) => burst), attemptRowsMax],
    })
    const [row] = rows
    if (row === undefined) throw new Error('the database did not say whether one may try to sign in')
    return row.wait
  }

  /** Takes an attempt that was counted back. */
  async giveBackSignIn(counts: readonly AttemptCount[]): Promise<void> {
    const client = await this.#connection.client()
    await client.query({
      name: 'session.give_back_sign_in',
      text: 'select portcullis.give_back_sign_in($1::bytea[], $2::float8[])',
      values: columnsOf(counts),
    })
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #one<Row extends object>(name: string, text: string, values: readonly string[]): Promise<Row | undefined> {
    const client = await this.#connection.client()
    const { rows } = await client.query<Row>({ name, text, values: [...values] })
    return rows[0]
  }
}

function columnsOf(counts: readonly AttemptCount[]): [Buffer[], number[]] {
  return [counts.map(({ keyHex }) => Buffer.from(keyHex, 'hex')), counts.map(({ intervalMs }) => intervalMs)]
}

function person(row: PersonRow | undefined): KnownPerson | undefined {
  if (row === undefined) return undefined
  return {
    operator: { id: publicId('opr', row.operator_id), name: row.operator_name },
    tenant: { id: publicId('ten', row.tenant_id), name: row.tenant_name },
  }
}
