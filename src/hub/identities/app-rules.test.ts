import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ClientAuthMethod as Method, CreateAppRequestSchema } from '@portcullis/contract'
import { Fields } from '../fields.ts'
import { appFields, appMessage } from './app-rules.ts'

const jwksJson = JSON.stringify({
  keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })],
})
const redirectUris = ['https://app.example/cb']

function check(given: MessageInitShape<typeof CreateAppRequestSchema>): string {
  const fields = new Fields()
  appFields(fields, create(CreateAppRequestSchema, given))
  return fields.refusal === undefined ? 'taken' : (fields.refusal.detail ?? '')
}

describe('what an app may be', () => {
  it('A5: unset it is a service with a secret', () => {
    expect(appFields(new Fields(), create(CreateAppRequestSchema, {}))).toEqual({
      redirectUris: [],
      grantTypes: ['client_credentials'],
      authMethod: 'client_secret_basic',
      jwksJson: null,
      tlsSubjectDn: null,
      dpopBound: false,
      certificateBound: false,
    })
  })

  it.each<readonly [string, MessageInitShape<typeof CreateAppRequestSchema>]>([
    ['a site', { grantTypes: ['authorization_code', 'refresh_token'], redirectUris }],
    [
      'a program',
      { authMethod: Method.NONE, grantTypes: ['authorization_code'], redirectUris: ['http://127.0.0.1/cb'] },
    ],
    ['a service with a key', { authMethod: Method.PRIVATE_KEY_JWT, jwksJson }],
    ['a service with a certificate', { authMethod: Method.TLS_CLIENT_AUTH, tlsSubjectDn: 'CN=reports,O=Example' }],
    ['both', { grantTypes: ['client_credentials', 'authorization_code'], redirectUris }],
  ])('A5: %s is taken', (_name, given) => {
    expect(check(given)).toBe('taken')
  })

  it.each<readonly [string, MessageInitShape<typeof CreateAppRequestSchema>, string]>([
    ['an unknown method', { authMethod: 99 as Method }, 'authMethod'],
    ['an unknown grant', { grantTypes: ['implicit'] }, 'grantTypes'],
    ['a password grant', { grantTypes: ['password'] }, 'grantTypes'],
    ['a code without a way back', { grantTypes: ['authorization_code'] }, 'redirectUris needs'],
    ['a way back without a code', { redirectUris }, 'authorization_code only'],
    ['a refresh without a code', { grantTypes: ['refresh_token'] }, 'needs authorization_code'],
    ['a public client without people', { authMethod: Method.NONE }, 'cannot keep a secret'],
    ['no keys', { authMethod: Method.PRIVATE_KEY_JWT }, 'jwksJson is required'],
    ['keys for nothing', { jwksJson }, 'jwksJson is for'],
    ['no subject', { authMethod: Method.TLS_CLIENT_AUTH }, 'tlsSubjectDn is required'],
    ['a subject for nothing', { tlsSubjectDn: 'CN=a' }, 'tlsSubjectDn is for'],
    ['a subject that is none', { authMethod: Method.TLS_CLIENT_AUTH, tlsSubjectDn: 'reports' }, 'distinguished name'],
    ['a subject of spaces', { authMethod: Method.TLS_CLIENT_AUTH, tlsSubjectDn: ' CN=a' }, 'distinguished name'],
    ['a self-signed one without', { authMethod: Method.SELF_SIGNED_TLS_CLIENT_AUTH, jwksJson }, 'x5c'],
    ['bound twice', { dpopBound: true, certificateBound: true }, 'choose one'],
    [
      'an agent for people',
      { agentId: 'agt_x', grantTypes: ['authorization_code'], redirectUris },
      'client_credentials stand for',
    ],
    [
      'a site and a program at one address',
      { grantTypes: ['authorization_code'], redirectUris: ['https://localhost/cb', 'http://127.0.0.1/cb'] },
      'loopback',
    ],
  ])('A5: %s is refused', (_name, given, why) => {
    expect(check(given)).toContain(why)
  })
})

describe('an app as it is shown', () => {
  const row = {
    id: '0199d6a2-0000-7000-8000-000000000000',
    name: 'a',
    agentId: null,
    scopes: [],
    redirectUris: [],
    grantTypes: [],
    authMethod: 'client_secret_post',
    jwksJson: null,
    tlsSubjectDn: null,
    dpopBound: false,
    certificateBound: false,
    createdAtMs: 0,
    secretCreatedAtMs: 1000,
    oldSecretExpiresAtMs: 5000,
    disabledAtMs: null,
  }
  const days90 = 90 * 86_400_000

  it('A5: its secret is old after 90 days, and it says until when the one before is good', () => {
    expect(appMessage(row, 1000 + days90).secretIsOld).toBe(false)
    expect(appMessage(row, 1001 + days90).secretIsOld).toBe(true)
    expect(appMessage({ ...row, secretCreatedAtMs: null }, days90 * 2).secretIsOld).toBe(false)
    expect(appMessage(row, 4999).oldSecretExpiresAt).toBeDefined()
    expect(appMessage(row, 5000).oldSecretExpiresAt).toBeUndefined()
    expect(appMessage(row, 0).authMethod).toBe(Method.CLIENT_SECRET_POST)
  })
})
