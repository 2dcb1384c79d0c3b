import { createHash, X509Certificate } from 'node:crypto'
import { subjectOf } from './distinguished-name.ts'

const rsaBitsMin = 2048
const soundKinds: ReadonlySet<string> = new Set(['ec', 'ed25519', 'ed448'])
const pemPattern = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g

/** What identifies a certificate, and how long it is good. */
export interface CertificateFacts {
  /** SHA-256 of its DER, base64url: as in `cnf.x5t#S256` (RFC 8705). */
  readonly thumbprint: string
  /** RFC 4514. */
  readonly subject: string
  /** Milliseconds since the epoch. */
  readonly validFromMs: number
  readonly validToMs: number
}

export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  return {
    thumbprint: createHash('sha256').update(certificate.raw).digest('base64url'),
    subject: subjectOf(certificate.raw),
    validFromMs: certificate.validFromDate.getTime(),
    validToMs: certificate.validToDate.getTime(),
  }
}

/** The one certificate of a client in a text of PEM, or what is wrong with it, to go after the name of what holds it. */
export function clientCertificate(pem: string, nowMs: number): CertificateFacts | string {
  const certificate = onlyCertificate(pem)
  return typeof certificate === 'string' ? certificate : (unfit(certificate, nowMs) ?? certificateFacts(certificate))
}

/** The one certificate in a text of PEM, whatever it is good for, or what is wrong with the text. */
export function onlyCertificate(pem: string): X509Certificate | string {
  if (/PRIVATE KEY-----/.test(pem)) return 'must hold the certificate alone; the private key stays with the agent'
  const found = pem.match(pemPattern) ?? []
  if (found.length > 1) return `must hold one certificate, not ${found.length}: that of the agent, without its chain`
  const [text] = found
  if (text === undefined) return 'must be one certificate in PEM: -----BEGIN CERTIFICATE-----'
  if (pem.trim() !== text) return 'must hold one certificate and nothing else'
  try {
    const certificate = new X509Certificate(text)
    // Broken names show here, and not where the certificate is used.
    certificateFacts(certificate)
    return certificate
  } catch {
    return 'must be one certificate in PEM; this one cannot be read'
  }
}

/** Why a certificate is no proof of who connects, whoever signed it. */
export function unfit(certificate: X509Certificate, nowMs: number): string | undefined {
  const { ca, validFromDate, validToDate, publicKey } = certificate
  if (ca) return 'must be the certificate of one client, not that of an authority (CA:TRUE)'
  if (validFromDate.getTime() > nowMs) return `is not valid before ${validFromDate.toISOString()}`
  if (validToDate.getTime() <= nowMs) return `expired at ${validToDate.toISOString()}`
  const kind = publicKey.asymmetricKeyType ?? 'unknown'
  if (soundKinds.has(kind)) return undefined
  if (!kind.startsWith('rsa')) return `must have an RSA, EC or Ed25519 key, not one of the kind ${kind}`
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0
  return bits < rsaBitsMin ? `must have an RSA key of ${rsaBitsMin} bits or more, not ${bits}` : undefined
}
