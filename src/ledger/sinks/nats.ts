import { sha256Hex } from '#core'
import { answerMs, explained, openStream, type NatsSinkSettings, type Stream } from './nats-stream.ts'
import type { Sink, SinkBatch, SinkCheckpoint, SinkLog } from './ports.ts'

/** A stream of NATS JetStream. Acknowledged means stored in the stream, on as many servers as it has replicas. */
export class NatsSink implements Sink {
  readonly name: string
  readonly #settings: NatsSinkSettings
  #stream: Promise<Stream> | undefined

  constructor(settings: NatsSinkSettings) {
    this.name = settings.name
    this.#settings = settings
  }

  async send(batch: SinkBatch, signal: AbortSignal): Promise<void> {
    await this.#use(signal, async ({ publisher, headers }) => {
      const subject = this.#subject('entries', batch.log)
      const stored = batch.entries.map(({ seq, entry, leaf }) => {
        const more = headers()
        more.set('Portcullis-Record-Hash', Buffer.from(leaf).toString('hex'))
        return publisher.publish(subject, entry, {
          ...this.#expected(),
          msgID: `${batch.origin}/${seq}`,
          headers: more,
        })
      })
      await Promise.all(stored)
    })
  }

  async publish({ log, origin, size, note }: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    await this.#use(signal, async ({ publisher }) => {
      const msgID = `${origin}/checkpoint/${size}/${sha256Hex(note)}`
      await publisher.publish(this.#subject('checkpoints', log), note, { ...this.#expected(), msgID })
    })
  }

  async newest({ log, origin }: SinkLog, signal: AbortSignal): Promise<string | undefined> {
    return this.#use(signal, async ({ manager }) => {
      const query = { last_by_subj: this.#subject('checkpoints', log) }
      const found = await manager.streams.getMessage(this.#settings.stream, query)
      const note = found?.string()
      return note?.startsWith(`${origin}\n`) === true ? note : undefined
    })
  }

  async close(): Promise<void> {
    const stream = await this.#stream?.catch(() => undefined)
    await stream?.connection.close()
  }

  #expected(): {
    readonly timeout: number
    readonly retries: number
    readonly expect: { readonly streamName: string }
  } {
    // Another stream that took the subject over would acknowledge, too.
    return { timeout: answerMs, retries: 0, expect: { streamName: this.#settings.stream } }
  }

  /** Words of a subject are joined by dots, and a log may hold dots and slashes: both are spelled as in a URL. */
  #subject(kind: 'entries' | 'checkpoints', log: string): string {
    return `${this.#settings.subject}.${kind}.${encodeURIComponent(log).replaceAll('.', '%2E')}`
  }

  /** After any failure the connection is made anew: what is on the way on the old one must not come after what is sent again. */
  async #use<Result>(signal: AbortSignal, work: (stream: Stream) => Promise<Result>): Promise<Result> {
    signal.throwIfAborted()
    let aborted: (() => void) | undefined
    const late = new Promise<never>((_, reject) => {
      aborted = () => reject(new Error('no answer in time', { cause: signal.reason }))
      signal.addEventListener('abort', aborted, { once: true })
    })
    try {
      const done = this.#open().then(work)
      // Where it is late, what becomes of it is nobody's concern.
      done.catch(() => undefined)
      return await Promise.race([done, late])
    } catch (error) {
      this.#drop()
      throw explained(error, this.#settings)
    } finally {
      if (aborted !== undefined) signal.removeEventListener('abort', aborted)
    }
  }

  #open(): Promise<Stream> {
    if (this.#stream !== undefined) return this.#stream
    const made = openStream(this.#settings)
    const forget = (): void => {
      if (this.#stream === made) this.#stream = undefined
    }
    made.then(({ connection }) => void connection.closed().then(forget), forget)
    this.#stream = made
    return made
  }

  #drop(): void {
    // A connection that is still being made ends by its own timeout, or here.
    this.#stream?.then(
      ({ connection }) => void connection.close(),
      () => undefined,
    )
    this.#stream = undefined
  }
}
