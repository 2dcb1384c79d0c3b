import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What the target does with a request; the ways in which systems of others fail have names in {@link misbehave}. */
export type Answer = (response: ServerResponse, request: Received) => void

/** A system of somebody else that does as it is told. */
export class HttpTarget {
  readonly received: Received[] = []
  /** For the next requests, one each; then {@link always}. */
  readonly next: Answer[] = []
  always: Answer
  readonly #server: Server
  readonly #tls: boolean
  connections = 0

  private constructor(always: Answer, tls: { readonly key: string; readonly cert: string } | undefined) {
    this.always = always
    this.#tls = tls !== undefined
    const listener: RequestListener = (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('error', () => undefined)
      request.on('end', () => {
        const { method = '', url = '', headers } = request
        const received = { method, url, headers, body: Buffer.concat(chunks) }
        this.received.push(received)
        const answer = this.next.shift() ?? this.always
        answer(response, received)
      })
    }
    this.#server = tls === undefined ? createServer(listener) : createHttpsServer(tls, listener)
    this.#server.on('connection', () => (this.connections += 1))
  }

  static async start(
    always: Answer = reply(200),
    { tls, port = 0 }: { readonly tls?: { readonly key: string; readonly cert: string }; readonly port?: number } = {},
  ): Promise<HttpTarget> {
    const target = new HttpTarget(always, tls)
    target.#server.listen(port, '127.0.0.1')
    await once(target.#server, 'listening')
    return target
  }

  get port(): number {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${this.port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

export function reply(status: number, body: unknown = '', headers: Readonly<Record<string, string>> = {}): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return (response) => void response.writeHead(status, headers).end(text)
}

export const misbehave = {
  hang: () => undefined,
  tooMany: reply(429, 'slow down', { 'retry-after': '7' }),
  fail: reply(500, 'something broke'),
  /** A page of a proxy in between, with a status that says all is well. */
  lie: reply(200, '<html>sign in first</html>', { 'content-type': 'text/html' }),
  endless: (response) => {
    response.writeHead(200)
    const more = (): void => {
      let room = true
      while (room && !response.destroyed) room = response.write(Buffer.alloc(64 * 1024, 0x20))
    }
    response.on('drain', more)
    more()
  },
  closeMidReply: (response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{', () => response.destroy())
  },
  closeBeforeReply: (response) => void response.destroy(),
  redirect: reply(307, '', { location: 'http://169.254.169.254/latest/meta-data' }),
} as const satisfies Readonly<Record<string, Answer>>
