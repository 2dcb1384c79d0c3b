/** A part of DER (X.690): its tag, where its content begins and where it ends. */
interface Part {
  readonly tag: number
  readonly start: number
  readonly end: number
}

// The names of RFC 4514, section 3; other types are written as their numbers.
const shortNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.6': 'C',
  '2.5.4.9': 'STREET',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
}

const sequenceTag = 0x30
const setTag = 0x31
const oidTag = 0x06
const versionTag = 0xa0

/** The subject of a certificate in DER as RFC 4514 writes it: `CN=agent,O=Example,C=DE`. Throws where the DER is broken. */
export function subjectOf(der: Uint8Array): string {
  const certificate = partAt(der, 0, sequenceTag)
  const body = partAt(der, certificate.start, sequenceTag)
  let next = partAt(der, body.start)
  if (next.tag === versionTag) next = partAt(der, next.end)
  // From the serial number on: algorithm, issuer, validity, subject.
  for (let skipped = 0; skipped < 4; skipped += 1) next = partAt(der, next.end)
  if (next.tag !== sequenceTag) throw new Error('the subject of the certificate is not where it belongs')
  return partsIn(der, next)
    .map((set) => relativeName(der, set))
    .toReversed()
    .join(',')
}

function relativeName(der: Uint8Array, set: Part): string {
  if (set.tag !== setTag) throw new Error('a name in the certificate is not a set')
  return partsIn(der, set)
    .map((pair) => {
      const [type, value] = partsIn(der, pair)
      if (type?.tag !== oidTag || value === undefined) throw new Error('a name in the certificate is not a pair')
      return attribute(oidText(der.subarray(type.start, type.end)), der, value)
    })
    .join('+')
}

function attribute(oid: string, der: Uint8Array, value: Part): string {
  const name = shortNames[oid]
  const text = name === undefined ? undefined : textOf(der, value)
  if (name !== undefined && text !== undefined) return `${name}=${escaped(text)}`
  // The whole part, with its tag: its header is what lies between the part before and its content.
  const whole = der.subarray(headerStart(der, value), value.end)
  return `${name ?? oid}=#${Buffer.from(whole).toString('hex')}`
}

const decoders: Readonly<Record<number, (bytes: Uint8Array) => string>> = {
  0x0c: (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes),
  0x12: latin,
  0x13: latin,
  0x14: latin,
  0x16: latin,
  0x1e: (bytes) =>
    Buffer.from(bytes.length % 2 === 0 ? bytes : bytes.subarray(1))
      .swap16()
      .toString('utf16le'),
}

function textOf(der: Uint8Array, { tag, start, end }: Part): string | undefined {
  return decoders[tag]?.(der.subarray(start, end))
}

function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** RFC 4514, section 2.4; control characters become their UTF-8 bytes. */
function escaped(text: string): string {
  return text
    .replaceAll(/[",+;<>\\]/g, (character) => `\\${character}`)
    .replaceAll(/\p{Cc}/gu, (character) =>
      Buffer.from(character)
        .toString('hex')
        .replaceAll(/../g, String.raw`\$&`),
    )
    .replace(/^[ #]/, (character) => `\\${character}`)
    .replace(/(?<!\\) $/, String.raw`\ `)
}

function oidText(bytes: Uint8Array): string {
  const numbers: number[] = []
  let value = 0
  for (const byte of bytes) {
    value = value * 128 + (byte & 0x7f)
    if (byte & 0x80) continue
    if (numbers.length === 0)
      numbers.push(Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40)))
    else numbers.push(value)
    value = 0
  }
  return numbers.join('.')
}

function partsIn(der: Uint8Array, { start, end }: Part): readonly Part[] {
  const parts: Part[] = []
  for (let at = start; at < end;) {
    const part = partAt(der, at)
    if (part.end > end) throw new Error('a part of the certificate is longer than what holds it')
    parts.push(part)
    at = part.end
  }
  return parts
}

function partAt(der: Uint8Array, at: number, wanted?: number): Part {
  const tag = der[at]
  const first = der[at + 1]
  if (tag === undefined || first === undefined) throw new Error('the certificate ends early')
  if (wanted !== undefined && tag !== wanted) throw new Error('the certificate has another form than X.509')
  const lengthBytes = first & 0x80 ? first & 0x7f : 0
  if (lengthBytes > 4) throw new Error('a part of the certificate is too long')
  let length = lengthBytes === 0 ? first : 0
  for (let index = 0; index < lengthBytes; index += 1) length = length * 256 + (der[at + 2 + index] ?? 0)
  const start = at + 2 + lengthBytes
  if (start + length > der.length) throw new Error('the certificate ends early')
  return { tag, start, end: start + length }
}

function headerStart(der: Uint8Array, { start, end }: Part): number {
  const length = end - start
  const lengthBytes = length < 128 ? 0 : Math.ceil(Math.log2(length + 1) / 8)
  const at = start - 2 - lengthBytes
  // DER has one way to write a length; another one is not shown as if it were this.
  if (partAt(der, at).start !== start) throw new Error('a length in the certificate is not DER')
  return at
}
