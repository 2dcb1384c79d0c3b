/** A token whose signature, issuer, audience and times were right when it was looked at (SPEC A3). */
export interface VerifiedToken {
  readonly issuer: 'own' | 'upstream'
  /** `jti`, or a digest of the token where it has none. */
  readonly id: string
  readonly subject: string
  readonly clientId: string | undefined
  readonly scopes: ReadonlySet<string>
  /** Milliseconds since the epoch; exclusive. */
  readonly expiresAtMs: number
  readonly issuedAtMs: number
  /** What was granted together and ends together: `grant_id`. */
  readonly grantId?: string | undefined
  /** `cnf.jkt`: thumbprint of the key that must prove itself with each call (RFC 9449). */
  readonly jkt?: string | undefined
  /** `cnf.x5t#S256`: the certificate that the connection must have been made with (RFC 8705). */
  readonly certificate?: string | undefined
}

/** A DPoP proof that is right for this call and was not used before. */
export interface VerifiedProof {
  readonly refused: false
  /** Thumbprint of the key that made it. */
  readonly jkt: string
}
