/** How something ended below every call, where there is nobody to decide on and nothing to record (SPEC G1). */
export type TransportFault =
  /** HTTP/2: frames that are not valid, and streams that are reset over the rate. */
  | 'protocol'
  /** HTTP/2: the connection does not begin as one. */
  | 'preface'
  /** HTTP/2: pings, settings or other frames without end. */
  | 'flood'
  /** HTTP/2: header blocks without end. */
  | 'continuation'
  /** HTTP/2: any other error of a connection. */
  | 'connection'
  /** TLS, on the listeners for agents: a handshake that fails, for want of the right certificate most of all. */
  | 'tls'
  /** gRPC: a content type that is none of gRPC. */
  | 'content_type'
  /** HTTP/1: bytes that are no request. */
  | 'unreadable'
  /** HTTP/1: header fields over the size. */
  | 'headers_too_large'
  /** HTTP/1: a request that does not arrive in time. */
  | 'timeout'
  /** HTTP/1: a path that cannot be decoded. */
  | 'path'

/** Told of each of them; never throws and never waits. */
export type OnFault = (fault: TransportFault) => void
