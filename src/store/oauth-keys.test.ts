import { describe, expect, it } from 'vitest'
import type { Envelopes } from '#secrets'
import { OAuthKeys } from './oauth-keys.ts'

const row = (id: string, retiresAt: Date | null = null) => ({
  id,
  kid: `kid-${id}`,
  algorithm: 'ES256',
  public_jwk: {},
  envelope: Buffer.from(id),
  created_at: new Date(0),
  activates_at: new Date(0),
  retires_at: retiresAt,
})

describe('the keys that sign tokens', () => {
  it('G20: a provider of master keys that hangs does not hold up the other credentials', async () => {
    const { promise, resolve } = Promise.withResolvers<Buffer>()
    const open = (envelope: Uint8Array): Promise<Buffer> =>
      Buffer.from(envelope).toString() === 'slow' ? promise : Promise.resolve(Buffer.from('{}'))
    const told: string[][] = []
    const keys = new OAuthKeys({
      connection: { host: 'unused.invalid', port: 1, user: '', password: () => Promise.resolve('') } as never,
      envelopes: () => ({ open }) as unknown as Envelopes,
      changed: (all) => told.push(all.map(({ kid }) => kid)),
      failed: (error) => expect.fail(String(error)),
    })
    await keys.keep([row('first')])
    expect(told).toEqual([['kid-first']])

    const began = performance.now()
    await keys.keep([row('slow')])
    await keys.keep([row('slow', new Date(1))])
    expect(performance.now() - began).toBeLessThan(900)
    expect(told).toHaveLength(1)

    resolve(Buffer.from('{}'))
    await keys.keep([])
    expect(told.at(-1)).toEqual(['kid-first', 'kid-slow'])
    await keys.close()
  })
})
