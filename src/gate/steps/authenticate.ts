import {
  cidrContains,
  closeScopes,
  digestsEqual,
  parseKey,
  refuse,
  sha256,
  type Caller,
  type Refusal,
  type RefusalCode,
  type Secret,
} from '#core'
import { addressGroup } from '../address-group.ts'
import type { Call, PresentedCredential, Progress } from '../call.ts'
import type { Step } from '../chain.ts'
import { charge } from '../charge.ts'
import type { GatePorts, KeyRecord, LegacyPort } from '../ports.ts'
import { guardService, readServiceToken } from './guard-service.ts'
import { identifyBare, stale } from './identify-bare.ts'
import { certificateOfAnother } from './identify-certificate.ts'
import { identifyToken } from './identify-token.ts'

// Compared with where no key was found, so that an unknown key takes as long as a wrong one (SPEC G4).
const nobody = sha256('')

// What the caller can do nothing about, and what is said of a token that was right, is not charged to its address.
const notTheirs: ReadonlySet<RefusalCode> = new Set([
  'store.unavailable',
  'auth.authority_unavailable',
  'store.busy',
  // The proof of a caller over its rate is not looked at: its own bucket refused it, and nobody failed to show who they are.
  'rate.limited',
  'tenant.missing',
  'tenant.mismatch',
])

/** Exactly one primary credential, and the token of the service where it is enforced; every failure is charged to the address. */
export const authenticate: Step = (call, progress, ports) => {
  readServiceToken(call, progress, ports)
  const refusal = guardService(identify(call, progress, ports), progress, ports)
  if (refusal !== undefined && !notTheirs.has(refusal.code)) {
    // The tokens were there a moment ago: limitFailures looked. Where the buckets are shared, what they say comes first.
    charge(progress, ports, 'failures', addressGroup(call.remote))
  }
  return refusal
}

function identify(call: Call, progress: Progress, ports: GatePorts): Refusal | undefined {
  if (call.credentials.some(({ kind }) => kind === 'query'))
    return refuse('auth.credential_ambiguous', 'credential in the query string', {
      detail: 'a credential belongs in a header, not in the query string',
    })
  const [credential, second] = call.credentials
  if (second !== undefined) return refuse('auth.credential_ambiguous', `${call.credentials.length} credentials`)
  if (credential === undefined) return identifyBare(call, progress, ports)
  if (!ports.keys.fresh()) return stale()
  const isToken = credential.kind === 'access_token' && !isLegacy(credential, ports.legacy)
  const refusal = isToken
    ? identifyToken(call, progress, ports)
    : identifyCredential(credential, call.remote, progress, ports)
  return refusal ?? certificateOfAnother(call, progress, ports)
}

/** An old token may happen to have the form of a JWT. */
function isLegacy({ text, dpop }: PresentedCredential, legacy: LegacyPort | undefined): boolean {
  return legacy !== undefined && dpop !== true && digestsEqual(sha256(text.reveal()), legacy.digest)
}

/** Whose credential this is, and whether it may be used from that address. Charges nobody. */
export function identifyCredential(
  { text }: Pick<PresentedCredential, 'text'>,
  remote: string,
  progress: Pick<Progress, 'caller' | 'key'>,
  ports: Pick<GatePorts, 'clock' | 'keys' | 'legacy'>,
): Refusal | undefined {
  const invalid = (reason: string): Refusal => refuse('auth.credential_invalid', reason)
  const parsed = parseKey(text.reveal())
  if (parsed === undefined && ports.legacy !== undefined) return identifyLegacy(text, progress, ports.legacy)
  const key = parsed === undefined ? undefined : ports.keys.find(parsed.id)
  const right = digestsEqual(sha256(parsed?.secret ?? ''), key?.digest ?? nobody)
  if (parsed === undefined) return invalid('key malformed or its checksum wrong')
  if (key === undefined) return invalid('key unknown')
  if (!right) return invalid(`secret wrong for ${key.id}`)

  // The secret was right: from here on the ledger knows whose key it was, even where the call is refused.
  const nowMs = ports.clock.now()
  progress.caller = callerOf(key)
  // Whatever its time says: the clock of the replica that revoked it may be ahead of ours.
  if (key.revokedAtMs !== undefined) return invalid(`key ${key.id} revoked`)
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) return invalid(`key ${key.id} expired`)
  if (key.ownerDisabled) return invalid(`owner ${key.owner.id} disabled`)
  if (key.tenantDisabled) return invalid(`tenant ${key.tenant.id} disabled`)
  if (key.allowedCidrs.length > 0 && !key.allowedCidrs.some((cidr) => cidrContains(cidr, remote))) {
    return refuse('auth.address_denied', `address ${remote} not on the allow-list of ${key.id}`)
  }
  progress.key = key
  ports.keys.used(key, nowMs)
  return undefined
}

/** The shared token of old callers: compared as digests in constant time, so that neither content nor length shows (SPEC G8). */
function identifyLegacy(text: Secret, progress: Pick<Progress, 'caller'>, legacy: LegacyPort): Refusal | undefined {
  const right = digestsEqual(sha256(text.reveal()), legacy.digest)
  if (!right) return refuse('auth.credential_invalid', 'neither a key nor the legacy token')
  const caller = legacy.caller()
  if (caller === undefined)
    return refuse('auth.credential_invalid', 'legacy token right, but its tenant does not exist or is disabled')
  progress.caller = caller
  return undefined
}

const callers = new WeakMap<KeyRecord, Caller>()

/** The caller behind a key: the same for every call, so it is made once. */
export function callerOf(key: KeyRecord): Caller {
  const known = callers.get(key)
  if (known !== undefined) return known
  const caller: Caller = {
    kind: key.owner.kind,
    id: key.owner.id,
    tenant: key.tenant,
    scopes: closeScopes(key.scopes),
    credential: { kind: 'api_key', id: key.id },
  }
  callers.set(key, caller)
  return caller
}
