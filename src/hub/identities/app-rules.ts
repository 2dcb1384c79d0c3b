import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { AppSchema, ClientAuthMethod, type App, type CreateAppRequest } from '@portcullis/contract'
import { publicId } from '#core'
import { maskText } from '#ledger'
import type { Fields } from '../fields.ts'
import type { AppCreate, AppRow } from '../ports.ts'
import { readClientJwks } from './client-jwks.ts'
import { isNativeUri, redirectUrisProblem } from './redirect-uris.ts'

export const secretOldAfterMs = 90 * 86_400_000
export const overlapSecondsMax = 30 * 86_400

/** The names of RFC 7591, by the number of the contract. */
const methodNames: ReadonlyMap<ClientAuthMethod, string> = new Map([
  [ClientAuthMethod.CLIENT_SECRET_BASIC, 'client_secret_basic'],
  [ClientAuthMethod.CLIENT_SECRET_POST, 'client_secret_post'],
  [ClientAuthMethod.PRIVATE_KEY_JWT, 'private_key_jwt'],
  [ClientAuthMethod.TLS_CLIENT_AUTH, 'tls_client_auth'],
  [ClientAuthMethod.SELF_SIGNED_TLS_CLIENT_AUTH, 'self_signed_tls_client_auth'],
  [ClientAuthMethod.NONE, 'none'],
])
const methodNumbers = new Map([...methodNames].map(([number, name]) => [name, number]))
const grants: readonly string[] = ['client_credentials', 'authorization_code', 'refresh_token']
const withJwks: ReadonlySet<string> = new Set(['private_key_jwt', 'self_signed_tls_client_auth'])
const withSecret: ReadonlySet<string> = new Set(['client_secret_basic', 'client_secret_post'])
// RFC 4514: types and their values, with a comma between them.
const relativeName = '(?:[A-Za-z][A-Za-z0-9-]*|\\d+(?:\\.\\d+)+)=(?:[^,+"\\\\<>;\\u0000]|\\\\.)+'
const distinguishedName = new RegExp(`^${relativeName}(?:[,+]${relativeName})*$`, 'u')

type AppFields = Pick<
  AppCreate,
  'redirectUris' | 'grantTypes' | 'authMethod' | 'jwksJson' | 'tlsSubjectDn' | 'dpopBound' | 'certificateBound'
>

/** What an app is to be, checked as a whole: settings that would have no meaning beside each other are refused (SPEC A5). */
export function appFields(fields: Fields, message: CreateAppRequest): AppFields {
  const asked = message.authMethod || ClientAuthMethod.CLIENT_SECRET_BASIC
  const authMethod = methodNames.get(asked) ?? ''
  if (authMethod === '') fields.wrong('authMethod', `must be one of ${[...methodNames.values()].join(', ')}`)
  const grantTypes =
    message.grantTypes.length === 0 ? ['client_credentials'] : fields.texts('grantTypes', message.grantTypes, 3, 40)
  const unknown = grantTypes.some((one) => !grants.includes(one))
  if (unknown) fields.wrong('grantTypes', `must be among ${grants.join(', ')}`)
  const app = {
    redirectUris: [...message.redirectUris],
    grantTypes: grants.filter((one) => grantTypes.includes(one)),
    authMethod,
    jwksJson: jwksOf(fields, message, authMethod),
    tlsSubjectDn: subjectOf(fields, message, authMethod),
    dpopBound: message.dpopBound,
    certificateBound: message.certificateBound,
  }
  checkGrants(fields, message, app)
  checkUris(fields, app)
  if (app.dpopBound && app.certificateBound)
    fields.wrong('certificateBound', 'and dpopBound are two ways to bind a token: choose one')
  return app
}

/** Whether an app that shows who it is in this way has a secret. */
export function hasSecret(authMethod: string): boolean {
  return withSecret.has(authMethod)
}

