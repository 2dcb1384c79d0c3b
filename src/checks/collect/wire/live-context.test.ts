import { describe, expect, it } from 'vitest'
import { NoTarget, openLive } from './live-context.ts'

const allowed = new Set<never>()

describe('the target of live checks', () => {
  it('V9: is an HTTP listener, with gRPC at its usual port beside it unless it is named', async () => {
    const live = await openLive({ url: 'http://127.0.0.1:8080', allowed })
    expect(live).toMatchObject({
      vantage: 'host',
      grpc: { address: '127.0.0.1:50051', port: 50_051, tls: false, named: false },
    })
    const named = await openLive({ url: 'https://[::1]', grpc: 'https://[::1]:9000', vantage: 'outside', allowed })
    expect(named).toMatchObject({
      vantage: 'outside',
      grpc: { address: '[::1]:9000', port: 9000, tls: true, named: true },
    })
  })

  it('V9: an address that is not of this machine is looked at from the network', async () => {
    expect((await openLive({ url: 'http://192.0.2.1:1', allowed })).vantage).toBe('network')
  })

  it.each(['', 'x', 'ftp://a', 'http://user:pw@a', 'http://a/path', 'http://a/?q', 'http://a/#h'])(
    'V9: `%s` is refused with what to write, and not repeated',
    async (url) => {
      const refused = await openLive({ url, allowed }).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(NoTarget)
      expect((refused as NoTarget).todo).toContain('http://127.0.0.1:8080')
      expect((refused as NoTarget).message).not.toContain('pw')
    },
  )

  it.each(['', 'a', 'a:0', 'a:99999', 'ftp://a:1'])('V9: `%s` is no address of gRPC', async (grpc) => {
    await expect(openLive({ url: 'http://127.0.0.1:1', grpc, allowed })).rejects.toThrow(
      'The gRPC target is no address.',
    )
  })
})
