import { hasSignature, type SignedMessage } from '#gate'

/** What the signature of a request can cover; undefined where it has none, which costs nothing more. */
export function signedMessage(
  fields: SignedMessage['fields'],
  {
    method,
    target,
    authority,
  }: { readonly method: string; readonly target: string; readonly authority: string | undefined },
): SignedMessage | undefined {
  if (!hasSignature(fields)) return undefined
  const mark = target.indexOf('?')
  return {
    method,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? undefined : target.slice(mark),
    authority,
    fields,
  }
}
