import type { Caller, Cidr, Clock, Rate, Refusal, Tenant, VerifiedToken } from '#core'
import type { Call } from './call.ts'
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

export interface KeyPort {
  /** By the id part of the key text (22 base62 characters). */
  find(keyPart: string): KeyRecord | undefined
  /** False once the state in memory is older than its lease: then nobody can be authenticated (SPEC G20). */
  fresh(): boolean
  /** Remembers that the key was used; coalesced, never waits. */
  used(key: KeyRecord, atMs: number): void
}

/** The shared token of old callers, where it is enabled (SPEC G8). */
export interface LegacyPort {
  /** SHA-256 of the token. */
  readonly digest: Uint8Array
  /** Who its callers are; undefined where the tenant does not exist or is disabled. */
  caller(): Caller | undefined
}

/** A certificate that stands for an agent; in memory as keys are (SPEC G17). */
export interface CertificateRecord {
  /** `crt_...` */
  readonly id: string
  readonly agentId: string
  readonly tenant: Tenant
  readonly scopes: ReadonlySet<string>
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
  readonly revokedAtMs: number | undefined
  readonly agentDisabled: boolean
  readonly tenantDisabled: boolean
}

export interface CertificatePort {
  /** By the SHA-256 of the certificate, base64url. */
  find(thumbprint: string): CertificateRecord | undefined
}

/** Who tokens stand for, under what is in memory: apps, agents, people, and what was revoked (SPEC A10). */
export interface TokenPort {
  /** Cheap, and asked at every call. A refusal where the token may not be used, or not any more. */
  callerOf(token: VerifiedToken): Caller | Refusal
}

/** The kill switch; nothing is engaged without one (SPEC G14). */
export interface KillPort {
  /** Why this call is not let in: engaged, or not known to be released. */
  refusal(call: Call, caller: Caller): Refusal | undefined
}

/** Fine policy behind the scopes; without one the scopes decide (SPEC G21). */
export interface PolicyPort {
  refusal(call: Call, caller: Caller): Refusal | undefined
}

export interface GatePorts {
  readonly clock: Clock
  readonly keys: KeyPort
  readonly legacy?: LegacyPort | undefined
  readonly tokens?: TokenPort | undefined
  readonly certificates?: CertificatePort | undefined
  readonly kill?: KillPort | undefined
  readonly policy?: PolicyPort | undefined
  /** Failed credentials, per address. */
  readonly failures: Gcra
  /** Public reads and unknown methods, per address. */
  readonly addresses: Gcra
  /** Authenticated calls, per key. */
  readonly calls: Gcra
  /** Processes that share the rates and know nothing of each other's buckets: each lets in its share. */
  readonly workers?: number
  /** The buckets are kept elsewhere: decisions name their charges and take nothing (SPEC G7). */
  readonly shared?: boolean
}
