import type { Tenant } from '#core'

/** What a program registered as (SPEC A5); in memory under the epoch of credentials. */
export interface AppRecord {
  /** `app_...`, also its `client_id`. */
  readonly id: string
  readonly name: string
  readonly tenant: Tenant
  /** What its tokens by client credentials stand for; undefined where they stand for the app itself. */
  readonly agent: { readonly id: string; readonly disabled: boolean } | undefined
  /** The ceiling of its tokens. */
  readonly scopes: ReadonlySet<string>
  /** Exact strings. */
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly ('client_credentials' | 'authorization_code' | 'refresh_token')[]
  readonly authMethod:
    | 'client_secret_basic'
    | 'client_secret_post'
    | 'private_key_jwt'
    | 'tls_client_auth'
    | 'self_signed_tls_client_auth'
    | 'none'
  /** A JWK set of public keys. */
  readonly jwksJson: string | undefined
  /** Subject of the certificate (RFC 4514). */
  readonly tlsSubjectDn: string | undefined
  readonly dpopBound: boolean
  readonly certificateBound: boolean
  /** SHA-256 of each secret that is good, or was; the newest first. */
  readonly secrets: readonly { readonly digest: Uint8Array; readonly expiresAtMs: number | undefined }[]
  readonly disabled: boolean
  readonly tenantDisabled: boolean
}

export interface AppDirectory {
  find(id: string): AppRecord | undefined
}

/** A person who runs a tenant (SPEC A9). */
export interface OperatorRecord {
  /** `opr_...` */
  readonly id: string
  readonly name: string
  readonly tenant: Tenant
  /** Those of its role. */
  readonly scopes: ReadonlySet<string>
  readonly disabled: boolean
  readonly tenantDisabled: boolean
}

export interface OperatorDirectory {
  find(id: string): OperatorRecord | undefined
}

/** Tokens that were revoked before their end (SPEC A1, A10). */
export interface DenialDirectory {
  /** By `jti`, or by the grant that the token belongs to. */
  denied(tokenId: string, grantId: string | undefined): boolean
}

/** Public keys that sign the tokens of this deployment, the one in use first (SPEC A2). */
export interface OwnKeys {
  readonly issuer: () => string
  readonly publicJwks: () => readonly Readonly<Record<string, unknown>>[]
}

/** What may be used once, for as long as it is good; decided by the database, for all replicas (SPEC A7, G16). */
export interface SingleUsePort {
  /** True for the first who takes it. `value` is digested before it is stored. */
  take(kind: 'dpop' | 'signature' | 'assertion', value: string, expiresAtMs: number): Promise<boolean>
}
