import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'

/** One prepared unary call: the path, its metadata and the bytes of the message. */
export interface PreparedCall {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly message: Uint8Array
}

export interface UnaryReply {
  /** The grpc-status; `none` where the connection ended before there was one. */
  readonly status: string
  /** The message, undecoded; empty where the call was refused. */
  readonly bytes: Uint8Array
  /** google.rpc.Status in bytes, where the server sent one. */
  readonly details: Uint8Array | undefined
}

/** Longer than the server's own deadlines: only a server that says nothing at all is given up on. */
const silenceMs = 20_000
const prefixBytes = 5

/**
 * Sends one unary gRPC call. A client of few parts, straight on HTTP/2, so that on a small machine the server has the cores and
 * not its client. Never rejects.
 */
export function unary(session: ClientHttp2Session, { path, headers, message }: PreparedCall): Promise<UnaryReply> {
  if (session.closed || session.destroyed) return Promise.resolve(lost)
  return new Promise((resolve) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      ...headers,
    })
    let status = 'none'
    let details: Uint8Array | undefined
    const chunks: Buffer[] = []
    const read = (received: IncomingHttpHeaders): void => {
      const { 'grpc-status': sent, 'grpc-status-details-bin': more } = received
      if (typeof sent === 'string') status = sent
      if (typeof more === 'string') details = Buffer.from(more, 'base64')
    }
    stream.on('response', read)
    stream.on('trailers', read)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    // What went wrong shows in the status that did not come.
    stream.on('error', () => undefined)
    stream.on('close', () => resolve({ status, bytes: Buffer.concat(chunks).subarray(prefixBytes), details }))
    stream.setTimeout(silenceMs, () => stream.close(constants.NGHTTP2_CANCEL))
    const frame = Buffer.allocUnsafe(prefixBytes + message.length)
    frame.writeUInt8(0, 0)
    frame.writeUInt32BE(message.length, 1)
    frame.set(message, prefixBytes)
    stream.end(frame)
  })
}

const lost: UnaryReply = { status: 'none', bytes: new Uint8Array(), details: undefined }

/** Connects to `host:port` in the clear, or to a URL with its scheme. */
export function open(address: string): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(address.includes('://') ? address : `http://${address}`)
    session.once('connect', () => resolve(session))
    // Stays: after the connect, an error is told by the calls that end with it.
    session.on('error', reject)
  })
}

/** A few connections to one server, each made anew when it is needed again after it was lost. */
export class Channel {
  readonly #address: string
  readonly #slots: Slot[]
  #next = 0

  /** Connects once, so that a wrong address is told at once: rejects where nothing answers. */
  static async connect(address: string, connections: number): Promise<Channel> {
    const sessions = await Promise.all(Array.from({ length: connections }, () => open(address)))
    return new Channel(address, sessions)
  }

  private constructor(address: string, sessions: readonly ClientHttp2Session[]) {
    this.#address = address
    this.#slots = sessions.map((session) => ({ session, opening: undefined }))
  }

  /** Sends a call on the connections in turn; `none` also where the server cannot be reached. */
  async call(call: PreparedCall): Promise<UnaryReply> {
    const slot = this.#slots[this.#next++ % this.#slots.length]
    if (slot === undefined) return lost
    if (!slot.session.closed && !slot.session.destroyed) return unary(slot.session, call)
    slot.opening ??= open(this.#address).finally(() => (slot.opening = undefined))
    try {
      slot.session = await slot.opening
    } catch {
      // The caller sees that nobody answered, and tries again or tells.
      return lost
    }
    return unary(slot.session, call)
  }

  close(): void {
    for (const { session } of this.#slots) session.close()
  }
}

interface Slot {
  session: ClientHttp2Session
  opening: Promise<ClientHttp2Session> | undefined
}
