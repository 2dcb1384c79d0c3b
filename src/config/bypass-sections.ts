import * as z from 'zod'
import { parseCidr } from '#core'
import { flag, optionalSection, parsedText, requiredText, type FieldMeta } from './fields.ts'

const networksMax = 256
const scopesMax = 100

/** What a caller without a credential of its own may do. */
export const callerScopes = z.array(z.string().regex(/\S/)).max(scopesMax).default([])

/** The last day (UTC) on which something holds. */
const lastDay = z.iso.date()

const network = z.strictObject({
  cidr: parsedText(parseBypassCidr),
  reason: z.string().regex(/\S/),
  owner: z.string().regex(/\S/),
  expires: lastDay,
  tenant: z.string().regex(/\S/),
  scopes: callerScopes,
})

/** Fields of the section `authority`: who is let in without a credential, and for how long. */
export const bypassFields = {
  bypassNetworks: z
    .array(z.preprocess(refuseText, network))
    .max(networksMax)
    .default([])
    .meta({
      description:
        'Networks whose callers may come without a credential: each has `cidr`, `reason`, `owner`, `expires` (its last day, UTC), `tenant` and `scopes` (none by default; never identities, policies, tenants, or the release of a kill). See [callers](../callers.md).',
      form: 'a list of networks, each with cidr, reason, owner, expires, tenant and scopes',
      reload: true,
    } satisfies FieldMeta),
  allowAnonymousFallback: flag(
    false,
    'Let calls without a credential in, as `anonymous` says, while callers are being given credentials. In production only with `anonymous.expires`.',
    { reload: true },
  ),
  anonymous: optionalSection('Who calls without a credential are, where `allowAnonymousFallback` is set.', {
    expires: lastDay.optional().meta({
      description: 'The last day (UTC) on which they are let in.',
      form: 'a date such as 2027-01-31',
      reload: true,
    } satisfies FieldMeta),
    tenant: requiredText('Name or id of the tenant that they belong to.', { reload: true }),
    scopes: callerScopes.meta({
      description:
        'What they may do; nothing by default. Never identities, policies, tenants, or the release of a kill.',
      form: 'a list of scopes such as telemetry:write',
      reload: true,
    } satisfies FieldMeta),
  }),
}

/** A network alone, as other systems have it, says nothing of why, who and until when. */
function refuseText(value: unknown, context: z.core.$RefinementCtx): unknown {
  if (typeof value !== 'string') return value
  const message = 'This is a network alone: it lacks a reason, an owner, a date in expires, and a tenant.'
  context.issues.push({ code: 'custom', input: value, message })
  return z.NEVER
}

function parseBypassCidr(text: string): void {
  if (parseCidr(text).prefixBits > 0) return
  throw new Error('This network is the whole internet: everybody would be let in without a credential.')
}
