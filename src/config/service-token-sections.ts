import * as z from 'zod'
import { guardedServices } from '#core'
import { callerScopes } from './bypass-sections.ts'
import type { FieldMeta } from './fields.ts'
import { suggest } from './suggest.ts'

const prefix = 'portcullis.v1.'

const guard = z.strictObject({
  name: z.string().transform((text, context) => {
    const name = text.startsWith(prefix) ? text.slice(prefix.length) : text
    if (guardedServices.includes(name)) return name
    const near = suggest(name, guardedServices)
    const known = near === undefined ? `There are ${guardedServices.join(', ')}.` : `Did you mean ${near}?`
    context.issues.push({ code: 'custom', input: text, message: `The contract has no such service. ${known}` })
    return z.NEVER
  }),
  tokenFile: z.string().min(1).optional(),
  nextTokenFile: z.string().min(1).optional(),
  mode: z.enum(['off', 'allow', 'enforce']).default('off'),
  scopes: callerScopes,
})

export const serviceTokens = z
  .array(guard)
  .max(guardedServices.length)
  .default([])
  .meta({
    description:
      'Services of the contract that take a token beside the credential, in `x-service-token`: each has `name` (such as HubService), `mode` (`off`, `allow`, `enforce`), `tokenFile`, `nextTokenFile` (right too, for a rotation) and `scopes` (what the token alone allows; none by default). Files that change are read again. See [callers](../callers.md).',
    form: 'a list of guards, each with name, mode, tokenFile, nextTokenFile and scopes',
    reload: true,
  } satisfies FieldMeta)
