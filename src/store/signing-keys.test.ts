import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { signingKeyPlace, SigningKeys } from './signing-keys.ts'

const { publicKey } = generateKeyPairSync('ed25519')
const row = {
  id: 'k1',
  tenant_id: 't1',
  agent_id: 'a1',
  operator_id: null,
  algorithm: 'ed25519',
  public_key: publicKey.export({ type: 'spki', format: 'der' }),
  envelope: null,
  revoked_at: null,
}
const hmac = { ...row, algorithm: 'hmac-sha256', public_key: null, envelope: Buffer.from('sealed') }

describe('signing keys in memory', () => {
  it('G16: are found by the id that signatures name, and a later row takes the place of an earlier', async () => {
    const keys = new SigningKeys(() => undefined)
    keys.keep([row, { ...row, id: 'k2', agent_id: null, operator_id: 'o1' }])
    expect(keys.find('sgk_k1')).toMatchObject({ owner: { kind: 'agent', id: 'agt_a1' }, tenantId: 'ten_t1' })
    expect(keys.find('sgk_k2')?.owner).toEqual({ kind: 'operator', id: 'opr_o1' })
    expect((await keys.find('sgk_k1')?.open())?.equals(publicKey)).toBe(true)
    expect([keys.find('k1'), keys.find('sgk_k3')]).toEqual([undefined, undefined])
    keys.keep([{ ...row, revoked_at: new Date(5) }])
    expect(keys.find('sgk_k1')?.revokedAtMs).toBe(5)
  })

  it('G16: of HMAC are opened once, for the place that they were sealed for; after a failure again', async () => {
    const asked: unknown[] = []
    let away = true
    const open = (envelope: Uint8Array, place: unknown): Promise<Buffer> => {
      asked.push([Buffer.from(envelope).toString(), place])
      return away ? Promise.reject(new Error('away')) : Promise.resolve(Buffer.alloc(32, 7))
    }
    const keys = new SigningKeys(() => ({ open }))
    keys.keep([hmac])
    const record = keys.find('sgk_k1') ?? expect.fail('no key')
    await expect(record.open()).rejects.toThrow('away')
    away = false
    const [one, other] = await Promise.all([record.open(), record.open()])
    expect([one.export().equals(Buffer.alloc(32, 7)), other === one]).toEqual([true, true])
    const sealed = ['sealed', signingKeyPlace('t1', 'k1')]
    expect(asked).toEqual([sealed, sealed])
  })

  it('G16: say what to do where their secret is gone, or no master key is there', async () => {
    const keys = new SigningKeys(() => undefined)
    keys.keep([hmac, { ...hmac, id: 'k2', envelope: null }])
    await expect(keys.find('sgk_k1')?.open()).rejects.toThrow(/set secrets.keyFile/)
    await expect(keys.find('sgk_k2')?.open()).rejects.toThrow(/make a new signing key/)
  })
})
