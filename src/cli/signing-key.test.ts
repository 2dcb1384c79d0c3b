import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exitCodes } from './errors.ts'
import { fakeIo, fakeServer, runLine, type Answer, type FakeIo, type FakeServer, type Seen } from './fakes.ts'

const agentId = 'agt_01a1ff97-9ca0-7b31-941e-3cbbbca027e9'
const createdAt = '2026-11-21T11:00:00Z'
const signingKey = { id: 'sgk_1', agentId, algorithm: 'SIGNATURE_ALGORITHM_ED25519', createdAt }
const old = {
  id: 'key_1',
  agentId,
  scopes: ['ledger:read'],
  createdAt,
  expiresAt: '2026-11-22T12:00:00Z',
  replacedByKeyId: 'key_2',
}

function answer({ path, message }: Seen): Answer {
  const replies: Readonly<Record<string, unknown>> = {
    CreateSigningKey: {
      signingKey: { ...signingKey, algorithm: message['algorithm'] },
      secret: /HMAC/.test(String(message['algorithm'])) ? 'the-secret' : '',
    },
    ListSigningKeys: {
      signingKeys: [signingKey, { ...signingKey, id: 'sgk_2', agentId: '', revokedAt: '2026-11-21T11:58:00Z' }],
    },
    RevokeSigningKey: { signingKey },
    RotateKey: {
      apiKey: { ...old, id: 'key_2', replacedByKeyId: '' },
      key: 'pc_new',
      oldKey: message['graceSeconds'] === 0 ? { ...old, revokedAt: createdAt } : old,
    },
    ListKeys: { keys: [old] },
  }
  return { body: replies[path.slice(path.lastIndexOf('/') + 1)] }
}

const ioFor = (server: FakeServer): FakeIo => fakeIo({ env: { PORTCULLIS_URL: server.url } })
const pem = join(mkdtempSync(join(tmpdir(), 'portcullis-signing-')), 'key.pub.pem')
writeFileSync(pem, 'a public key\n')

describe('portcullis signing-key', () => {
  it('G16: create sends the public key of a file, and says which id signs', async () => {
    await using server = await fakeServer(answer)
    const { code, out } = await runLine(`signing-key create --agent ${agentId} --public-key ${pem}`, ioFor(server))
    expect([code, server.seen[0]?.message]).toEqual([
      0,
      expect.objectContaining({ agentId, algorithm: 'SIGNATURE_ALGORITHM_ED25519', publicKeyPem: 'a public key\n' }),
    ])
    expect(out).toBe('Signing key sgk_1 (ed25519) is registered: it is the keyid of its signatures.\n')
  })

  it('G16: create makes an HMAC secret, of the operator who calls where no agent is named', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine('signing-key create --algorithm hmac-sha256', ioFor(server))
    expect(server.seen[0]?.message).not.toHaveProperty('agentId')
    expect(out).toMatch(/shown once.*\nthe-secret\n$/)
    const { out: json } = await runLine('signing-key create --algorithm hmac-sha256 --json', ioFor(server))
    expect(JSON.parse(json)).toMatchObject({ id: 'sgk_1', secret: 'the-secret' })
  })

  it.each([
    'signing-key create',
    `signing-key create --algorithm hmac-sha256 --public-key ${pem}`,
    'signing-key create --algorithm rsa',
    'signing-key create --public-key /no/such/file',
  ])('G16: %s is wrong use, and sends nothing', async (line) => {
    await using server = await fakeServer(answer)
    const { code } = await runLine(line, ioFor(server))
    expect([code, server.seen.length]).toEqual([exitCodes.usage, 0])
  })

  it('G16: list tells revoked keys and operators apart; revoke names the key', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine('signing-key list', ioFor(server))
    expect(out).toMatch(/sgk_2 +\(operator\) +ed25519 .* revoked 2 minutes ago\n/)
    expect((await runLine('signing-key revoke sgk_1', ioFor(server))).out).toBe('Signing key sgk_1 is revoked.\n')
    expect(server.seen.at(-1)?.message).toMatchObject({ signingKeyId: 'sgk_1' })
  })
})

describe('portcullis key rotate', () => {
  it('G5: asks for a day of grace where none is named, shows the new key once and when the old one ends', async () => {
    await using server = await fakeServer(answer)
    const { code, out } = await runLine('key rotate key_1', ioFor(server))
    expect([code, server.seen[0]?.message]).toEqual([
      0,
      expect.objectContaining({ keyId: 'key_1', graceSeconds: 86_400 }),
    ])
    expect(out).toMatch(
      /shown once.*\npc_new\nThe old key key_1 goes on working until 2026-11-22T12:00:00Z, in 24 hours\.\n$/,
    )
  })

  it('G5: takes a grace and an expiry, and tells that a key has ended', async () => {
    await using server = await fakeServer(answer)
    await runLine('key rotate key_1 --grace 45m --expires 30d', ioFor(server))
    expect(server.seen[0]?.message).toMatchObject({ graceSeconds: 2700, expiresAt: '2026-12-21T12:00:00.000Z' })
    const { out } = await runLine('key rotate key_1 --grace 0', ioFor(server))
    expect(out).toContain('The old key key_1 has ended.\n')
  })

  it.each(['soon', '31d', '-1h', '1.5h', ''])('G5: a grace of "%s" is wrong use', async (grace) => {
    await using server = await fakeServer(answer)
    const { code } = await runLine(`key rotate key_1 --grace=${grace}`, ioFor(server))
    expect([code, server.seen.length]).toEqual([exitCodes.usage, 0])
  })

  it('G5: key list says of a rotated key when it ends', async () => {
    await using server = await fakeServer(answer)
    expect((await runLine('key list', ioFor(server))).out).toMatch(/rotated, ends in 24 hours\n/)
  })
})
