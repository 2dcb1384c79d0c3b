/** A request as its signature sees it (RFC 9421, section 2). gRPC has a path and fields, too: those of its HTTP/2 request. */
export interface SignedMessage {
  /** As sent: methods are case-sensitive. */
  readonly method: string
  /** As sent, without the query; never decoded or normalised. */
  readonly path: string
  /** As sent, with its question mark; undefined where the request has none. */
  readonly query: string | undefined
  /** `Host`, or `:authority`. */
  readonly authority: string | undefined
  /** The values of a field, by its name in lower case, in the order in which they were sent. */
  readonly fields: (name: string) => readonly string[]
}

/** Whether a request has a signature, or something that wants to be one: then it is verified, whoever calls. */
export function hasSignature(fields: SignedMessage['fields']): boolean {
  return fields('signature-input').length > 0 || fields('signature').length > 0
}
