import { describe, expect, it } from 'vitest'
import { sha256 } from '#core'
import { clientMetadata, redirectAllowed, secretIsGood } from './client.ts'
import type { AppRecord } from './ports.ts'

const app: AppRecord = {
  id: 'app_0',
  name: 'one',
  tenant: { id: 'ten_0', name: 'main' },
  agent: undefined,
  scopes: new Set(['tasks:read']),
  redirectUris: ['https://app.example/callback'],
  grantTypes: ['authorization_code', 'refresh_token'],
  authMethod: 'client_secret_basic',
  jwksJson: undefined,
  tlsSubjectDn: undefined,
  dpopBound: false,
  certificateBound: false,
  secrets: [
    { digest: sha256('new'), expiresAtMs: undefined },
    { digest: sha256('old'), expiresAtMs: 1000 },
  ],
  disabled: false,
  tenantDisabled: false,
}
const native: AppRecord = { ...app, authMethod: 'none', redirectUris: ['http://127.0.0.1/callback', 'http://[::1]/'] }

describe('redirect URIs', () => {
  it('A5: are exact strings', () => {
    expect(redirectAllowed(app, 'https://app.example/callback')).toBe(true)
    for (const other of [
      'https://app.example:443/callback',
      'https://app.example/callback/',
      'https://APP.example/callback',
      '',
    ])
      expect(redirectAllowed(app, other)).toBe(false)
  })

  it.each([
    ['http://127.0.0.1:49152/callback', true],
    ['http://[::1]:1/', true],
    ['http://127.0.0.1/callback', true],
    ['http://127.0.0.1:0/callback', false],
    ['http://127.0.0.1:70000/callback', false],
    ['http://127.0.0.1:80/other', false],
    ['http://127.0.0.1:80@evil.example/callback', false],
    ['http://127.0.0.1:80/callback?x', false],
    ['http://127.0.0.1.evil.example:80/callback', false],
    ['https://127.0.0.1:80/callback', false],
    ['http://localhost:80/callback', false],
    ['http://[::1]:1', false],
  ])(
    'A5: a program on a machine of a person chooses the port of its loopback address and nothing else: %s',
    (uri, allowed) => {
      expect(redirectAllowed(native, uri)).toBe(allowed)
    },
  )

  it('A5: only a public client chooses a port', () => {
    expect(redirectAllowed({ ...native, authMethod: 'client_secret_basic' }, 'http://127.0.0.1:8000/callback')).toBe(
      false,
    )
  })
})

describe('secrets of apps', () => {
  it('A5: the old one is good beside the new one until its end', () => {
    expect(secretIsGood(app, 'new', 5000)).toBe(true)
    expect(secretIsGood(app, 'old', 999)).toBe(true)
    expect(secretIsGood(app, 'old', 1000)).toBe(false)
    expect(secretIsGood(app, 'none', 0)).toBe(false)
  })

  it('A10: none is good of an app that is disabled or gone', () => {
    expect(secretIsGood({ ...app, disabled: true }, 'new', 0)).toBe(false)
    expect(secretIsGood({ ...app, tenantDisabled: true }, 'new', 0)).toBe(false)
    expect(secretIsGood(undefined, 'new', 0)).toBe(false)
  })

  it('A5: neither a secret nor its digest is in what the library is told', () => {
    const told = JSON.stringify(clientMetadata(app))
    for (const { digest } of app.secrets) {
      expect(told).not.toContain(Buffer.from(digest).toString('hex'))
      expect(told).not.toContain(Buffer.from(digest).toString('base64url'))
    }
  })
})
