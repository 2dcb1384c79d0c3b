import { parseDictionary, serializeDictionary } from 'structured-headers'
import { digestsEqual, sha256 } from '#core'

/** The value of `Content-Digest` for a body (RFC 9530): of the bytes as they are sent, in gRPC of the message without its frame. */
export function contentDigest(body: Uint8Array): string {
  return `sha-256=:${sha256(body).toString('base64')}:`
}

/** Why the digest is not that of the body; undefined where it is. One field, of which `sha-256` counts and others do not. */
export function digestProblem(values: readonly string[], body: Uint8Array): string | undefined {
  const [value, second] = values
  if (value === undefined || second !== undefined) return `${values.length} content-digest fields, not one`
  const sent = sha256Of(value)
  if (sent === undefined) return 'content-digest without a sha-256 that can be read'
  return digestsEqual(sent, sha256(body)) ? undefined : 'content-digest is not that of the body'
}

function sha256Of(value: string): Uint8Array | undefined {
  try {
    const digests = parseDictionary(value)
    // Written otherwise, it could be read otherwise: doubled members, sloppy base64.
    if (serializeDictionary(digests) !== value.trim()) return undefined
    const bytes: unknown = digests.get('sha-256')?.[0]
    return bytes instanceof ArrayBuffer && bytes.byteLength === 32 ? new Uint8Array(bytes) : undefined
  } catch {
    // Not a dictionary: the caller is told so.
    return undefined
  }
}
