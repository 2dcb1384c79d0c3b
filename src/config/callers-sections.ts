import * as z from 'zod'
import { scopes as ownScopes, serviceScopePattern } from '#core'
import {
  choice,
  flag,
  integer,
  optionalSection,
  requiredText,
  secretFile,
  secretText,
  section,
  type FieldMeta,
} from './fields.ts'

const listMax = 100

export const legacyToken = section('One token that old callers share, until each has a key of its own.', {
  enabled: flag(false, 'Accept it. In production this needs a waiver.', { plain: 'ALLOW_LEGACY_AUTH_TOKEN' }),
  token: secretText('The token; ignored unless it is enabled.', { plain: 'AUTH_TOKEN' }),
  tokenFile: secretFile('A file that holds the token.'),
  tenant: requiredText('Name or id of the tenant that its callers belong to.').optional(),
  scopes: z
    .array(z.string().regex(/\S/))
    .max(listMax)
    .default([])
    .meta({
      description:
        'What its callers may do; nothing by default. Never identities, policies, tenants, or the release of a kill.',
      form: 'a list of scopes such as telemetry:write',
    } satisfies FieldMeta),
  waiver: optionalSection('Why it may be on in production, on whose word and until when.', {
    reason: requiredText('Why it is needed.'),
    owner: requiredText('Who answers for it.'),
    expires: z.iso.date().meta({
      description: 'The last day (UTC) on which it holds.',
      form: 'a date such as 2027-01-31',
    } satisfies FieldMeta),
  }),
})

export const replicas = section('What several instances share.', {
  redis: optionalSection('Redis 6.2 or later, or Valkey: exactly one of `url` and `urlFile`.', {
    url: secretText('Its URL; `rediss://` is encrypted.', { form: 'redis://user:password@host:port/0' }),
    urlFile: secretFile('A file that holds the URL.'),
    timeoutMs: integer(50, 5, 5_000, 'An answer that takes longer counts as none: the call is decided without it.'),
    whenAway: choice(
      ['memory', 'refuse'],
      'memory',
      'While it is away: each instance counts alone, or calls with a credential are refused as `store.unavailable`.',
    ),
  }),
})

interface ServiceSetting {
  readonly name: string
  readonly actions: readonly string[]
}

const service = z.custom<ServiceSetting | string>().transform((value, context): ServiceSetting => {
  const read = readService(value)
  if (typeof read !== 'string') return read
  context.issues.push({ code: 'custom', input: value, message: read })
  return { name: '', actions: [] }
})

export const services = z
  .array(service)
  .max(listMax)
  .default([])
  .meta({
    description:
      'Services that ask `AuthorizationService.Check`: each has `name` and `actions`, or is one `name:action`. Keys can hold the scopes `name:action`.',
    form: 'a list of services, each with name and actions, or of texts such as tickets:read',
  } satisfies FieldMeta)

// Ours, also those that no method asks for yet.
const reserved = new Set([
  ...[...ownScopes.keys()].map((scope) => scope.split(':')[0] ?? ''),
  'budget',
  'console',
  'jobs',
  'kill',
])

/** The service, or what is wrong with it. */
function readService(value: unknown): ServiceSetting | string {
  const given = typeof value === 'string' ? fromText(value) : value
  if (typeof given !== 'object' || given === null) return 'This is no service: it needs name and actions.'
  const { name, actions, ...rest } = given as { name?: unknown; actions?: unknown }
  if (Object.keys(rest).length > 0) return 'A service has name and actions, and nothing else.'
  if (typeof name !== 'string' || !Array.isArray(actions)) return 'A service needs a name and a list of actions.'
  if (actions.length === 0 || actions.length > listMax) return `A service needs 1 to ${listMax} actions.`
  const valid = actions.every((action) => typeof action === 'string' && serviceScopePattern.test(`${name}:${action}`))
  if (!valid) return 'Names and actions are lower-case letters, digits and dashes, and begin with a letter.'
  if (reserved.has(name)) return 'This name is taken by scopes of Portcullis itself.'
  return { name, actions: [...new Set(actions.map(String))] }
}

function fromText(text: string): { readonly name: string; readonly actions: readonly string[] } {
  const [name = '', ...actions] = text.split(':')
  return { name, actions }
}
