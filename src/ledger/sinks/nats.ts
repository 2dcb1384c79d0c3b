import { sha256Hex } from '#core'
import { isTokenEvent } from '../token-events.ts'
import {
  answerMs,
  explained,
  openStream,
  tokenEventSubject,
  type NatsSinkSettings,
  type Stream,
} from './nats-stream.ts'
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
    await this.#use(signal, async (stream) => {
      const { publisher, headers } = stream
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
      await Promise.all([...stored, this.#tellEvents(batch, stream)])
    })
  }

  /**
   * What becomes of tokens, once more for subscribers: stored where the stream holds the subject; else the server has it before the
   * batch is acknowledged, and passes it on to who listens.
   */
  async #tellEvents(batch: SinkBatch, { connection, publisher, headers, keepsEvents }: Stream): Promise<void> {
    const events = batch.entries.filter(({ entry }) => isTokenEvent(entry))
    if (events.length === 0) return
    const stored: Promise<unknown>[] = []
    for (const { seq, entry, leaf } of events) {
      const more = headers()
      const msgID = `${batch.origin}/${seq}/token-event`
      more.set('Portcullis-Log', batch.log)
      more.set('Portcullis-Record-Hash', Buffer.from(leaf).toString('hex'))
      if (keepsEvents) {
        stored.push(publisher.publish(tokenEventSubject, entry, { ...this.#expected(), msgID, headers: more }))
        continue
      }
      // A stream of somebody else that holds the subject knows a repeated one by it.
      more.set('Nats-Msg-Id', msgID)
      connection.publish(tokenEventSubject, entry, { headers: more })
    }
    await Promise.all(stored)
    if (!keepsEvents) await connection.flush()
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
