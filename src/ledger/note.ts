import { createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto'

/** Whether a signature is that of one known key. Name and key id together say which key it is (C2SP signed-note). */
export interface NoteVerifier {
  readonly name: string
  /** The key id in hex. */
  readonly keyId: string
  verify(text: Uint8Array, signature: Uint8Array): boolean
}

export interface NoteSigner {
  readonly name: string
  /** The public half in the form that verifiers are given: `<name>+<key id>+<base64 of type and key>`. */
  readonly vkey: string
  sign(text: string): Uint8Array
}

export type OpenedNote =
  | {
      readonly ok: true
      readonly text: string
      /** Names of the known keys that signed it; at least one. */
      readonly signedBy: readonly string[]
    }
  | { readonly ok: false; readonly why: string }

export type ParsedVkey = { readonly ok: true; readonly key: VerifierKey } | { readonly ok: false; readonly why: string }

export interface VerifierKey {
  readonly name: string
  /** 32 bytes (RFC 8032). */
  readonly publicKey: Uint8Array
}

// A note of ours has one signature, or one more while its key is rotated; witnesses add theirs. C2SP asks for 16 at the least.
const signaturesMax = 100
const noteBytesMax = 1024 * 1024
const ed25519Type = 1
const prefix = '\u2014 '
const spkiHead = Buffer.from('302a300506032b6570032100', 'hex')
const otherTypes: Readonly<Record<number, string>> = {
  2: 'an ECDSA key',
  4: 'a key of a witness for cosignatures',
  5: 'a key for RFC 6962 tree heads',
}

/** The text with a signature line of each signer. The text ends in a newline. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  const refused = textProblem(text)
  if (refused !== undefined) throw new Error(`a note cannot be signed: ${refused}`)
  const lines = signers.map((signer) => {
    const id = keyIdOf(signer.name, rawOf(signer.vkey))
    return `${prefix}${signer.name} ${Buffer.concat([id, signer.sign(text)]).toString('base64')}\n`
  })
  return `${text}\n${lines.join('')}`
}

/**
 * The text of a note that a known key signed. What is malformed is refused, and so is a note with a wrong signature of a known
 * key; signatures of unknown keys are passed over (C2SP signed-note).
 */
export function openNote(note: string | Uint8Array, verifiers: readonly NoteVerifier[]): OpenedNote {
  const split = splitNote(note)
  if (!split.ok) return split
  const text = Buffer.from(split.text)
  const signedBy: string[] = []
  for (const { name, keyId, signature } of split.signatures) {
    const known = verifiers.filter((one) => one.name === name && one.keyId === keyId)
    for (const verifier of known) {
      if (!verifier.verify(text, signature)) return bad(`the signature of the known key ${name} is wrong`)
      if (!signedBy.includes(name)) signedBy.push(name)
    }
  }
  if (signedBy.length > 0) return { ok: true, text: split.text, signedBy }
  const names = split.signatures.map((one) => `${one.name} (key ${one.keyId})`).slice(0, 4)
  return bad(`no known key signed it; it has signatures of ${names.join(', ')}`)
}

/** The public half of a key under a name. */
export function verifierOf(name: string, publicKey: Uint8Array): NoteVerifier {
  const raw = Buffer.from(publicKey)
  const key = createPublicKey({ key: Buffer.concat([spkiHead, raw]), format: 'der', type: 'spki' })
  return {
    name,
    keyId: keyIdOf(name, raw).toString('hex'),
    verify: (text, signature) => signature.length === 64 && verify(null, text, key, signature),
  }
}

/** Signs under a name. Throws where the key is not an Ed25519 private key. */
export function signerOf(name: string, key: KeyObject): NoteSigner {
  if (!isKeyName(name)) throw new Error(`"${name}" cannot name a key: leave out spaces and plus signs`)
  return { name, vkey: vkeyOf(name, publicKeyOf(key)), sign: (text) => sign(null, Buffer.from(text), key) }
}

/** The 32 bytes of the public half. Throws where the key is of another kind, saying which. */
export function publicKeyOf(key: KeyObject): Buffer {
  if (key.type === 'secret' || key.asymmetricKeyType !== 'ed25519') {
    const kind = key.type === 'secret' ? 'a symmetric key' : `a key of the kind ${key.asymmetricKeyType ?? 'unknown'}`
    throw new Error(`this is ${kind}; checkpoints are signed with Ed25519`)
  }
  const half = key.type === 'public' ? key : createPublicKey(key)
  return half.export({ format: 'der', type: 'spki' }).subarray(spkiHead.length)
}

export function vkeyOf(name: string, publicKey: Uint8Array): string {
  const raw = Buffer.from(publicKey)
  const typed = Buffer.concat([Buffer.from([ed25519Type]), raw])
  return `${name}+${keyIdOf(name, raw).toString('hex')}+${typed.toString('base64')}`
}

/** Reads a verifier key as other tools of C2SP print it. */
export function parseVkey(vkey: string): ParsedVkey {
  if (vkey.startsWith('PRIVATE+KEY+')) {
    return badKey('this is a private key: give the public one, and make a new key where this one was shown')
  }
  const match = /^([^+]*)\+([0-9a-f]{8})\+(.+)$/s.exec(vkey)
  const [, name = '', id = '', base64 = ''] = match ?? []
  if (match === null) return badKey('a verifier key has the form <name>+<8 hex digits>+<base64>')
  if (!isKeyName(name)) return badKey('the name of the key is empty or holds a space')
  const bytes = strictBase64(base64)
  if (bytes === undefined || bytes.length < 2) return badKey('the key is not base64')
  const type = bytes[0] ?? 0
  if (type !== ed25519Type) {
    return badKey(`this is ${otherTypes[type] ?? `a key of type ${type}`}; give an Ed25519 key, whose type is 1`)
  }
  if (bytes.length !== 33) return badKey(`an Ed25519 key has 32 bytes, this one ${bytes.length - 1}`)
  const publicKey = bytes.subarray(1)
  if (keyIdOf(name, publicKey).toString('hex') !== id) {
    return badKey('the 8 digits are not those of this name and key: copy the line again')
  }
  return { ok: true, key: { name, publicKey } }
}

interface SignatureLine {
  readonly name: string
  readonly keyId: string
  readonly signature: Buffer
}

type Split =
  | { readonly ok: true; readonly text: string; readonly signatures: readonly SignatureLine[] }
  | { readonly ok: false; readonly why: string }

function splitNote(note: string | Uint8Array): Split {
  const whole = textOf(note)
  if (whole === undefined) return bad('it is not UTF-8, or too large')
  if (hasControls(whole)) return bad('it holds a control character')
  const cut = whole.lastIndexOf('\n\n')
  if (cut < 0) return bad('there is no blank line before its signatures')
  const text = whole.slice(0, cut + 1)
  const rest = whole.slice(cut + 2)
  if (rest === '' || !rest.endsWith('\n')) return bad('its last signature line does not end')
  const lines = rest.slice(0, -1).split('\n')
  if (lines.length > signaturesMax) return bad(`it has more than ${signaturesMax} signatures`)
  const signatures: SignatureLine[] = []
  for (const line of lines) {
    const signature = signatureOf(line)
    if (signature === undefined) return bad(`line ${signatures.length + 1} of its signatures is malformed`)
    signatures.push(signature)
  }
  return { ok: true, text, signatures }
}

function signatureOf(line: string): SignatureLine | undefined {
  if (!line.startsWith(prefix)) return undefined
  const rest = line.slice(prefix.length)
  const space = rest.indexOf(' ')
  const name = rest.slice(0, Math.max(0, space))
  const bytes = strictBase64(rest.slice(space + 1))
  if (!isKeyName(name) || bytes === undefined || bytes.length < 5) return undefined
  return { name, keyId: bytes.subarray(0, 4).toString('hex'), signature: bytes.subarray(4) }
}

function textOf(note: string | Uint8Array): string | undefined {
  if (note.length > noteBytesMax) return undefined
  if (typeof note === 'string') return note.isWellFormed() ? note : undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(note)
  } catch {
    // Said by the caller: it is not UTF-8.
    return undefined
  }
}

function textProblem(text: string): string | undefined {
  if (!text.isWellFormed() || hasControls(text)) return 'it holds control characters or is not Unicode'
  return text.endsWith('\n') ? undefined : 'it does not end in a newline'
}

function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit < 0x20 && unit !== 0x0a) return true
  }
  return false
}

function isKeyName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !/[\s\u0085+]/u.test(name)
}

/** Only the one spelling that RFC 4648 4 has for these bytes. */
function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined
}

function keyIdOf(name: string, publicKey: Uint8Array): Buffer {
  const head = Buffer.from(`${name}\n`)
  return hash('sha256', Buffer.concat([head, Buffer.from([ed25519Type]), publicKey]), 'buffer').subarray(0, 4)
}

function rawOf(vkey: string): Buffer {
  return Buffer.from(vkey.slice(vkey.indexOf('+', vkey.indexOf('+') + 1) + 1), 'base64').subarray(1)
}

function bad(why: string): { readonly ok: false; readonly why: string } {
  return { ok: false, why }
}

const badKey = bad
