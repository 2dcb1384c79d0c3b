import { crc32 } from 'node:zlib'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

export function base62(value: bigint, length: number): string {
  let rest = value
  let text = ''
  for (let place = 0; place < length; place += 1) {
    text = alphabet.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  return text
}

/** Six characters by which a scanner of secrets knows one from a text that only looks like it. */
export function checksum62(text: string): string {
  // A number does without BigInt: this runs once for each key that is presented.
  let rest = crc32(text)
  let sum = ''
  for (let place = 0; place < 6; place += 1) {
    sum = alphabet.charAt(rest % 62) + sum
    rest = Math.floor(rest / 62)
  }
  return sum
}
