import { cidrContains, closeScopes, digestsEqual, parseKey, refuse, sha256, type Caller, type Refusal } from '#core'
import type { Call, PresentedCredential, Progress } from '../call.ts'
import type { Step } from '../chain.ts'
import type { GatePorts, KeyRecord } from '../ports.ts'

// Compared with where no key was found, so that an unknown key takes as long as a wrong one (SPEC G4).
const nobody = sha256('')

/** Exactly one primary credential; every failure is charged to the address. */
export const authenticate: Step = (call, progress, ports) => {
  const refusal = identify(call, progress, ports)
  if (refusal !== undefined && refusal.code !== 'store.unavailable') {
    ports.failures.take(call.remote, ports.clock.monotonic())
  }
  return refusal
}

function identify(call: Call, progress: Progress, ports: GatePorts): Refusal | undefined {
  if (call.credentials.some(({ kind }) => kind === 'query'))
    return refuse('auth.credential_ambiguous', 'credential in the query string')
  const [credential, second] = call.credentials
  if (credential === undefined) return refuse('auth.credential_missing', 'no credential')
  if (second !== undefined) return refuse('auth.credential_ambiguous', `${call.credentials.length} credentials`)
  if (!ports.keys.fresh())
    return refuse('store.unavailable', 'key state is older than its lease', { retryAfterSeconds: 1 })
  return identifyKey(call, credential, progress, ports)
}

function identifyKey(
  call: Call,
  credential: PresentedCredential,
  progress: Progress,
  ports: GatePorts,
): Refusal | undefined {
  const invalid = (reason: string): Refusal => refuse('auth.credential_invalid', reason)
  const parsed = parseKey(credential.text.reveal())
  const key = parsed === undefined ? undefined : ports.keys.find(parsed.id)
  const right = digestsEqual(sha256(parsed?.secret ?? ''), key?.digest ?? nobody)
  if (parsed === undefined) return invalid('key malformed or its checksum wrong')
  if (key === undefined) return invalid('key unknown')
  if (!right) return invalid(`secret wrong for ${key.id}`)

  // The secret was right: from here on the ledger knows whose key it was, even where the call is refused.
  const nowMs = ports.clock.now()
  progress.caller = callerOf(key)
  if (key.revokedAtMs !== undefined && key.revokedAtMs <= nowMs) return invalid(`key ${key.id} revoked`)
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) return invalid(`key ${key.id} expired`)
  if (key.ownerDisabled) return invalid(`owner ${key.owner.id} disabled`)
  if (key.tenantDisabled) return invalid(`tenant ${key.tenant.id} disabled`)
  if (key.allowedCidrs.length > 0 && !key.allowedCidrs.some((cidr) => cidrContains(cidr, call.remote))) {
    return refuse('auth.address_denied', `address ${call.remote} not on the allow-list of ${key.id}`)
  }
  progress.key = key
  ports.keys.used(key, nowMs)
  return undefined
}

const callers = new WeakMap<KeyRecord, Caller>()

/** The caller behind a key: the same for every call, so it is made once. */
function callerOf(key: KeyRecord): Caller {
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
