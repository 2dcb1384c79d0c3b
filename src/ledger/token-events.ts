import type { TokenEventKind } from './body.ts'

/** What subscribers of token events hear of (SPEC A11). */
export const tokenEventKinds: readonly TokenEventKind[] = [
  'token.issued',
  'token.refreshed',
  'token.refused',
  'token.revoked',
  'refresh_replay',
  'code_replay',
  'code.issued',
  'session.ended',
]

const kinds: ReadonlySet<string> = new Set(tokenEventKinds)
// Canonical JSON has no spaces, and quotes inside of a text are escaped.
const marks = tokenEventKinds.map((kind) => Buffer.from(`"kind":"${kind}"`))

/** Whether an entry says what became of a token; reads only those that may. */
export function isTokenEvent(entry: Uint8Array): boolean {
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength)
  if (!marks.some((mark) => bytes.includes(mark))) return false
  const { body } = JSON.parse(bytes.toString('utf8')) as { readonly body?: { readonly kind?: unknown } }
  return typeof body?.kind === 'string' && kinds.has(body.kind)
}
