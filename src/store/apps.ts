import { publicId } from '#core'
import type { AppDirectory, AppRecord } from '#authority'
import type { CachedTable } from './keys.ts'

/** Every app in memory, under the epoch of keys (SPEC A5, A10). */
export class AppCache implements AppDirectory, CachedTable {
  readonly name = 'apps.load'
  readonly source = 'apps'
  readonly text = 'select * from portcullis.load_apps($1::text::xid8)'
  readonly #apps = new Map<string, AppRecord>()
  /** Since when each has its present secret; milliseconds since the epoch. */
  readonly #secretSince = new Map<string, number>()

  find(id: string): AppRecord | undefined {
    return this.#apps.get(id)
  }

  /** Apps in use whose secret is older than that. */
  secretsBefore(timeMs: number): readonly { readonly app: AppRecord; readonly sinceMs: number }[] {
    const old = [...this.#secretSince].filter(([, sinceMs]) => sinceMs < timeMs)
    return old.flatMap(([id, sinceMs]) => {
      const app = this.#apps.get(id)
      return app === undefined || app.disabled || app.tenantDisabled ? [] : [{ app, sinceMs }]
    })
  }

  keep(rows: readonly Readonly<Record<string, unknown>>[]): void {
    for (const row of rows) {
      const loaded = row as unknown as LoadedApp
      const app = toRecord(loaded)
      this.#apps.set(app.id, app)
      if (loaded.secret_created_at !== null) this.#secretSince.set(app.id, loaded.secret_created_at.getTime())
    }
  }
}

interface LoadedApp {
  readonly id: string
  readonly name: string
  readonly tenant_id: string
  readonly tenant_name: string
  readonly agent_id: string | null
  readonly agent_disabled: boolean
  readonly scopes: readonly string[]
  readonly redirect_uris: readonly string[]
  readonly grant_types: AppRecord['grantTypes']
  readonly auth_method: AppRecord['authMethod']
  readonly jwks: string | null
  readonly tls_subject_dn: string | null
  readonly dpop_bound: boolean
  readonly certificate_bound: boolean
  readonly secret_digest: Uint8Array | null
  readonly secret_created_at: Date | null
  readonly old_secret_digest: Uint8Array | null
  readonly old_secret_expires_at: Date | null
  readonly disabled: boolean
  readonly tenant_disabled: boolean
}

function toRecord(row: LoadedApp): AppRecord {
  return {
    id: publicId('app', row.id),
    name: row.name,
    tenant: { id: publicId('ten', row.tenant_id), name: row.tenant_name },
    agent: row.agent_id === null ? undefined : { id: publicId('agt', row.agent_id), disabled: row.agent_disabled },
    scopes: new Set(row.scopes),
    redirectUris: row.redirect_uris,
    grantTypes: row.grant_types,
    authMethod: row.auth_method,
    jwksJson: row.jwks ?? undefined,
    tlsSubjectDn: row.tls_subject_dn ?? undefined,
    dpopBound: row.dpop_bound,
    certificateBound: row.certificate_bound,
    secrets: [
      ...(row.secret_digest === null ? [] : [{ digest: row.secret_digest, expiresAtMs: undefined }]),
      ...(row.old_secret_digest === null || row.old_secret_expires_at === null
        ? []
        : [{ digest: row.old_secret_digest, expiresAtMs: row.old_secret_expires_at.getTime() }]),
    ],
    disabled: row.disabled,
    tenantDisabled: row.tenant_disabled,
  }
}
