import { randomBytes } from 'node:crypto'
import { Secret } from './secret.ts'

const codePattern = /^[A-Za-z0-9_-]{32}$/

/** A code for a link that is good once: 192 random bits. Only its digest is stored. */
export function makeCode(): Secret {
  return new Secret(randomBytes(24).toString('base64url'))
}

/** What has not the form of a code is looked up nowhere. */
export function isCode(text: unknown): text is string {
  return typeof text === 'string' && codePattern.test(text)
}
