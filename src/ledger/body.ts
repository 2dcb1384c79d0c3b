import { canonicalJson, type Json } from '#core'

/** The largest body in bytes; what the entry adds around it stays far below 60 KiB. */
export const bodyBytesMax = 48 * 1024

/** What the authorization server did (SPEC A11). */
export type TokenEventKind =
  | 'token.issued'
  | 'token.refreshed'
  | 'token.refused'
  | 'token.revoked'
  | 'token.introspected'
  | 'refresh_replay'
  | 'code_replay'
  | 'code.issued'
  | 'session.ended'
  | 'token_key.made'

export type EntryKind =
  | 'decision'
  | 'denials.counted'
  | 'reads.counted'
  | 'entries.lost'
  | 'system.initialised'
  | 'admin.recovered'
  | 'console.signed_in'
  | 'console.signed_out'
  | 'password.set'
  | 'app.signed_in'
  | TokenEventKind
  | 'config.changed'
  | 'intent'
  | 'aborted'
  | 'audit.override'
  | 'ledger.rollback'
  | 'ledger.rollback_over'
  | 'ledger.sink'
  | 'ledger.gap'
  | 'ledger.prune'
  | 'retention.held'
  | 'retention.released'
  | 'retention.class_set'
  | 'key.rotated'
  | 'kill.cancelled'
  | 'kill.auto_shadow'
  | 'kill.auto_alert'
  | 'kill.auto_engaged'
  | 'pseudonym_key.created'
  | 'pseudonym_key.destroyed'
  | 'budget.threshold'
  | 'budget.overage'
  | 'budget.would_deny'
  | 'budget.denied'
  | 'budget.reservation_expired'
  | 'policy.violation'
  | 'policy.denied'
  | 'cost.drift'
  | 'telemetry.retention'
  | 'webhook.replayed'
  | 'job.triggered'
  | 'job.ended'
  | 'posture.recorded'
export type Outcome = 'allow' | 'deny' | 'error'
export type EntryAccess = 'public_read' | 'private_read' | 'write' | 'system'

/** What one entry says (SPEC L2). The order of the members is that of canonical JSON. */
export interface EntryBody {
  readonly access: EntryAccess
  readonly actor?: string | undefined
  /** A summary, redacted and capped: see summarizeArguments. */
  readonly args?: { readonly [key: string]: Json | undefined } | undefined
  /** When the call was decided, RFC 3339 in UTC with milliseconds; `ts` of the entry is when it was appended. */
  readonly at: string
  /** The source matched a bypass network, also where the call was refused. */
  readonly bypass: boolean
  readonly caller?: { readonly id: string; readonly kind: string } | undefined
  /** The OAuth client that acts for the caller: `app_...`, or that of the command line. */
  readonly client?: string | undefined
  /** Refusal code. */
  readonly code?: string | undefined
  /** `signedBy` is the signing key of a signed request. */
  readonly credential?:
    { readonly id: string; readonly kind: string; readonly signedBy?: string | undefined } | undefined
  /** Microseconds from the call's arrival to its decision. */
  readonly elapsedUs: number
  /** `ent_` and a UUIDv7. */
  readonly id: string
  readonly kind: EntryKind
  readonly method: string
  readonly outcome: Outcome
  /** Private: never sent to the caller. */
  readonly reason?: string | undefined
  readonly remote?: string | undefined
  readonly requestId?: string | undefined
  /** De-duplicated and sorted. */
  readonly scopes?: readonly string[] | undefined
  readonly tenant?: string | undefined
}

/**
 * The canonical JSON of a body. Above 48 KiB the arguments become `{"bytes":n,"truncated":true}`.
 * @throws RangeError where the rest alone is larger, TypeError or RangeError where a value breaks the rules.
 */
export function encodeBody(body: EntryBody): string {
  const json = canonicalJson({ ...body })
  if (fits(json)) return json
  const args = { bytes: body.args === undefined ? 0 : Buffer.byteLength(canonicalJson(body.args)), truncated: true }
  const short = canonicalJson({ ...body, args })
  if (fits(short)) return short
  throw new RangeError(
    `an entry body has more than ${bodyBytesMax} bytes even without its arguments: bound method, reason and scopes where they enter`,
  )
}

function fits(json: string): boolean {
  // A UTF-16 unit is at most three bytes of UTF-8.
  return json.length * 3 <= bodyBytesMax || Buffer.byteLength(json) <= bodyBytesMax
}
