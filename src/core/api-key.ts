import { randomBytes } from 'node:crypto'
import { base62, checksum62 } from './base62.ts'
import { Secret } from './secret.ts'

const pattern = /^(pc_([0-9A-Za-z]{22})_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})$/

/** The parts of an API key text, `pc_<id><_><secret><checksum>` (SPEC G4). */
export interface ParsedKey {
  /** The UUID of the key in base62, 22 characters. */
  readonly id: string
  /** 256 random bits in base62, 43 characters. */
  readonly secret: string
}

/** A new key text for the key with that UUID. */
export function makeKey(uuid: string): { readonly text: Secret; readonly secret: string } {
  const id = keyPartOf(uuid)
  const secret = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), 43)
  const text = `pc_${id}_${secret}`
  return { text: new Secret(text + checksum62(text)), secret }
}

/** The parts, or undefined where the form or the checksum is wrong: such a text never reaches a look-up. */
export function parseKey(text: string): ParsedKey | undefined {
  const [, summed, id, secret, sum] = pattern.exec(text) ?? []
  if (summed === undefined || id === undefined || secret === undefined || sum !== checksum62(summed)) return undefined
  return { id, secret }
}

/** How a key's UUID is written inside the key text. */
export function keyPartOf(uuid: string): string {
  return base62(BigInt(`0x${uuid.replaceAll('-', '')}`), 22)
}
