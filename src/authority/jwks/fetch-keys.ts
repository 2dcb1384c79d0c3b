import * as z from 'zod'
import type { OutboundReply } from '#core'

/** One exchange with the issuer; see `Outbound.send`. */
export type Send = (
  request: { readonly url: string; readonly method: 'GET'; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
) => Promise<OutboundReply>

export type Jwks = readonly Readonly<Record<string, unknown>>[]

const keysMax = 100
const kidMax = 256
const uriMax = 2048

const jwksSchema = z.looseObject({
  keys: z.array(z.looseObject({ kty: z.string().max(16), kid: z.string().max(kidMax).optional() })).max(keysMax),
})
const metadataSchema = z.looseObject({ issuer: z.string().max(uriMax), jwks_uri: z.string().max(uriMax) })

/** The keys at a URI. Rejects with an Error that says what the issuer did instead, and holds nothing of its answer. */
export async function fetchJwks(jwksUri: string, send: Send, signal: AbortSignal): Promise<Jwks> {
  const reply = await get(jwksUri, send, signal)
  return read(reply, jwksSchema, `no set of at most ${keysMax} keys`).keys
}

/** Where an issuer says that its keys are: OpenID Connect Discovery 1.0, or RFC 8414 where it has none. */
export async function discoverJwksUri(issuer: string, send: Send, signal: AbortSignal): Promise<string> {
  const openid = await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, send, signal)
  const reply = openid.status === 404 ? await get(oauthMetadata(issuer), send, signal) : openid
  const metadata = read(reply, metadataSchema, 'no metadata with issuer and jwks_uri')
  if (metadata.issuer !== issuer) throw new Error('the metadata are of another issuer than authority.issuer')
  return metadata.jwks_uri
}

function oauthMetadata(issuer: string): string {
  const { origin, pathname } = new URL(issuer)
  return `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`
}

function get(url: string, send: Send, signal: AbortSignal): Promise<OutboundReply> {
  return send({ url, method: 'GET', headers: { accept: 'application/json' } }, signal)
}

function read<T>({ status, end, body }: OutboundReply, schema: z.ZodType<T>, otherwise: string): T {
  if (status >= 300 && status < 400) throw new Error(`the issuer answered ${status}; redirects are not followed`)
  if (status !== 200) throw new Error(`the issuer answered ${status}`)
  if (end === 'cut') throw new Error('the answer of the issuer is larger than 1 MiB')
  if (end === 'broken') throw new Error('the answer of the issuer ended early')
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new Error('the answer of the issuer is not JSON')
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw new Error(`the answer of the issuer is ${otherwise}`)
  return parsed.data
}
