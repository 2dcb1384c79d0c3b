import { isIP } from 'node:net'
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import type { Sink, SinkBatch, SinkCheckpoint } from './ports.ts'
import { checkpointFrame, entryFrame } from './syslog-message.ts'
import { readTlsFiles, type TlsFiles } from './tls-files.ts'

export interface SyslogSinkSettings extends TlsFiles {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly serverName?: string | undefined
  /** `closed`: each batch ends its connection, and counts once the receiver has ended it too. `written`: once it is sent. */
  readonly acknowledge: 'closed' | 'written'
}

const keepAliveMs = 10_000

/**
 * Syslog over TLS with octet counting (RFC 5425). Syslog has no acknowledgement of its own. A receiver that answers the end of a
 * stream by ending it, without a reset, has read all of it: that is what `closed` waits for.
 */
export class SyslogSink implements Sink {
  readonly name: string
  readonly #settings: SyslogSinkSettings
  #socket: TLSSocket | undefined

  constructor(settings: SyslogSinkSettings) {
    this.name = settings.name
    this.#settings = settings
  }

  async send(batch: SinkBatch, signal: AbortSignal): Promise<void> {
    const frames = Buffer.concat(batch.entries.map((entry) => entryFrame(batch, entry)))
    if (this.#settings.acknowledge === 'closed') return this.#deliver(await this.#connect(signal), frames, signal)
    if (this.#socket === undefined || !usable(this.#socket)) this.#socket = (await this.#connect(signal)).socket
    await write(this.#socket, frames, signal)
  }

  /** On a connection of its own: what is sent in the meantime is not its concern. */
  async publish(checkpoint: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    await this.#deliver(await this.#connect(signal), checkpointFrame(checkpoint), signal)
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined || !usable(socket)) return
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => socket.destroy(), 1000)
      socket.once('close', () => {
        clearTimeout(late)
        resolve()
      })
      socket.end()
    })
  }

  async #connect(signal: AbortSignal): Promise<Connected> {
    signal.throwIfAborted()
    const { host, port, serverName = host } = this.#settings
    const material = await readTlsFiles(this.#settings)
    const begunAt = performance.now()
    const socket = connect({
      host,
      port,
      ...material,
      // An address is no server name (RFC 6066), and is compared with the addresses of the certificate all the same.
      ...(isIP(serverName) === 0 && { servername: serverName }),
      checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
      minVersion: 'TLSv1.2',
    })
    socket.setKeepAlive(true, keepAliveMs)
    // A receiver sends nothing; what it sends anyway is passed over, so that its end is seen.
    socket.resume()
    // Between two sends nobody waits for it; the next one finds it unusable.
    socket.on('error', () => undefined)
    await settled(socket, signal, (done) => socket.once('secureConnect', done))
    return { socket, roundTripMs: Math.max(roundTripMinMs, performance.now() - begunAt) }
  }

  /**
   * Resolves once the receiver has read everything and ended the connection. It has to be seen that it ended in answer to our end:
   * a receiver that gives up earlier, for example because it does not know our certificate, ends without an error, too, as long as
   * our data has not reached it. So our end waits for as long as the handshake took, which is more than a round trip.
   */
  async #deliver({ socket, roundTripMs }: Connected, frames: Buffer, signal: AbortSignal): Promise<void> {
    try {
      await write(socket, frames, signal)
      // What has come by then is read before we go on, however late this process is.
      await settled(socket, signal, (done) => setTimeout(() => setImmediate(done), roundTripMs))
      await settled(socket, signal, () => socket.end(), 'awaited')
    } finally {
      socket.destroy()
    }
  }
}

interface Connected {
  readonly socket: TLSSocket
  /** At least one round trip. */
  readonly roundTripMs: number
}

const roundTripMinMs = 5

function usable(socket: TLSSocket): boolean {
  return !socket.destroyed && !socket.readableEnded && socket.writable
}

function write(socket: TLSSocket, bytes: Buffer, signal: AbortSignal): Promise<void> {
  return settled(socket, signal, (done, failed) => {
    socket.write(bytes, (error) => {
      if (error) failed(error)
      // The end of a connection that died while this was written is seen by then.
      else setImmediate(() => (usable(socket) ? done() : failed(new Error('the receiver ended the connection'))))
    })
  })
}

/** Waits on a socket: for what `begin` says, an error, the end of the other side, or the signal. Whatever fails destroys it. */
function settled(
  socket: TLSSocket,
  signal: AbortSignal,
  begin: (done: () => void, failed: (error: Error) => void) => void,
  end: 'awaited' | 'early' = 'early',
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (outcome: () => void): void => {
      socket.off('error', failed).off('close', ended).off('end', other)
      signal.removeEventListener('abort', aborted)
      outcome()
    }
    const failed = (error: Error): void => {
      socket.destroy()
      finish(() => reject(error))
    }
    const done = (): void => finish(resolve)
    const ended = (): void => failed(new Error('the receiver ended the connection before everything was read'))
    const aborted = (): void => failed(new Error('no answer in time', { cause: signal.reason }))
    const other = end === 'awaited' ? done : ended
    socket.on('error', failed).on('close', ended).on('end', other)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
    else if (!socket.connecting && !usable(socket)) ended()
    else begin(done, failed)
  })
}
