import { describe, expect, it } from 'vitest'
import { sha256 } from '#core'
import { clientMetadata, redirectAllowed, rememberClients, secretIsGood } from './client.ts'
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

describe('clients in memory', () => {
  function library() {
    const records = new Map([['app_0', app]])
    const find = async (id: string) => {
      const record = records.get(id)
      return record && { of: record }
    }
    const of = { find }
    rememberClients(of, { find: (id) => records.get(id) })
    return { records, find: (id: string) => of.find(id) }
  }

  it('A5: one record of an app is one client', async () => {
    const { find } = library()
    const first = await find('app_0')
    expect(first).toEqual({ of: app })
    expect(await find('app_0')).toBe(first)
  })

  it('A10: an app that was changed is another client at once', async () => {
    const { find, records } = library()
    await find('app_0')
    const changed = { ...app, grantTypes: ['client_credentials'] } as const
    records.set('app_0', changed)
    expect(await find('app_0')).toEqual({ of: changed })
  })

  it.each([
    ['disabled', { ...app, disabled: true }],
    ['of a tenant that is disabled', { ...app, tenantDisabled: true }],
    ['gone', undefined],
  ])('A10: an app that is %s is none at once', async (_what, record) => {
    const { find, records } = library()
    await find('app_0')
    if (record === undefined) records.delete('app_0')
    else records.set('app_0', record)
    expect(await find('app_0')).toBeUndefined()
  })
})
