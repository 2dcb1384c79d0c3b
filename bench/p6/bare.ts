import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'

// The library as its documentation starts it: in memory, on node:http, with the same kind of token.
const issuer = 'http://bare.example'
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
const provider = new Provider(issuer, {
  jwks: { keys: [{ ...key, kid: 'bench', alg: 'ES256', use: 'sig' }] as never },
  clients: [
    {
      client_id: 'bench',
      client_secret: 'bench-secret',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  ttl: { ClientCredentials: 3600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: async () => issuer,
      getResourceServerInfo: async () =>
        ({
          scope: 'telemetry:write',
          audience: issuer,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }) as never,
    },
  },
})
const server = createServer(provider.callback())
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ grpc: `127.0.0.1:${port}` })}\n`)
})
