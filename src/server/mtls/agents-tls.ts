import { constants } from 'node:crypto'
import { unwatchFile, watchFile } from 'node:fs'
import type { Server, TLSSocket, TlsOptions } from 'node:tls'
import type { Logger } from 'pino'
import { formatProblems, readTls, type Config, type TlsMaterial } from '#config'
import { peerAddress } from '../credentials.ts'
import { StartError } from '../start-error.ts'
import type { OnFault } from '../transport-faults.ts'
import { admitPeer } from './peer.ts'

const lookEveryMs = 1000
const handshakeTimeoutMs = 10_000

type TlsConfig = Pick<Config, 'tls' | 'env'>

/** The TLS of the listeners for agents: who gets through the handshake, and files that are renewed while it runs (SPEC G17). */
export class AgentsTls {
  readonly #config: TlsConfig
  readonly #log: Logger
  readonly #files: readonly string[]
  readonly #servers = new Set<Server>()
  readonly #look = (now: { mtimeMs: number; ino: number }, before: { mtimeMs: number; ino: number }): void => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) this.#reload()
  }
  #material: TlsMaterial

  constructor(config: TlsConfig, log: Logger) {
    const read = readTls(config)
    if (!read.ok) throw new StartError(`the settings are not usable:\n${formatProblems(read.problems)}`)
    this.#config = config
    this.#log = log
    this.#material = read.material
    const { certFile, keyFile, clientCaFile } = config.tls
    this.#files = [certFile, keyFile, clientCaFile].filter((file) => file !== undefined)
    // By looking, not by events: mounted secrets replace files in ways that events miss.
    for (const file of this.#files) watchFile(file, { interval: lookEveryMs, persistent: false }, this.#look)
  }

  get material(): TlsMaterial {
    return this.#material
  }

  /** What node is told beside the material. */
  get handshake(): TlsOptions {
    return {
      requestCert: true,
      // Where certificates may sign themselves, `attach` decides.
      rejectUnauthorized: !this.#config.tls.acceptSelfSigned,
      handshakeTimeout: handshakeTimeoutMs,
      ...this.#versions,
    }
  }

  get context(): TlsOptions {
    const { cert, key, clientCa } = this.#material
    return { cert, key: key.reveal(), ca: clientCa, ...this.#versions }
  }

  /** Lets in who has the right certificate and nobody else, and keeps the server on the newest files. */
  attach(server: Server, onFault: OnFault): void {
    const inner = server.listeners('secureConnection')
    server.removeAllListeners('secureConnection')
    server.on('secureConnection', (socket: TLSSocket) => {
      const why = admitPeer(socket, this.#config.tls.acceptSelfSigned, Date.now())
      if (why === undefined) {
        for (const listener of inner) listener.call(server, socket)
        return
      }
      this.#refused(socket, why, onFault)
    })
    // Node would answer in the protocol that was to follow.
    server.removeAllListeners('tlsClientError')
    server.on('tlsClientError', (error: Error & { readonly code?: string }, socket: TLSSocket) => {
      const unauthorized = socket.authorizationError as Error | string | null | undefined
      // A peer that left on its own did nothing wrong.
      if (error.code === 'ECONNRESET' && !unauthorized) return
      this.#refused(socket, String(unauthorized ?? error.code), onFault)
    })
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
  }

  close(): void {
    for (const file of this.#files) unwatchFile(file, this.#look)
  }

  #refused(socket: TLSSocket, why: string, onFault: OnFault): void {
    onFault('tls')
    const remote = peerAddress(socket.remoteAddress)
    this.#log.debug({ event: 'tls.refused', remote, reason: why }, 'a handshake without the right certificate')
    socket.on('error', () => undefined)
    socket.destroy()
  }

  /** Connections that stand go on with what they were made with. */
  #reload(): void {
    const read = readTls(this.#config)
    if (!read.ok) {
      const event = { event: 'tls.files_refused', problems: formatProblems(read.problems) }
      this.#log.error(event, 'the files of TLS have changed and were not taken over')
      return
    }
    this.#material = read.material
    for (const server of this.#servers) server.setSecureContext(this.context)
    const until = new Date(read.material.expiresAtMs).toISOString()
    this.#log.info({ event: 'tls.reloaded', until }, 'the files of TLS have changed and were taken over')
  }

  get #versions(): TlsOptions {
    return {
      minVersion: this.#config.tls.minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
      // Who a connection belongs to is settled when it is made.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    }
  }
}
