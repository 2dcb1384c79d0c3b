export interface KeyCreate {
  readonly id: string
  readonly agentId: string
  /** Hex. */
  readonly digest: string
  readonly scopes: readonly string[]
  readonly allowedModels: readonly string[]
  readonly allowedTools: readonly string[]
  readonly allowedCidrs: readonly string[]
  readonly ratePerSecond: number | null
  readonly rateBurst: number | null
  readonly requireSignature: boolean
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
}

export interface KeyRevoke {
  readonly id: string
  /** The keys of operators are not there for this caller. */
  readonly agentKeysOnly: boolean
  /** Keys of those who have power over tenants are not there for other callers. */
  readonly platformToo: boolean
  readonly atMs: number
}

export interface KeyRow {
  readonly id: string
  readonly agentId: string | null
  readonly scopes: readonly string[]
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  readonly revokedAtMs: number | null
  readonly lastUsedAtMs: number | null
  readonly allowedModels: readonly string[]
  readonly allowedTools: readonly string[]
  readonly allowedCidrs: readonly string[]
  readonly ratePerSecond: number | null
  readonly rateBurst: number | null
  readonly requireSignature: boolean
  /** The key that took its place. */
  readonly replacedBy: string | null
}

export interface KeyRotate {
  readonly id: string
  readonly newId: string
  /** Hex, of the new key. */
  readonly digest: string
  /** An operator's key is there for that operator only; null is none. */
  readonly operatorId: string | null
  /** What the caller can grant: the key has none beyond. */
  readonly grantable: readonly string[]
  readonly atMs: number
  readonly graceMs: number
  /** Of the new key; null takes the expiry of the old one. */
  readonly expiresAtMs: number | null
}

/** `rotated`: before, or by another call at the same time. The row is that of the old key before the rotation. */
export type KeyRotated = 'done' | 'scopes' | 'rotated' | 'revoked' | 'expired' | 'disabled'

/** A key that signs requests, as stored. */
export interface SigningKeyRow {
  readonly id: string
  readonly agentId: string | null
  readonly algorithm: 'ed25519' | 'hmac-sha256'
  /** SubjectPublicKeyInfo, DER, base64; null for HMAC. */
  readonly publicKey: string | null
  readonly createdAtMs: number
  readonly revokedAtMs: number | null
}

export interface SigningKeyRevoke {
  readonly id: string
  /** As for other keys. */
  readonly platformToo: boolean
  readonly atMs: number
}

export interface SigningKeyCreate extends Omit<SigningKeyRow, 'revokedAtMs'> {
  /** Whose it is where it is not an agent's. */
  readonly operatorId: string | null
  /** Hex; null for Ed25519. */
  readonly envelope: string | null
  readonly masterKeyId: string | null
}

export interface CertificateRow {
  readonly id: string
  readonly agentId: string
  /** Hex of the SHA-256 of its DER. */
  readonly thumbprint: string
  readonly subjectDn: string
  readonly scopes: readonly string[]
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly revokedAtMs: number | null
}

export type CertificateBind = Omit<CertificateRow, 'revokedAtMs'>
