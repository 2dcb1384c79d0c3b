import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'

/** What it does with a connection: reads it to its end; reads and never ends; resets after so many bytes; reads nothing. */
export type Manner = 'fair' | 'endless' | 'deaf' | { readonly resetAfterBytes: number }

/** A receiver of syslog over TLS (RFC 5425) that keeps the messages it could read. */
export class SyslogReceiver {
  readonly messages: string[] = []
  manner: Manner = 'fair'
  connections = 0
  readonly #server: Server
  /** Below TLS, so that those are there whose handshake failed. */
  readonly #sockets = new Set<Socket>()

  private constructor(options: TlsOptions) {
    this.#server = createServer({ allowHalfOpen: true, ...options }, (socket) => this.#serve(socket))
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    // A handshake that fails is the client's to tell.
    this.#server.on('tlsClientError', () => undefined)
  }

  static async start(options: TlsOptions): Promise<SyslogReceiver> {
    const receiver = new SyslogReceiver(options)
    receiver.#server.listen(0, '127.0.0.1')
    await once(receiver.#server, 'listening')
    return receiver
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** As an ending process does: what has not been read is lost, and its sender gets a reset. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.drop()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: TLSSocket): void {
    const { manner } = this
    this.connections += 1
    socket.on('error', () => undefined)
    if (manner === 'deaf') return
    let rest = Buffer.alloc(0)
    let read = 0
    socket.on('data', (chunk: Buffer) => {
      read += chunk.length
      if (typeof manner === 'object' && read > manner.resetAfterBytes) {
        // With bytes unread, the system resets the connection.
        socket.destroy()
        return
      }
      rest = this.#take(Buffer.concat([rest, chunk]))
    })
    if (manner !== 'endless') socket.on('end', () => socket.end())
  }

  /** `LENGTH SP MESSAGE`, one after the other. */
  #take(bytes: Buffer): Buffer<ArrayBuffer> {
    for (;;) {
      const space = bytes.indexOf(' ')
      const length = Number(bytes.subarray(0, Math.max(space, 0)).toString())
      if (space < 1 || bytes.length < space + 1 + length) return Buffer.from(bytes)
      this.messages.push(bytes.subarray(space + 1, space + 1 + length).toString())
      bytes = bytes.subarray(space + 1 + length)
    }
  }
}
