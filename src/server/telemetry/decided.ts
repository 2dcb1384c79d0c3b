import { refusals, type Caller, type RefusalCode } from '#core'
import type { Call } from '#gate'
import type { About } from '#hub'

/** The outcome of one decision, as metrics, the audit line, traces and forwarders see it: no arguments, no secrets. */
export interface Decided {
  /** The path of the method in the contract, that of its route, or `(unknown)`: never text that a caller chose. */
  readonly route: string
  /** The HTTP status of the outcome, also where the call came over gRPC. */
  readonly status: number
  readonly outcome: 'allow' | 'deny' | 'error'
  readonly code: RefusalCode | undefined
  readonly caller: Caller | undefined
  /** True where the source matched a bypass network. */
  readonly bypass: boolean
  readonly remote: string
  readonly requestId: string
  readonly traceparent: string | undefined
  /** From the arrival of the headers to the outcome. */
  readonly elapsedMs: number
  /** How much of it the gate took; undefined where nobody measured. */
  readonly gateMs?: number | undefined
  /** When its work in the store began, since the arrival; until the outcome. */
  readonly storeFromMs?: number | undefined
  /** Text of the caller: who counts by it bounds it. Only of calls that the gate let in, and not of replays. */
  readonly about?: About | undefined
}

export const unknownRoute = '(unknown)'
export const anonymous = '(anonymous)'
export const none = '(none)'

/** Refusals that are ours to answer for, and not the caller's. */
const ours = /^(?:server|store|audit|outcome)\./

/** What the ledger and the metrics call a refusal, the same in both. */
export function outcomeOf(code: RefusalCode): 'deny' | 'error' {
  return ours.test(code) ? 'error' : 'deny'
}

export function toldOf(
  call: Pick<Call, 'remote' | 'requestId' | 'traceparent' | 'bypass' | 'door'> & {
    readonly method: { readonly path: string } | undefined
  },
  caller: Caller | undefined,
  elapsedMs: number,
  code: RefusalCode | undefined,
  outcome: Decided['outcome'] = code === undefined ? 'allow' : outcomeOf(code),
  times?: Pick<Decided, 'gateMs' | 'storeFromMs' | 'about'>,
): Decided {
  return {
    route: call.door?.route ?? call.method?.path ?? unknownRoute,
    status: code === undefined ? (call.door?.status ?? 200) : refusals[code].http,
    outcome,
    code,
    caller,
    bypass: call.bypass !== undefined,
    remote: call.remote,
    requestId: call.requestId,
    traceparent: call.traceparent,
    elapsedMs,
    gateMs: times?.gateMs,
    storeFromMs: times?.storeFromMs,
    about: times?.about,
  }
}

/** When what became of a call happened, in monotonic milliseconds. */
export interface CallTimes {
  readonly arrivedAt: number
  /** The gate was done. */
  readonly decidedAt?: number | undefined
  /** Its work began. */
  readonly startedAt?: number | undefined
}

export function timesOf({ arrivedAt, decidedAt, startedAt }: CallTimes): Pick<Decided, 'gateMs' | 'storeFromMs'> {
  const since = (at: number | undefined) => (at === undefined ? undefined : at - arrivedAt)
  return { gateMs: since(decidedAt), storeFromMs: since(startedAt) }
}

const joined = new WeakMap<ReadonlySet<string>, string>()

/** De-duplicated, sorted, joined with spaces; `(none)` where there are none. */
export function scopesText(caller: Caller | undefined): string {
  if (caller === undefined || caller.scopes.size === 0) return none
  const known = joined.get(caller.scopes)
  if (known !== undefined) return known
  const text = [...caller.scopes].toSorted().join(' ')
  joined.set(caller.scopes, text)
  return text
}

/** Who presented the credential: the id of the key, or of the OAuth client. */
export function clientId(caller: Caller | undefined): string {
  return caller?.clientId ?? caller?.credential.id ?? none
}
