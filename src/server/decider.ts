import { refuse, type Caller, type Refusal } from '#core'
import { callerOf, identifyCredential, type GatePorts, type KeyPort, type KeyRecord } from '#gate'
import type { Decider, Found } from '#hub'

/** The keys in memory, also by whose they are. */
export interface KeyDirectory extends KeyPort {
  ofOwner(id: string): Iterable<KeyRecord>
  epoch(): string
}

type Ports = Pick<GatePorts, 'clock' | 'legacy'> & { readonly keys: KeyDirectory }

// What no address is in any network of.
const noAddress = '(none)'

/** Decides for other services with the code of the gate (SPEC G22). */
export function makeDecider(ports: Ports): Decider {
  const { clock, keys } = ports
  return {
    epoch: () => keys.epoch(),
    byCredential: (credential, address = noAddress) => {
      if (!keys.fresh()) return stale()
      const progress: { caller: Caller | undefined; key: KeyRecord | undefined } = { caller: undefined, key: undefined }
      // The legacy token is no answer here: asking about guesses of it costs the asker nothing.
      const refusal = identifyCredential({ text: credential }, address, progress, { ...ports, legacy: undefined })
      if (refusal !== undefined) return refusal
      if (progress.caller === undefined) return refuse('auth.credential_invalid', 'nobody behind the credential')
      return { refused: false, caller: progress.caller, expiresAtMs: progress.key?.expiresAtMs }
    },
    byCaller: (id) => (keys.fresh() ? together(keys.ofOwner(id), clock.now()) : stale()),
  }
}

function stale(): Refusal {
  return refuse('store.unavailable', 'key state is older than its lease', { retryAfterSeconds: 1 })
}

/** Whoever has several keys may do what any of them allows. */
function together(keys: Iterable<KeyRecord>, nowMs: number): Found | Refusal {
  const usable = [...keys].filter((key) => isUsable(key, nowMs))
  const [first] = usable
  if (first === undefined) return refuse('object.not_found', 'no such caller, or none with a usable key')
  const expiries = usable.flatMap(({ expiresAtMs }) => (expiresAtMs === undefined ? [] : [expiresAtMs]))
  return {
    refused: false,
    caller: { ...callerOf(first), scopes: new Set(usable.flatMap((key) => [...callerOf(key).scopes])) },
    expiresAtMs: expiries.length === 0 ? undefined : Math.min(...expiries),
  }
}

function isUsable({ revokedAtMs, expiresAtMs, ownerDisabled, tenantDisabled }: KeyRecord, nowMs: number): boolean {
  const expired = expiresAtMs !== undefined && expiresAtMs <= nowMs
  return revokedAtMs === undefined && !expired && !ownerDisabled && !tenantDisabled
}
