import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { isIPv4 } from 'node:net'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
  readonly signer: { readonly name: string; readonly key: KeyObject }
}

/** When a certificate is valid, in seconds from now; else from an hour ago for a day. */
interface Validity {
  readonly fromSeconds?: number
  readonly toSeconds?: number
}

/** An authority that signs for tests: Node makes keys and signatures, but no certificates. P-256, valid for a day. */
export function makeAuthority(
  name = 'Test Authority',
  hosts: readonly string[] = [],
  validity: Validity = {},
): TestCertificate {
  return make(name, hosts, undefined, validity)
}

/** A certificate for names and IPv4 addresses; for a client where there are none. */
export function makeCertificate(
  authority: TestCertificate,
  name: string,
  hosts: readonly string[] = [],
  validity: Validity = {},
): TestCertificate {
  return make(name, hosts, authority.signer, validity)
}

/** A certificate that signed itself and is no authority. */
export function makeSelfSigned(name: string, validity: Validity = {}): TestCertificate {
  return make(name, [], undefined, validity, false)
}

type Issuer = TestCertificate['signer'] | undefined

function make(
  name: string,
  hosts: readonly string[],
  issuer: Issuer,
  { fromSeconds = -3600, toSeconds = 24 * 3600 }: Validity,
  isAuthority = issuer === undefined,
): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = issuer ?? { name, key: privateKey }
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
  const [from, to] = [fromSeconds, toSeconds].map((seconds) => time(new Date(Date.now() + seconds * 1000)))
  const extensions = [
    sequence(oid('2.5.29.19'), bool(true), octets(isAuthority ? sequence(bool(true)) : sequence())),
    ...(hosts.length === 0 ? [] : [sequence(oid('2.5.29.17'), octets(sequence(...hosts.map(alternative))))]),
  ]
  const body = sequence(
    tagged(0xa0, integer([2])),
    integer([...crypto.getRandomValues(new Uint8Array(8))].map((byte, at) => (at === 0 ? (byte & 0x3f) | 0x40 : byte))),
    algorithm,
    nameOf(signer.name),
    sequence(from ?? Buffer.alloc(0), to ?? Buffer.alloc(0)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', body, signer.key)
  const der = sequence(body, algorithm, tagged(0x03, Buffer.from([0]), signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return {
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    signer: { name, key: privateKey },
  }
}

// What follows is DER (X.690), as little of it as a certificate needs (RFC 5280).
function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts)
const integer = (bytes: readonly number[]): Buffer => tagged(0x02, Buffer.from(bytes))
const octets = (content: Buffer): Buffer => tagged(0x04, content)
const bool = (value: boolean): Buffer => tagged(0x01, Buffer.from([value ? 0xff : 0]))
const nameOf = (name: string): Buffer =>
  sequence(tagged(0x31, sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(name)))))
const time = (at: Date): Buffer =>
  tagged(0x18, Buffer.from(`${at.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`))
const alternative = (host: string): Buffer =>
  isIPv4(host) ? tagged(0x87, Buffer.from(host.split('.').map(Number))) : tagged(0x82, Buffer.from(host))

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const base128 = (value: number): readonly number[] =>
    value < 128 ? [value] : [...base128(Math.floor(value / 128)).map((byte) => byte | 0x80), value % 128]
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}
