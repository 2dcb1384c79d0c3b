import type { KeyObject } from 'node:crypto'
import type { Method } from '@portcullis/contract'
import type { Caller, Cidr, Clock, Rate, Refusal, Tenant, VerifiedToken } from '#core'
import type { Call } from './call.ts'
import type { Gcra } from './gcra.ts'
import type { TokenGuard, TokenResult } from './service-token.ts'

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
  /** Methods of high risk take this key with a signed request only (SPEC G16). */
  readonly requireSignature?: boolean
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
  /** By the SHA-256 of the certificate, base64url: one of each tenant that has bound it, the one that stands where there is one. */
  find(thumbprint: string): readonly CertificateRecord[]
}

/** A key that signs requests; in memory as keys are (SPEC G16). */
export interface SigningKeyRecord {
  /** `sgk_...`, the `keyid` of its signatures. */
  readonly id: string
  readonly owner: { readonly kind: 'agent' | 'operator'; readonly id: string }
  /** `ten_...` */
  readonly tenantId: string
  readonly algorithm: SigningAlgorithm
  readonly revokedAtMs: number | undefined
  /** The public key, or the secret of an HMAC key; rejects where that cannot be opened now. */
  open(): Promise<KeyObject>
}

export type SigningAlgorithm = 'ed25519' | 'hmac-sha256'

export interface SigningKeyPort {
  find(id: string): SigningKeyRecord | undefined
}

/** Who tokens stand for, under what is in memory: apps, agents, people, and what was revoked (SPEC A10). */
export interface TokenPort {
  /** Cheap, and asked at every call. A refusal where nobody stands behind the token. */
  callerOf(token: VerifiedToken): TokenHolder | Refusal
}

export interface TokenHolder {
  readonly caller: Caller
  /** Why the token may not be used, or not any more. */
  readonly refusal?: Refusal | undefined
  /** The token may be used, but for nothing here: it lacks what every token of its issuer must have. */
  readonly lacking?: Refusal | undefined
}

/** The token that one service of the contract asks for beside, or in place of, a credential (SPEC G9). */
export interface ServiceGuard extends TokenGuard {
  /** Name of the service without its package. */
  readonly service: string
  /** What the token alone allows. Closed under implication. */
  readonly scopes: ReadonlySet<string>
}

export interface GuardPort {
  of(method: Method): ServiceGuard | undefined
  /** By id or name; undefined where there is none, or it is disabled. */
  tenant(idOrName: string): Tenant | undefined
  /** Told of every call of a guarded service. Never throws and never waits. */
  saw(guard: ServiceGuard, caller: Caller | undefined, result: TokenResult): void
}

/** A network whose callers may come without a credential (SPEC G12). */
export interface BypassNetwork {
  readonly cidr: string
  /** Undefined where its tenant does not exist or is disabled. */
  caller(): Caller | undefined
}

export interface BypassPort {
  /** The narrowest network of the address that has not expired. */
  match(remote: string, nowMs: number): BypassNetwork | undefined
}

/** Callers that nobody knows, while they are let in at all (SPEC G13). */
export interface AnonymousPort {
  open(nowMs: number): boolean
  /** Undefined where the tenant does not exist or is disabled. */
  caller(): Caller | undefined
}

/** The kill switch; nothing is engaged without one (SPEC G14). */
export interface KillPort {
  /** Why this call is not let in: engaged, or not known to be released. */
  refusal(call: Pick<Call, 'method'>, caller: Caller): Refusal | undefined
  /** Why what the call is about to use is not to be used, which is known once its body is read (SPEC K1). */
  refusalOf(
    uses: { readonly models?: readonly string[]; readonly tool?: string; readonly jobKind?: string },
    caller: Caller,
  ): Refusal | undefined
}

/** Fine policy behind the scopes; without one the scopes decide (SPEC G21). */
export interface PolicyPort {
  /** `actor` is the acting person, where the service token was right. */
  refusal(call: Call, caller: Caller, actor: string | undefined): Refusal | undefined
}

export interface GatePorts {
  readonly clock: Clock
  readonly keys: KeyPort
  readonly legacy?: LegacyPort | undefined
  readonly tokens?: TokenPort | undefined
  readonly certificates?: CertificatePort | undefined
  readonly guards?: GuardPort | undefined
  readonly bypass?: BypassPort | undefined
  readonly anonymous?: AnonymousPort | undefined
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
