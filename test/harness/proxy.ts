import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * Where a connection through the proxy is cut: before the first bytes of a transaction reach PostgreSQL, before its commit
 * does, or after PostgreSQL has committed and before the caller hears of it.
 */
export type Cut = 'at_begin' | 'before_commit' | 'after_commit'

// A name of a prepared statement between two NULs, as in Parse and Bind; the tag of a commit in CommandComplete.
const marks: Readonly<Record<Cut, Buffer>> = {
  at_begin: Buffer.from('\0begin\0'),
  before_commit: Buffer.from('\0commit\0'),
  after_commit: Buffer.from('COMMIT\0'),
}

/** A TCP proxy in front of PostgreSQL that fails on demand. */
export class CuttingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #cut: Cut | undefined
  #refusing = false
  cuts = 0

  private constructor(target: number) {
    this.#server = createServer((near) => this.#join(near, connect(target, '127.0.0.1')))
  }

  static async start(target: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
    return address.port
  }

  /** The next connection that comes to this point is cut there, once. */
  cutNext(cut: Cut): void {
    this.#cut = cut
  }

  /** Cuts every connection and lets no new one through. */
  refuse(): void {
    this.#refusing = true
    for (const socket of this.#sockets) socket.destroy()
  }

  accept(): void {
    this.#refusing = false
  }

  async stop(): Promise<void> {
    this.refuse()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket, far: Socket): void {
    const both = [near, far]
    for (const socket of both) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        for (const one of both) one.destroy()
      })
    }
    if (this.#refusing) {
      near.destroy()
      return
    }
    const end = (): void => {
      this.cuts += 1
      this.#cut = undefined
      for (const one of both) one.destroy()
    }
    this.#relay(near, far, ['at_begin', 'before_commit'], end)
    this.#relay(far, near, ['after_commit'], end)
  }

  #relay(from: Socket, to: Socket, cuts: readonly Cut[], end: () => void): void {
    // A mark may lie across two chunks.
    let tail = Buffer.alloc(0)
    from.on('data', (chunk: Buffer) => {
      const seen = Buffer.concat([tail, chunk])
      tail = seen.subarray(-16)
      const cut = this.#cut
      // Of what came before only as much as cannot hold a whole mark.
      const fresh =
        cut === undefined ? undefined : seen.subarray(Math.max(0, seen.length - chunk.length - marks[cut].length + 1))
      if (cut !== undefined && cuts.includes(cut) && fresh?.includes(marks[cut]) === true) end()
      else to.write(chunk)
    })
  }
}
