import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'

export interface RawRequest {
  readonly method?: string
  readonly path: string
  /** A list sends a header more than once. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Chunks are sent without a declared length. */
  readonly body?: string | Uint8Array | readonly Uint8Array[]
}

export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly bytes: Buffer
}

/** One request that `fetch` would not send: broken bodies, doubled headers, no length. Reads the answer even where the server closes early. */
export function sendRaw(
  url: string,
  { method = 'POST', path, headers = {}, body = '' }: RawRequest,
): Promise<RawAnswer> {
  const chunks = typeof body === 'string' || body instanceof Uint8Array ? [body] : body
  const declared = chunks === body ? {} : { 'content-length': String(Buffer.byteLength(chunks[0] ?? '')) }
  return new Promise((resolve, reject) => {
    const lists = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
    )
    const sent = request(
      `${url}${path}`,
      { method, headers: { ...declared, ...lists }, agent: false, maxHeaderSize: 1024 * 1024 },
      (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('end', () => {
          const bytes = Buffer.concat(parts)
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: bytes.toString('utf8'), bytes })
          sent.destroy()
        })
      },
    )
    // A server that has answered may close while the rest of the body is still on its way.
    sent.on('error', reject)
    for (const chunk of chunks) sent.write(chunk)
    sent.end()
  })
}

/** Writes bytes to a listener and resolves with all that comes back until the connection ends. */
export function sendBytes(address: string, bytes: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(`http://${address}`)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    const parts: Buffer[] = []
    socket.on('data', (part) => parts.push(part))
    socket.on('error', (error) => (parts.length > 0 ? resolve(Buffer.concat(parts).toString('latin1')) : reject(error)))
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')))
  })
}