function jwksOf(fields: Fields, { jwksJson }: CreateAppRequest, authMethod: string): string | null {
  if (!withJwks.has(authMethod)) {
    if (jwksJson !== '') fields.wrong('jwksJson', `is for ${[...withJwks].join(' and ')} only`)
    return null
  }
  if (jwksJson === '') fields.wrong('jwksJson', `is required for ${authMethod}`)
  const read = readClientJwks(jwksJson, authMethod === 'self_signed_tls_client_auth')
  if ('json' in read) return read.json
  fields.wrong('jwksJson', read.problem)
  return null
}

function subjectOf(fields: Fields, { tlsSubjectDn }: CreateAppRequest, authMethod: string): string | null {
  if (authMethod !== 'tls_client_auth') {
    if (tlsSubjectDn !== '') fields.wrong('tlsSubjectDn', 'is for tls_client_auth only')
    return null
  }
  const subject = fields.required('tlsSubjectDn', tlsSubjectDn, 500)
  if (!distinguishedName.test(subject) || subject !== subject.trim())
    fields.wrong('tlsSubjectDn', 'must be a distinguished name such as CN=reports,O=Example (RFC 4514)')
  return subject
}

function checkGrants(
  fields: Fields,
  message: CreateAppRequest,
  { grantTypes, authMethod, redirectUris }: AppFields,
): void {
  const [machine, people, refresh] = grants.map((one) => grantTypes.includes(one))
  if (refresh === true && people !== true) fields.wrong('grantTypes', 'with refresh_token needs authorization_code')
  if (people === true && redirectUris.length === 0)
    fields.wrong('redirectUris', 'needs at least one for authorization_code')
  if (people !== true && redirectUris.length > 0) fields.wrong('redirectUris', 'are for authorization_code only')
  if (authMethod === 'none' && machine === true)
    fields.wrong('grantTypes', 'must not hold client_credentials for an app that cannot keep a secret')
  if (message.agentId !== '' && machine !== true)
    fields.wrong('agentId', 'is whom tokens by client_credentials stand for: add that grant type')
}

function checkUris(fields: Fields, { redirectUris }: AppFields): void {
  const problem = redirectUrisProblem(redirectUris)
  if (problem !== undefined) return fields.wrong('redirectUris', problem)
  // A program on a person's machine, and a site there: which of both it is decides how its ports are compared.
  const loopbackSite = redirectUris.some((uri) => /^https:\/\/(?:localhost|127\.0\.0\.1|\[::1\])[:/]/.test(uri))
  if (loopbackSite && redirectUris.some(isNativeUri))
    fields.wrong('redirectUris', 'must not hold https at a loopback address beside those of a program')
}

export function appMessage(row: AppRow, nowMs: number): App {
  const { secretCreatedAtMs, oldSecretExpiresAtMs } = row
  const old = oldSecretExpiresAtMs !== null && oldSecretExpiresAtMs > nowMs ? oldSecretExpiresAtMs : null
  return create(AppSchema, {
    id: publicId('app', row.id),
    name: row.name,
    agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
    scopes: [...row.scopes],
    redirectUris: row.redirectUris.map((uri) => maskText(uri)),
    grantTypes: [...row.grantTypes],
    authMethod: methodNumbers.get(row.authMethod) ?? ClientAuthMethod.UNSPECIFIED,
    jwksJson: row.jwksJson ?? '',
    tlsSubjectDn: maskText(row.tlsSubjectDn ?? ''),
    dpopBound: row.dpopBound,
    certificateBound: row.certificateBound,
    createdAt: timestampFromMs(row.createdAtMs),
    ...(secretCreatedAtMs === null ? {} : { secretCreatedAt: timestampFromMs(secretCreatedAtMs) }),
    secretIsOld: secretCreatedAtMs !== null && nowMs - secretCreatedAtMs > secretOldAfterMs,
    ...(old === null ? {} : { oldSecretExpiresAt: timestampFromMs(old) }),
    ...(row.disabledAtMs === null ? {} : { disabledAt: timestampFromMs(row.disabledAtMs) }),
  })
}
