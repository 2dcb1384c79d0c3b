import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exitCodes } from './errors.ts'
import { fakeIo, fakeServer, runLine, type Answer, type FakeIo, type FakeServer, type Seen } from './fakes.ts'

const app = {
  id: 'app_01a1ff97-9ca0-7b31-941e-3cbbbca027e9',
  name: 'reports',
  scopes: ['telemetry:read'],
  grantTypes: ['client_credentials'],
  createdAt: '2026-11-21T11:00:00Z',
  secretCreatedAt: '2026-11-21T11:00:00Z',
}
const old = { ...app, name: 'older', secretIsOld: true, oldSecretExpiresAt: '2026-11-22T12:00:00Z' }

function answer({ path, message }: Seen): Answer {
  const replies: Readonly<Record<string, unknown>> = {
    CreateApp: { app, clientSecret: message['authMethod'] === 'CLIENT_AUTH_METHOD_NONE' ? '' : 'pcs_new' },
    ListApps: { apps: message['name'] === 'nobody' ? [] : [app, old, { ...app, secretCreatedAt: null }] },
    RotateAppSecret: {
      app: message['overlapSeconds'] === 0 ? app : { ...app, oldSecretExpiresAt: '2026-11-22T12:00:00Z' },
      clientSecret: 'pcs_next',
    },
    DisableApp: { app: { ...app, disabledAt: app.createdAt } },
  }
  return { body: replies[path.slice(path.lastIndexOf('/') + 1)] }
}

const ioFor = (server: FakeServer): FakeIo => fakeIo({ env: { PORTCULLIS_URL: server.url } })
const folder = mkdtempSync(join(tmpdir(), 'portcullis-app-'))

describe('portcullis app', () => {
  it('A5: create shows the secret once, and says how to use it', async () => {
    await using server = await fakeServer(answer)
    const { code, out, err } = await runLine('app create reports --scopes telemetry:read --dpop', ioFor(server))
    expect([code, server.seen[0]?.message]).toEqual([
      0,
      { name: 'reports', scopes: ['telemetry:read'], dpopBound: true },
    ])
    expect(out).toBe(`App reports is ${app.id}: that is its client_id.\nThe secret is shown once; keep it:\npcs_new\n`)
    expect(err).toContain('portcullis token get')
    expect(err).not.toContain('pcs_new')
  })

  it('A5: create takes what a site needs, or a key instead of a secret', async () => {
    await using server = await fakeServer(answer)
    const grants = '--grant authorization_code --grant refresh_token --redirect-uri https://a.example/cb'
    await runLine(`app create site --scopes telemetry:read ${grants} --json`, ioFor(server))
    expect(server.seen[0]?.message).toMatchObject({
      grantTypes: ['authorization_code', 'refresh_token'],
      redirectUris: ['https://a.example/cb'],
    })
    const file = join(folder, 'jwks.json')
    writeFileSync(file, '{"keys":[]}')
    await runLine(`app create keyed --scopes telemetry:read --auth private_key_jwt --jwks ${file}`, ioFor(server))
    expect(server.seen[1]?.message).toMatchObject({
      authMethod: 'CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT',
      jwksJson: '{"keys":[]}',
    })
    const { out } = await runLine('app create open --scopes telemetry:read --json', ioFor(server))
    expect(JSON.parse(out)).toMatchObject({ id: app.id, clientSecret: 'pcs_new' })
  })

  it.each([
    ['app create reports', 'scopes'],
    ['app create reports --scopes telemetry:raed', 'telemetry:read'],
    ['app create reports --scopes telemetry:read --grant implicit', 'client_credentials'],
    ['app create reports --scopes telemetry:read --auth magic', 'private_key_jwt'],
    ['app create reports --scopes telemetry:read --jwks /nowhere/at/all', 'cannot be read'],
    ['app rotate-secret reports --overlap 31d', '30d'],
  ])('U1: `%s` is refused with what to do', async (line, said) => {
    await using server = await fakeServer(answer)
    const { code, err } = await runLine(line, ioFor(server))
    expect([code, server.seen]).toEqual([exitCodes.usage, []])
    expect(err).toContain(said)
  })

  it('A5: list shows how old the secrets are, and which to rotate', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine('app list', ioFor(server))
    const [, first = '', second = '', third = ''] = out.split('\n')
    expect(first).toMatch(/reports .* client_credentials +1h ago|reports .* 1 hour ago/)
    expect(second).toContain('rotate it; the old one ends')
    expect(third).toMatch(/ - +active/)
  })

  it('A5: rotate-secret finds the app by name, and says until when the old one is good', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine('app rotate-secret reports --overlap 24h', ioFor(server))
    expect(server.seen.at(-1)?.message).toEqual({ appId: app.id, overlapSeconds: 86_400 })
    expect(out).toMatch(/goes on working until 2026-11-22T12:00:00Z.*\n.*shown once.*\npcs_next\n$/)
    const { out: atOnce } = await runLine('app rotate-secret reports', ioFor(server))
    expect(atOnce).toContain('has ended')
    const { code, err } = await runLine('app rotate-secret nobody', ioFor(server))
    expect([code, err]).toEqual([exitCodes.refused, expect.stringContaining('There is no app nobody')])
  })

  it('A10: disable says that nothing of it is accepted any more', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine(`app disable ${app.id}`, ioFor(server))
    expect(out).toContain('none of its tokens is accepted any more')
    expect(server.seen).toHaveLength(1)
  })
})
