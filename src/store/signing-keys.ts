import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { publicId } from '#core'
import type { SigningKeyPort, SigningKeyRecord } from '#gate'
import type { Envelopes, SecretPlace } from '#secrets'
import type { CachedTable } from './keys.ts'

interface LoadedRow {
  readonly id: string
  readonly tenant_id: string
  readonly agent_id: string | null
  readonly operator_id: string | null
  readonly algorithm: SigningKeyRecord['algorithm']
  readonly public_key: Buffer | null
  readonly envelope: Buffer | null
  readonly revoked_at: Date | null
}

/** Where the secret of an HMAC key is stored; `id` and `tenant` are bare UUIDs. */
export function signingKeyPlace(tenant: string, id: string): SecretPlace {
  return { tenant, table: 'secrets', column: 'envelope', row: id }
}

/** Every key that signs requests, in memory under the epoch of credentials (SPEC G16). */
export class SigningKeys implements CachedTable, SigningKeyPort {
  readonly name = 'signing_keys.load'
  readonly source = 'signing_keys'
  readonly text = 'select * from portcullis.load_signing_keys($1::text::xid8)'
  readonly #envelopes: () => Pick<Envelopes, 'open'> | undefined
  readonly #keys = new Map<string, SigningKeyRecord>()

  /** Envelopes are asked for when the first secret is opened: at the start they come later than the keys. */
  constructor(envelopes: () => Pick<Envelopes, 'open'> | undefined) {
    this.#envelopes = envelopes
  }

  find(id: string): SigningKeyRecord | undefined {
    return this.#keys.get(id)
  }

  keep(rows: readonly Readonly<Record<string, unknown>>[]): void {
    for (const row of rows) {
      const record = this.#toRecord(row as unknown as LoadedRow)
      this.#keys.set(record.id, record)
    }
  }

  #toRecord(row: LoadedRow): SigningKeyRecord {
    return {
      id: publicId('sgk', row.id),
      owner:
        row.agent_id === null
          ? { kind: 'operator', id: publicId('opr', row.operator_id ?? '') }
          : { kind: 'agent', id: publicId('agt', row.agent_id) },
      tenantId: publicId('ten', row.tenant_id),
      algorithm: row.algorithm,
      revokedAtMs: row.revoked_at?.getTime(),
      open: once(() => this.#open(row)),
    }
  }

  async #open({ id, tenant_id: tenant, public_key: publicKey, envelope }: LoadedRow): Promise<KeyObject> {
    if (publicKey !== null) return createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
    const envelopes = this.#envelopes()
    if (envelope === null) throw new Error(`the secret of sgk_${id} is gone: make a new signing key`)
    if (envelopes === undefined)
      throw new Error(`the secret of sgk_${id} needs a master key: set secrets.keyFile, or the provider that holds it`)
    const secret = await envelopes.open(envelope, signingKeyPlace(tenant, id))
    try {
      return createSecretKey(secret)
    } finally {
      secret.fill(0)
    }
  }
}

/** Done at the first use and kept; tried again after a failure. */
function once<Result>(work: () => Promise<Result>): () => Promise<Result> {
  let known: Promise<Result> | undefined
  return () => {
    known ??= work().catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
}
