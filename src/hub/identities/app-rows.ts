/** An app as stored; what an app has none of is null. */
export interface AppRow {
  readonly id: string
  readonly name: string
  readonly agentId: string | null
  readonly scopes: readonly string[]
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  readonly authMethod: string
  readonly jwksJson: string | null
  readonly tlsSubjectDn: string | null
  readonly dpopBound: boolean
  readonly certificateBound: boolean
  readonly createdAtMs: number
  readonly secretCreatedAtMs: number | null
  readonly oldSecretExpiresAtMs: number | null
  readonly disabledAtMs: number | null
}

export interface AppCreate extends Omit<AppRow, 'secretCreatedAtMs' | 'oldSecretExpiresAtMs' | 'disabledAtMs'> {
  /** Hex; null where the app has no secret. */
  readonly secretDigest: string | null
}

export interface AppRotateSecret {
  readonly id: string
  /** Hex. */
  readonly secretDigest: string
  /** How long the old secret goes on working. */
  readonly overlapSeconds: number
  /** The scopes that whoever asks may grant. */
  readonly grantable: readonly string[]
  readonly atMs: number
}

/** `scopes`: the app has more than is grantable. `rotating`: another call of the same batch came first. */
export type AppRotated = 'done' | 'scopes' | 'disabled' | 'no_secret' | 'rotating'
