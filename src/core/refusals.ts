import type { RateState } from './rate.ts'

/** gRPC status codes by name; numbers are those of google.rpc.Code. */
export const grpcCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
} as const

export type GrpcCodeName = Exclude<keyof typeof grpcCodes, 'ok'>

interface RefusalRow {
  readonly grpc: GrpcCodeName
  readonly http: number
  /** The public sentence. Holds nothing that the caller did not send. */
  readonly say: string
  /** What the caller can do about it; shown on the page behind the problem `type`. */
  readonly help: string
}

/**
 * Every expected "no" of the product (SPEC C3). The error details, the problem documents, the page behind each problem
 * `type` and the reference are generated from this table and from nothing else. A code, once released, is not renamed.
 */
// prettier-ignore
export const refusals = {
  'bounds.message_too_large':     { grpc: 'resource_exhausted',  http: 413, say: 'The request is larger than this server accepts.', help: 'Send a smaller request; the limits are limits.grpc.recvBytes and limits.http.bodyBytes.' },
  'bounds.reply_too_large':       { grpc: 'resource_exhausted',  http: 500, say: 'The reply is larger than this server sends.', help: 'Ask for less, for example with a smaller pageSize.' },
  'bounds.headers_too_large':     { grpc: 'resource_exhausted',  http: 431, say: 'The request headers are too many or too large.', help: 'Send fewer or smaller headers; the limit is limits.http.headerBytes.' },
  'bounds.content_type':          { grpc: 'invalid_argument',    http: 415, say: 'This content type is not accepted here.', help: 'Send application/json or application/proto.' },
  'bounds.deadline':              { grpc: 'deadline_exceeded',   http: 504, say: 'The deadline of the call passed before it was done.', help: 'Retry with the same idempotency key and a longer deadline.' },
  'method.unknown':               { grpc: 'unimplemented',       http: 404, say: 'There is no such method.', help: 'See the list of methods in the reference; the name is /portcullis.v1.<Service>/<Method>.' },
  'method.not_allowed':           { grpc: 'unimplemented',       http: 405, say: 'This path does not take this HTTP method.', help: 'Send one of the methods that the Allow header of the reply names.' },
  'auth.credential_missing':      { grpc: 'unauthenticated',     http: 401, say: 'This call needs a credential.', help: 'Send an API key as `authorization: Bearer pc_...` or `x-portcullis-key`.' },
  'auth.credential_invalid':      { grpc: 'unauthenticated',     http: 401, say: 'The credential is not accepted.', help: 'Check the key for typing errors, expiry and revocation; an administrator sees the reason in the ledger.' },
  'auth.credential_ambiguous':    { grpc: 'unauthenticated',     http: 401, say: 'The call carries more than one credential.', help: 'Send exactly one credential, and never in the query string.' },
  'auth.scope_missing':           { grpc: 'permission_denied',   http: 403, say: 'The credential lacks a required scope.', help: 'Use a key that has the scope named in the reply.' },
  'auth.address_denied':          { grpc: 'permission_denied',   http: 403, say: 'The credential may not be used from this address.', help: 'Call from a network on the allow-list of the key.' },
  'auth.proof_invalid':           { grpc: 'unauthenticated',     http: 401, say: 'The proof of possession is missing or not accepted.', help: 'The token is bound to a key or a certificate: send a fresh DPoP proof for this request, or use the connection that the certificate belongs to.' },
  'auth.signature_invalid':       { grpc: 'unauthenticated',     http: 401, say: 'The signature of the request is missing or not accepted.', help: 'Sign the request (RFC 9421) with a registered key, over its method, path, digest, time and a nonce that was never used.' },
  'auth.service_token_invalid':   { grpc: 'unauthenticated',     http: 401, say: 'This service takes calls with its service token only.', help: 'Send the token of the service in x-service-token.' },
  'auth.authority_unavailable':   { grpc: 'unavailable',         http: 503, say: 'The issuer of the token cannot be asked for its keys.', help: 'Retry later; an administrator sees in the log since when the issuer is away.' },
  'auth.form_foreign':            { grpc: 'permission_denied',   http: 403, say: 'The form did not come from a page of this server in this browser.', help: 'Open the page again, allow its cookies, and send the form from there.' },
  'policy.denied':                { grpc: 'permission_denied',   http: 403, say: 'A policy does not allow this call.', help: 'An administrator sees in the ledger which policy decided.' },
  'kill.engaged':                 { grpc: 'permission_denied',   http: 403, say: 'A kill switch is engaged for this caller.', help: 'Stop; an administrator knows why, and releases it.' },
  'kill.stale':                   { grpc: 'unavailable',         http: 503, say: 'Whether a kill switch is engaged cannot be told now.', help: 'Retry in a moment.' },
  'budget.exceeded':              { grpc: 'resource_exhausted',  http: 402, say: 'A budget has no room for this call.', help: 'The reply names the budget, its limit, what is used and held, and when it resets. Ask for less, wait, or ask for a higher limit.' },
  'budget.price_unknown':         { grpc: 'failed_precondition', http: 412, say: 'No price is known for this model, and a hard budget of money holds for it.', help: 'Send amountNanoUsd, use a model that ListPrices names, or ask for a price in costs.prices.' },
  'policy.cap_exceeded':          { grpc: 'resource_exhausted',  http: 402, say: 'A policy cap does not allow this attempt.', help: 'The reply names the cap, its limit and the use. Finish the run, or ask for another cap.' },
  'job.running':                  { grpc: 'already_exists',      http: 409, say: 'A job of this kind is running.', help: 'The reply names it: wait for it, or cancel it.' },
  'job.disabled':                 { grpc: 'permission_denied',   http: 403, say: 'Jobs of this kind are disabled.', help: 'Enable the kind under jobs in the settings.' },
  'rate.limited':                 { grpc: 'resource_exhausted',  http: 429, say: 'Too many calls; slow down.', help: 'Wait for the time in Retry-After. The limits are limits.rate.key, limits.rate.address and, for failed credentials, limits.rate.failures.' },
  'authz.action_unknown':         { grpc: 'permission_denied',   http: 403, say: 'No registered service has this action.', help: 'Register the service and its actions under services in the settings.' },
  'tenant.mismatch':              { grpc: 'permission_denied',   http: 403, say: 'The tenant named in the call is not the tenant of the credential.', help: 'Leave x-tenant-id out, or send the tenant of the credential.' },
  'tenant.missing':               { grpc: 'invalid_argument',    http: 400, say: 'This call must name its tenant.', help: 'Send x-tenant-id.' },
  'object.not_found':             { grpc: 'not_found',           http: 404, say: 'There is no such object.', help: 'Check the id; objects of other tenants do not exist for this caller.' },
  'object.exists':                { grpc: 'already_exists',      http: 409, say: 'An object with this name exists already.', help: 'Choose another name.' },
  'object.state':                 { grpc: 'failed_precondition', http: 412, say: 'The object is not in a state that allows this.', help: 'Read the object and decide again.' },
  'input.malformed':              { grpc: 'invalid_argument',    http: 400, say: 'The request could not be read.', help: 'Check the body against the contract.' },
  'input.invalid':                { grpc: 'invalid_argument',    http: 400, say: 'A field of the request is not valid.', help: 'The reply names the field and what is wrong with it.' },
  'input.page_token':             { grpc: 'invalid_argument',    http: 400, say: 'The page token does not belong to this list.', help: 'Use the nextPageToken of the same call with the same filters.' },
  'identity.scope_exceeds':       { grpc: 'permission_denied',   http: 403, say: 'A key cannot grant scopes that its maker lacks.', help: 'Ask somebody who has the scope, or ask for less.' },
  'ops.confirmation_required':    { grpc: 'failed_precondition', http: 412, say: 'A destructive run needs a confirmation.', help: 'Look at what the script will do, then run it again with --confirm or OPS_CONFIRM=1.' },
  'idempotency.in_flight':        { grpc: 'aborted',             http: 409, say: 'A call with this idempotency key is still under way.', help: 'Retry with the same key in a moment.' },
  'idempotency.payload_mismatch': { grpc: 'invalid_argument',    http: 422, say: 'This idempotency key was used with another payload.', help: 'Use a new key for a new call.' },
  'store.unavailable':            { grpc: 'unavailable',         http: 503, say: 'The store cannot be reached; nothing was done.', help: 'Retry later with the same idempotency key.' },
  'store.busy':                   { grpc: 'unavailable',         http: 503, say: 'The server has too much queued; nothing was done.', help: 'Wait for the time in Retry-After and retry.' },
  'store.full':                   { grpc: 'unavailable',         http: 503, say: 'The store is short of space; nothing was done.', help: 'Tell an administrator: the disk of the store needs room. The mark is limits.freeBytesMin.' },
  'audit.unavailable':            { grpc: 'unavailable',         http: 503, say: 'The decision could not be recorded; nothing was done.', help: 'Retry later with the same idempotency key.' },
  'audit.offbox_unavailable':     { grpc: 'unavailable',         http: 503, say: 'The intent could not be recorded outside of the database; nothing was done.', help: 'Retry later with the same idempotency key. An administrator sees in the log which sink is away; too few of audit.sinks acknowledged a checkpoint within 5 seconds.' },
  'outcome.unknown':              { grpc: 'unavailable',         http: 503, say: 'The connection to the store was lost at commit; the call may have taken effect.', help: 'Retry with the same idempotency key: it tells, and never does the work twice.' },
  'server.draining':              { grpc: 'unavailable',         http: 503, say: 'The server is shutting down.', help: 'Retry at once; another replica or the restarted server will answer.' },
  'server.internal':              { grpc: 'internal',            http: 500, say: 'Something went wrong on our side.', help: 'Tell an administrator the request id; the log has the cause.' },
} as const satisfies Record<string, RefusalRow>

export type RefusalCode = keyof typeof refusals

/** An expected "no": a value that leaves the table early, is recorded, and is translated once at the edge. */
export interface Refusal {
  readonly refused: true
  readonly code: RefusalCode
  /** For the ledger and the log only; never sent to the caller. */
  readonly reason: string
  /** Public details such as the missing scope or the name of a field; only what the caller may know. */
  readonly detail?: string
  /** Seconds until a retry can succeed. */
  readonly retryAfterSeconds?: number
  /** The bucket that the call was charged to; sent to the caller. */
  readonly limit?: RateState
  /** More for the caller, by name: in the metadata of the gRPC error details, and as a member of the problem document. */
  readonly facts?: Facts
}

/** What a refusal tells in fields of their own: flat, every value as text. */
export type Facts = Readonly<Record<string, string>>

export function refuse(
  code: RefusalCode,
  reason: string,
  more: { detail?: string; retryAfterSeconds?: number; limit?: RateState; facts?: Facts } = {},
): Refusal {
  return { refused: true, code, reason, ...more }
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value && value.refused === true
}
