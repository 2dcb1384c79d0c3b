import { makeAuthority } from '../harness/certificates.ts'

export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** A certificate that signs itself, for 127.0.0.1 and the names given: tests need no `openssl` on the machine. */
export function selfSigned(...names: readonly string[]): Certificate {
  return makeAuthority('a system under test', ['127.0.0.1', ...names])
}
