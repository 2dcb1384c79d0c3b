import { publicId, uuidv7, type Tenant } from '#core'
import { bare } from '#hub'
import { encodeBody, maskText, type LedgerRecord } from '#ledger'
import type { OAuthEvent, Origin } from '#authority'

export interface Whose {
  readonly tenant: Tenant
  readonly caller: { readonly id: string; readonly kind: 'agent' | 'operator' | 'service' }
}

/** The entry of what the authorization server did (SPEC A11). Times and codes; never a token, a code or a secret. */
export function oauthRecord(
  event: OAuthEvent,
  origin: Origin,
  whose: Whose | undefined,
  times: { readonly nowMs: number; readonly elapsedMs: number },
): LedgerRecord {
  const { app, args, error, kind, reason, route } = event
  const outcome = error === undefined ? 'allow' : 'deny'
  const code = codeOf(event)
  const said = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined))
  const body = encodeBody({
    access: 'system',
    args: {
      ...said,
      ...(app === undefined ? {} : { client: app.id }),
    },
    at: new Date(times.nowMs).toISOString(),
    bypass: false,
    caller: whose?.caller,
    code,
    elapsedUs: Math.round(times.elapsedMs * 1000),
    id: publicId('ent', uuidv7(times.nowMs)),
    kind,
    method: route,
    outcome,
    reason: reason === undefined ? undefined : maskText(reason),
    remote: origin.remote,
    requestId: origin.requestId,
    tenant: whose?.tenant.id,
  })
  return {
    log: whose?.tenant.name ?? 'system',
    tenantId: whose === undefined ? undefined : bare(whose.tenant.id),
    caller: whose?.caller.id,
    actor: undefined,
    action: kind,
    outcome,
    code,
    requestId: origin.requestId,
    body,
  }
}

/** `oauth.` and the error code of the standard. */
export function codeOf({ error }: Pick<OAuthEvent, 'error'>): string | undefined {
  return error === undefined ? undefined : `oauth.${error}`
}
