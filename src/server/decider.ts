import { cidrContains, refuse, type Caller, type Refusal, type Tenant } from '#core'
import { callerOf, identifyCredential, type GatePorts, type KeyPort, type KeyRecord } from '#gate'
import type { Decider, Found } from '#hub'
import type { TokenAnswers } from './tokens/token-answers.ts'

/** The keys in memory, also by whose they are. */
export interface KeyDirectory extends KeyPort {
  ofOwner(id: string): Iterable<KeyRecord>
  epoch(): string
}

type Ports = Pick<GatePorts, 'clock' | 'legacy'> & {
  readonly keys: KeyDirectory
  /** Without it a token is nobody's. */
  readonly tokens?: TokenAnswers | undefined
}

// What no address is in any network of.
const noAddress = '(none)'

/** Decides for other services with the code of the gate (SPEC G22). */
export function makeDecider(ports: Ports): Decider {
  const { clock, keys, tokens } = ports
  return {
    ready: (credentials) => {
      const texts = credentials
        .map((credential) => credential.reveal())
        .filter((text) => tokens?.isToken(text) === true)
      return texts.length === 0 ? undefined : tokens?.verify(texts)
    },
    epoch: () => keys.epoch(),
    byCredential: (credential, { tenant, address = noAddress }) => {
      if (!keys.fresh()) return stale()
      if (tokens?.isToken(credential.reveal()) === true) return tokens.find(credential.reveal())
      const progress: { caller: Caller | undefined; key: KeyRecord | undefined } = { caller: undefined, key: undefined }
      // The legacy token is no answer here: asking about guesses of it costs the asker nothing.
      const own: Ports = { ...ports, legacy: undefined, keys: ofTenant(keys, tenant) }
      const refusal = identifyCredential({ text: credential }, address, progress, own)
      if (refusal !== undefined) return refusal
      if (progress.caller === undefined) return refuse('auth.credential_invalid', 'nobody behind the credential')
      return { refused: false, caller: progress.caller, expiresAtMs: progress.key?.expiresAtMs }
    },
    byCaller: (id, { tenant, address = noAddress }) => {
      if (!keys.fresh()) return stale()
      const usable = [...ofTenant(keys, tenant).ofOwner(id)].filter((key) => isUsable(key, clock.now()))
      // A key that is bound to networks says nothing of a party that may not be in them.
      const near = usable.filter((key) => admits(key, address))
      const [first] = near
      if (first !== undefined) return together(first, near)
      return usable.length > 0
        ? refuse('auth.address_denied', 'every key of the caller is bound to other networks')
        : refuse('object.not_found', 'no such caller, or none with a usable key')
    },
  }
}

/** The keys of one tenant: those of others are not there, and not noted as used. */
function ofTenant(keys: KeyDirectory, tenant: Tenant): KeyDirectory {
  const own = (key: KeyRecord): boolean => key.tenant.id === tenant.id
  return {
    find: (part) => {
      const key = keys.find(part)
      return key !== undefined && own(key) ? key : undefined
    },
    fresh: () => keys.fresh(),
    used: (key, atMs) => keys.used(key, atMs),
    ofOwner: (id) => [...keys.ofOwner(id)].filter(own),
    epoch: () => keys.epoch(),
  }
}

function stale(): Refusal {
  return refuse('store.unavailable', 'key state is older than its lease', { retryAfterSeconds: 1 })
}

/** Whoever has several keys may do what any of them allows. */
function together(first: KeyRecord, keys: readonly KeyRecord[]): Found {
  const expiries = keys.flatMap(({ expiresAtMs }) => (expiresAtMs === undefined ? [] : [expiresAtMs]))
  return {
    refused: false,
    caller: { ...callerOf(first), scopes: new Set(keys.flatMap((key) => [...callerOf(key).scopes])) },
    expiresAtMs: expiries.length === 0 ? undefined : Math.min(...expiries),
  }
}

function admits({ allowedCidrs }: KeyRecord, address: string): boolean {
  return allowedCidrs.length === 0 || allowedCidrs.some((cidr) => cidrContains(cidr, address))
}

function isUsable({ revokedAtMs, expiresAtMs, ownerDisabled, tenantDisabled }: KeyRecord, nowMs: number): boolean {
  const expired = expiresAtMs !== undefined && expiresAtMs <= nowMs
  return revokedAtMs === undefined && !expired && !ownerDisabled && !tenantDisabled
}
