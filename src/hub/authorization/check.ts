import { create } from '@bufbuild/protobuf'
import { CheckResponseSchema, type CheckRequest, type CheckResponse } from '@portcullis/contract'
import {
  isRefusal,
  scopes as ownScopes,
  Secret,
  type Caller,
  type Refusal,
  type RefusalCode,
  type ServiceActions,
} from '#core'
import type { Fields } from '../fields.ts'
import type { Decider, Found } from './decider.ts'

const ttlSecondsMax = 5
const sizes = {
  credential: 4096,
  caller: 100,
  action: 127,
  resource: 1000,
  tenant: 100,
  contextKey: 63,
  contextValue: 1000,
}
const contextMax = 32

interface Asked {
  /** The service that asks: it decides for its own tenant only. */
  readonly service: Caller
  readonly decider: Decider
  readonly services: ServiceActions
  readonly nowMs: number
}

/** Refuses what is no question at all; `at` is the place of the check in a batch, empty for a lone one. */
export function validate(fields: Fields, at: string, check: CheckRequest): void {
  if ((check.credential === '') === (check.caller === ''))
    fields.wrong(`${at}credential`, 'or caller is needed, one of them and not both')
  if (check.credential.length > sizes.credential)
    fields.wrong(`${at}credential`, `at most ${sizes.credential} characters`)
  fields.text(`${at}caller`, check.caller, sizes.caller)
  fields.required(`${at}action`, check.action, sizes.action)
  fields.text(`${at}resource`, check.resource, sizes.resource)
  fields.text(`${at}tenant`, check.tenant, sizes.tenant)
  const context = Object.entries(check.context)
  if (context.length > contextMax) fields.wrong(`${at}context`, `at most ${contextMax}, not ${context.length}`)
  for (const [key, value] of context) {
    fields.required(`${at}context`, key, sizes.contextKey)
    fields.text(`${at}context`, value, sizes.contextValue)
  }
}

/** May this party do that? Every way but the last leads to a denial (SPEC G22). */
export function decideCheck(check: CheckRequest, { service, decider, services, nowMs }: Asked): CheckResponse {
  const epoch = decider.epoch()
  const deny = (code: RefusalCode, caller = ''): CheckResponse =>
    create(CheckResponseSchema, { allow: false, code, ttlSeconds: 0, epoch, caller })
  const { tenant } = service
  if (check.tenant !== '' && check.tenant !== tenant.id && check.tenant !== tenant.name) return deny('tenant.mismatch')
  if (!services.has(check.action) && !ownScopes.has(check.action)) return deny('authz.action_unknown')
  const asking = { tenant, address: check.context['address'] }
  const byCredential = check.caller === ''
  const found = byCredential
    ? decider.byCredential(new Secret(check.credential), asking)
    : decider.byCaller(check.caller, asking)
  if (isRefusal(found)) return deny(found.code)
  // A party of another tenant is answered for as nobody is: its existence is not for this tenant to know.
  if (found.caller.tenant.id !== tenant.id) return deny(byCredential ? 'auth.credential_invalid' : 'object.not_found')
  if (!found.caller.scopes.has(check.action)) return deny('auth.scope_missing', found.caller.id)
  const { action, resource, context } = check
  const fine = decider.fine?.({ caller: found.caller, action, resource, context })
  if (fine !== undefined) return because(deny(fine.code, found.caller.id), fine)
  const ttlSeconds = ttlOf(found, nowMs)
  return create(CheckResponseSchema, { allow: true, code: '', ttlSeconds, epoch, caller: found.caller.id })
}

const reasons = new WeakMap<CheckResponse, string>()

function because(response: CheckResponse, { reason }: Refusal): CheckResponse {
  reasons.set(response, reason)
  return response
}

/** Why policies denied, for the ledger alone: the service that asks is not told. */
export function privateReason(response: CheckResponse): string | undefined {
  return reasons.get(response)
}

/** A decision is never kept for longer than the credential lasts. */
function ttlOf({ expiresAtMs }: Found, nowMs: number): number {
  if (expiresAtMs === undefined) return ttlSecondsMax
  return Math.max(0, Math.min(ttlSecondsMax, Math.floor((expiresAtMs - nowMs) / 1000)))
}
