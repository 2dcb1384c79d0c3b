import { hash, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

/** A secret value that prints as `[redacted]` wherever it ends up by accident (SPEC S5). */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The clear text. Call it only where the secret leaves for its destination. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}

export function sha256(data: string | Uint8Array): Buffer {
  // By way of text: a buffer from OpenSSL has memory of its own, which costs twice the hash.
  return Buffer.from(hash('sha256', data, 'hex'), 'hex')
}

export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex')
}

/** Compares two secrets in constant time, as SHA-256 digests, so that neither content nor length shows. */
export function secretsEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  return timingSafeEqual(sha256(a), sha256(b))
}

/** Compares two digests of the same length in constant time. */
export function digestsEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
