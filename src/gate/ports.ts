import type { Cidr, Clock, Tenant } from '#core'
import type { Gcra } from './gcra.ts'

/** A stored API key with all that a decision needs; read from memory, never from the database, at call time (SPEC G4). */
export interface KeyRecord {
  /** `key_...` */
  readonly id: string
  /** SHA-256 of the secret part. */
  readonly digest: Uint8Array
  readonly owner: { readonly kind: 'agent' | 'operator'; readonly id: string }
  readonly tenant: Tenant
  readonly scopes: ReadonlySet<string>
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number | undefined
  readonly revokedAtMs: number | undefined
  readonly ownerDisabled: boolean
  readonly tenantDisabled: boolean
  readonly allowedCidrs: readonly Cidr[]
  readonly rate: Rate | undefined
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export interface KeyPort {
  /** By the id part of the key text (22 base62 characters). */
  find(keyPart: string): KeyRecord | undefined
  /** False once the state in memory is older than its lease: then nobody can be authenticated (SPEC G20). */
  fresh(): boolean
  /** Remembers that the key was used; coalesced, never waits. */
  used(key: KeyRecord, atMs: number): void
}

export interface GatePorts {
  readonly clock: Clock
  readonly keys: KeyPort
  /** Failed credentials, per address. */
  readonly failures: Gcra
  /** Public reads and unknown methods, per address. */
  readonly addresses: Gcra
  /** Authenticated calls, per key. */
  readonly calls: Gcra
}
