import { publicId } from '#core'
import type { CertificatePort, CertificateRecord } from '#gate'
import type { CachedTable } from './keys.ts'

const none: readonly CertificateRecord[] = []

/** Every bound certificate in memory, under the epoch of keys (SPEC G17). */
export class CertificateCache implements CertificatePort, CachedTable {
  readonly name = 'certificates.load'
  readonly source = 'certificates'
  readonly text = 'select * from portcullis.load_certificates($1::text::xid8)'
  readonly #certificates = new Map<string, readonly CertificateRecord[]>()

  find(thumbprint: string): readonly CertificateRecord[] {
    return this.#certificates.get(thumbprint) ?? none
  }

  keep(rows: readonly Readonly<Record<string, unknown>>[]): void {
    for (const row of rows) {
      const loaded = row as unknown as LoadedCertificate
      const thumbprint = Buffer.from(loaded.thumbprint).toString('base64url')
      const next = toRecord(loaded)
      const found = this.find(thumbprint)
      const known = found.find(({ tenant }) => tenant.id === next.tenant.id)
      // A certificate may be bound again once it is revoked: what holds in a tenant is the binding that is not.
      const stands = known !== undefined && known.id !== next.id && next.revokedAtMs !== undefined
      if (!stands) this.#certificates.set(thumbprint, [...found.filter((each) => each !== known), next])
    }
  }
}

interface LoadedCertificate {
  readonly id: string
  readonly agent_id: string
  readonly tenant_id: string
  readonly tenant_name: string
  readonly thumbprint: Uint8Array
  readonly scopes: readonly string[]
  readonly expires_at: Date
  readonly revoked_at: Date | null
  readonly agent_disabled: boolean
  readonly tenant_disabled: boolean
}

function toRecord(row: LoadedCertificate): CertificateRecord {
  return {
    id: publicId('crt', row.id),
    agentId: publicId('agt', row.agent_id),
    tenant: { id: publicId('ten', row.tenant_id), name: row.tenant_name },
    scopes: new Set(row.scopes),
    expiresAtMs: row.expires_at.getTime(),
    revokedAtMs: row.revoked_at?.getTime(),
    agentDisabled: row.agent_disabled,
    tenantDisabled: row.tenant_disabled,
  }
}
