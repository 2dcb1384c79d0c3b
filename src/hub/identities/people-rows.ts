import type { OperatorRole } from '#core'

/** An operator as stored. */
export interface OperatorRow {
  readonly id: string
  readonly name: string
  readonly role: OperatorRole
  readonly upstreamSubject: string | null
  readonly passwordSetAtMs: number | null
  readonly createdAtMs: number
  readonly disabledAtMs: number | null
}

export interface OperatorCreate extends Omit<OperatorRow, 'passwordSetAtMs' | 'disabledAtMs'> {
  /** Hex of the digest of the link under which the password is chosen; null where the person signs in elsewhere. */
  readonly codeDigest: string | null
  readonly codeMinutes: number
}

export interface OperatorDisable {
  readonly id: string
  /** Those who have power over tenants are not there for other callers. */
  readonly platformToo: boolean
  readonly atMs: number
}

export interface SessionRow {
  readonly id: string
  readonly operatorId: string
  /** The client id; null for the console. */
  readonly appId: string | null
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly revokedAtMs: number | null
}

export interface SessionRevoke {
  readonly id: string
  /** Sessions of those who have power over tenants are not there for other callers. */
  readonly platformToo: boolean
}

export interface SessionOwner {
  readonly operatorId: string
  readonly tenantId: string
}

export interface SessionOpen {
  readonly codeDigest: string
  readonly sessionDigest: string
}

export interface SessionStart extends SessionOwner {
  readonly id: string
  /** Hex. */
  readonly sessionDigest: string
  /** Of the password that was verified; null where another issuer said who it is. */
  readonly passwordVersion: string | null
}

export interface AppSessionStart extends SessionOwner {
  readonly id: string
  readonly appId: string
  readonly grantId: string
  readonly expiresAtMs: number
}

/** Under a code, or for the operator of a session: exactly one of both is not null. All digests in hex. */
export interface PasswordSet {
  readonly codeDigest: string | null
  readonly sessionDigest: string | null
  /** argon2id as a PHC string. */
  readonly hash: string
  readonly newId: string
  readonly newDigest: string
}
