import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { loadConfig, type Config } from '#config'
import { Secret } from '#core'
import { examine } from './examine.ts'

type Replies = Readonly<Record<string, unknown>>

/** An issuer that answers each path with that JSON, or that text. */
async function issuerOf(replies: (url: string) => Replies) {
  const server = createServer((request, response) => {
    const body = replies(url())[request.url ?? '']
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body ?? {}))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = (): string => {
    const address = server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  }
  return {
    url: url(),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const loaded = loadConfig({ mode: 'up', env: {} })
if (!loaded.ok) throw new Error('the defaults are not usable')
const { config: defaults } = loaded

function configOf(authority: Partial<Config['authority']>, url?: Secret): Config {
  const enabled = { ...defaults.authority, enabled: true, allowPrivate: true, ...authority }
  return { ...defaults, authority: enabled, database: { ...defaults.database, ...(url && { url }) } }
}

const metadataPath = '/.well-known/openid-configuration'
const keys = { keys: [{ kty: 'EC' }, { kty: 'EC' }] }

describe('what a look from here finds', () => {
  it('O7: the keys of an issuer, by its metadata or where the settings say they are', async () => {
    await using issuer = await issuerOf((url) => ({
      [metadataPath]: { issuer: url, jwks_uri: `${url}/keys` },
      '/keys': keys,
    }))
    const found = { database: undefined, issuer: { keys: 2 } }
    expect(await examine(configOf({ issuer: issuer.url }))).toEqual(found)
    expect(await examine(configOf({ issuer: 'http://127.0.0.1:1', jwksUri: `${issuer.url}/keys` }))).toEqual(found)
  })

  it.each<readonly [string, (url: string) => Replies, string]>([
    [
      'another issuer',
      () => ({ [metadataPath]: { issuer: 'https://evil.example' } }),
      'its metadata name another issuer',
    ],
    ['no metadata', () => ({}), 'it answered 404'],
    ['no JSON object', () => ({ [metadataPath]: '"text"' }), 'it answered no JSON object'],
    [
      'no keys',
      (url) => ({ [metadataPath]: { issuer: url, jwks_uri: `${url}/k` }, '/k': { keys: [] } }),
      'it publishes no keys',
    ],
  ])('O7: an issuer with %s is told, and is no success', async (_, replies, why) => {
    await using issuer = await issuerOf(replies)
    expect((await examine(configOf({ issuer: issuer.url }))).issuer).toBe(why)
  })

  it('O7: where there is nothing to look at nothing is said', async () => {
    expect(await examine(configOf({ enabled: false, issuer: 'http://127.0.0.1:1' }))).toEqual({
      database: undefined,
      issuer: undefined,
    })
  })

  it('O7: a database that nobody answers for is told with why', async () => {
    const url = new Secret('postgres://portcullis:pw@127.0.0.1:1/portcullis')
    const { database } = await examine(configOf({ enabled: false }, url))
    expect(database).toContain('ECONNREFUSED')
  })
})
