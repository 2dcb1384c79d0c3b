import { createHmac, type KeyObject } from 'node:crypto'

/** A keyed pseudonym of a personal value: the same for the same value and key. Undefined where there is no key: then it is masked. */
export type Pseudonym = (value: string) => string | undefined

const tagBytes = 16

/**
 * `h1:<key version>:<HMAC-SHA-256 of the value, 128 bits, base64url>` (SPEC L3). E-mail addresses are compared without case, phone
 * numbers by their digits, so that one person has one pseudonym whatever the spelling.
 */
export function pseudonymWith(key: KeyObject | Uint8Array, version: number): (value: string) => string {
  return (value) => {
    const tag = createHmac('sha256', key).update(normalForm(value), 'utf8').digest().subarray(0, tagBytes)
    return `h1:${version}:${tag.toString('base64url')}`
  }
}

function normalForm(value: string): string {
  const trimmed = value.trim().normalize('NFC').replace(/%40/, '@')
  if (trimmed.includes('@')) return `email:${trimmed.toLowerCase()}`
  const digits = trimmed.replaceAll(/\D/g, '').replace(/^00/, '')
  const letters = /\p{L}/u.test(trimmed)
  return letters || digits === '' ? `text:${trimmed}` : `phone:${digits}`
}
