import { fromBinary } from '@bufbuild/protobuf'
import { credentials, Client, Metadata, type ClientReadableStream, type StatusObject } from '@grpc/grpc-js'
import { KillService, methodOf, WatchResponseSchema, type WatchResponse } from '@portcullis/contract'
import { errorInfoOf } from './grpc.ts'

const method = methodOf(KillService.method.watch)

/** KillService.Watch over gRPC, with all that it says. */
export class KillWatch {
  readonly heard: WatchResponse[] = []
  readonly ended: Promise<{ readonly code: number; readonly reason: string | undefined }>
  readonly #client: Client
  readonly #call: ClientReadableStream<Buffer>
  readonly #waiting = new Set<() => void>()

  constructor(address: string, key: string, more: Readonly<Record<string, string>> = {}) {
    this.#client = new Client(address, credentials.createInsecure())
    const metadata = new Metadata()
    for (const [name, value] of Object.entries({ authorization: `Bearer ${key}`, ...more })) metadata.set(name, value)
    const same = (bytes: Buffer): Buffer => bytes
    this.#call = this.#client.makeServerStreamRequest(method.path, same, same, Buffer.alloc(0), metadata)
    this.#call.on('data', (bytes: Buffer) => {
      this.heard.push(fromBinary(WatchResponseSchema, bytes))
      for (const wake of this.#waiting) wake()
    })
    // Said by the status, too.
    this.#call.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      this.#call.on('status', ({ code, metadata: trailers }: StatusObject) => {
        const [bytes] = trailers.get('grpc-status-details-bin')
        resolve({ code, reason: Buffer.isBuffer(bytes) ? errorInfoOf(bytes)?.reason : undefined })
      })
    })
  }

  /** Resolves once its headers are there: it has been let in. */
  begun(): Promise<void> {
    return new Promise((resolve) => {
      this.#call.once('metadata', () => resolve())
    })
  }

  async until(holds: (heard: readonly WatchResponse[]) => boolean, withinMs = 10_000): Promise<void> {
    const deadline = AbortSignal.timeout(withinMs)
    while (!holds(this.heard)) {
      deadline.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve)
        deadline.addEventListener('abort', () => resolve(), { once: true })
      })
      this.#waiting.clear()
    }
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#call.pause()
  }

  async close(): Promise<void> {
    this.#call.cancel()
    await this.ended
    this.#client.close()
  }
}
