import * as z from 'zod'
import { parseDuration } from '#core'
import { bypassFields } from './bypass-sections.ts'
import { filePath, flag, integer, parsedText, requiredText, section, type FieldMeta } from './fields.ts'

const listMax = 100
export const tokenAlgorithms = ['ES256', 'RS256', 'PS256'] as const

/** A duration as text; see `parseDuration`. */
export function duration(value: string, description: string, more: Omit<FieldMeta, 'description'> = {}) {
  return parsedText(parseDuration)
    .default(value)
    .meta({ description, form: 'a duration such as 10s, 5m, 00:00:10 or PT10S', ...more })
}

function texts(value: readonly string[], description: string, more: Omit<FieldMeta, 'description'> = {}) {
  return z
    .array(z.string().regex(/^[\x21-\x7e]{1,1024}$/, 'An item is 1 to 1024 printable characters without blanks.'))
    .max(listMax)
    .default(() => [...value])
    .meta({ description, reload: true, ...more })
}

export const authority = section('Access tokens: those of another issuer, and what holds for all of them.', {
  enabled: flag(false, 'Accept access tokens of the issuer that is named here.', { reload: true }),
  issuer: requiredText('The issuer, exactly as its tokens and its metadata say it.', {
    form: 'an https URL such as https://login.example.com/realms/ours',
    reload: true,
  }).optional(),
  jwksUri: requiredText('Where the issuer publishes its keys; without it, its metadata say where.', {
    form: 'an https URL',
    reload: true,
  }).optional(),
  audiences: texts([], 'A token must be meant for one of these (`aud`).', { form: 'a list of audiences' }),
  requiredScopes: texts(['jobs:read'], 'A token of the issuer that lacks one of these is refused everywhere (403).', {
    form: 'a list of scopes',
  }),
  tenant: requiredText('Name or id of the tenant that the callers with tokens of the issuer belong to.', {
    reload: true,
  }).optional(),
  ...bypassFields,
  clientId: requiredText('What people are signed in with at the issuer.').optional(),
  clientSecretFile: filePath('A file with the secret of `clientId`. Mode 0600 or stricter in production.'),
  signInTenants: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'An item is the name of a tenant.'))
    .max(listMax)
    .default(() => [])
    .meta({
      description: 'Whose admins may say who somebody is at the issuer (`upstream_subject`); none is `main` alone.',
      form: 'a list of names of tenants',
    } satisfies FieldMeta),
  tokenClockSkewSeconds: integer(
    30,
    0,
    60,
    'How far the clock of an issuer may be ahead (`iat`, `nbf`). The end of a token is never put off.',
    { reload: true },
  ),
  algorithms: z
    .array(z.enum(tokenAlgorithms, `An algorithm is one of ${tokenAlgorithms.join(', ')}.`))
    .min(1)
    .max(tokenAlgorithms.length)
    .default(() => [...tokenAlgorithms])
    .meta({
      description: 'Signatures that are accepted on tokens and proofs; there are no others, and no switch for none.',
      form: `a list of ${tokenAlgorithms.join(', ')}`,
      reload: true,
    } satisfies FieldMeta),
  publicOrigins: texts([], 'Under which origins callers reach this server, as DPoP proofs name them (`htu`).', {
    form: 'a list of origins such as https://api.example.com',
  }),
  allowPrivate: flag(false, 'The issuer may be in a network of your own, and then without TLS.', { reload: true }),
  caFile: filePath('Certificates of the authorities that vouch for the issuer, in PEM.'),
  airGapped: flag(false, 'The issuer is reached now and then: its keys may be older, see `offlineCacheTolerance`.', {
    reload: true,
  }),
  resilience: section('When the keys of the issuer cannot be had.', {
    enableRetries: flag(true, 'Try again after the delays below; else once, and again when they are needed.', {
      reload: true,
    }),
    retryDelays: z
      .array(parsedText(parseDuration))
      .max(10)
      .default(() => ['1s', '2s', '5s'])
      .meta({
        description: 'How long to wait before each further attempt.',
        form: 'a list of durations such as 1s, 2s, 5s',
        reload: true,
      } satisfies FieldMeta),
    allowOfflineCacheFallback: flag(true, 'Go on with the keys that were had last, while the issuer is away.', {
      reload: true,
    }),
    offlineCacheTolerance: duration(
      '10m',
      'How old these keys may be, up to 10m, or 15m to 30m where `airGapped`; after that tokens are refused with 503.',
      {
        reload: true,
      },
    ),
  }),
})
