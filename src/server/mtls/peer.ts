import type { TLSSocket } from 'node:tls'
import { certificateFacts, unfit } from '#core'
import type { PeerCertificate } from '#gate'

const peerKey = Symbol('peer')

interface KnownPeer {
  readonly certificate: PeerCertificate
  readonly validToMs: number
}

/** A connection, or what stands for one: node:http2 hands out a proxy of it. */
interface Marked {
  [peerKey]?: KnownPeer
}

/**
 * Looks at a connection once, when its handshake is over: why it is not let in, or undefined. A resumed session is looked at as a
 * new one is: OpenSSL looks at no certificate again.
 */
export function admitPeer(socket: TLSSocket & Marked, acceptSelfSigned: boolean, nowMs: number): string | undefined {
  const found = socket.getPeerX509Certificate()
  if (found === undefined) return 'no certificate'
  const selfSigned = !socket.authorized
  if (selfSigned) {
    const why = String(socket.authorizationError)
    if (!acceptSelfSigned || why !== 'DEPTH_ZERO_SELF_SIGNED_CERT') return why
    // Nobody has vouched for anything in it.
    const no = unfit(found, nowMs)
    if (no !== undefined) return no
  }
  const { thumbprint, subject, validFromMs, validToMs } = certificateFacts(found)
  if (validFromMs > nowMs || validToMs <= nowMs) return 'certificate not valid now'
  socket[peerKey] = { certificate: { thumbprint, subject, selfSigned }, validToMs }
  return undefined
}

/** The certificate that a connection was made with; undefined for those of plain listeners, and once it is over. */
export function peerOf(connection: object | undefined, nowMs: number): PeerCertificate | undefined {
  const marked: Marked | undefined = connection
  const known = marked?.[peerKey]
  return known === undefined || known.validToMs <= nowMs ? undefined : known.certificate
}

/** The certificate that the connection of a request was made with. Never taken from a header. */
export function peerCertificate(
  request: { readonly raw: { readonly socket: object } },
  nowMs = Date.now(),
): PeerCertificate | undefined {
  return peerOf(request.raw.socket, nowMs)
}
