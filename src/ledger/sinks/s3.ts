import { NotAcknowledged } from './not-acknowledged.ts'
import { ObjectStore, type ObjectStoreSettings } from './object-store.ts'
import type { Sink, SinkBatch, SinkCheckpoint, SinkEntry, SinkLog } from './ports.ts'
import { ndjson, rangeOf } from './sink-http.ts'

export interface S3SinkSettings extends ObjectStoreSettings {
  readonly name: string
  /** Before every key. */
  readonly prefix?: string | undefined
}

/** So that an object can be read back whole within the bound of a reply. */
const objectBytesMax = 960 * 1024
const pageMax = 500

/**
 * Objects in S3, made once and never replaced: `entries/<origin>/<first seq>.ndjson` and `checkpoints/<origin>/<size>`. What is there
 * already counts as kept where it is the same; where it is not, somebody has two ledgers of one name, and nothing is acknowledged.
 */
export class S3Sink implements Sink {
  readonly name: string
  readonly #prefix: string
  readonly #store: ObjectStore
  /** Sizes that this process has published or found, by origin. */
  readonly #known = new Map<string, number>()

  constructor(settings: S3SinkSettings) {
    this.name = settings.name
    const prefix = settings.prefix?.replace(/^\/+|\/+$/g, '') ?? ''
    this.#prefix = prefix === '' ? '' : `${prefix}/`
    this.#store = new ObjectStore(settings)
  }

  async send({ origin, entries }: SinkBatch, signal: AbortSignal): Promise<void> {
    let left = entries
    while (left.length > 0) {
      const part = left.slice(0, fitting(left))
      left = left.slice(await this.#keep(origin, part, signal))
    }
  }

  async publish({ origin, size, note }: SinkCheckpoint, signal: AbortSignal): Promise<void> {
    const key = this.#checkpointKey(origin, size)
    if ((await this.#store.make(key, Buffer.from(note), 'text/plain; charset=utf-8', signal)) === 'there') {
      const there = (await this.#store.read(key, signal)).toString()
      // Signatures may differ; what is signed may not.
      if (signedPart(there) !== signedPart(note)) {
        throw new NotAcknowledged(`${key} is the checkpoint of another log: ${forked}`)
      }
    }
    this.#known.set(origin, Math.max(size, this.#known.get(origin) ?? 0))
  }

  async newest({ origin }: SinkLog, signal: AbortSignal): Promise<string | undefined> {
    const size = await this.#newestSize(origin, signal)
    if (size === undefined) return undefined
    this.#known.set(origin, size)
    return (await this.#store.read(this.#checkpointKey(origin, size), signal)).toString()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** Keeps entries as one object; resolves with how many of them are kept then: fewer where an earlier try had made a shorter one. */
  async #keep(origin: string, entries: readonly SinkEntry[], signal: AbortSignal): Promise<number> {
    const { first } = rangeOf(entries)
    const key = `${this.#prefix}entries/${origin}/${padded(first)}.ndjson`
    const bytes = ndjson(entries)
    if ((await this.#store.make(key, bytes, 'application/x-ndjson', signal)) === 'made') return entries.length
    const there = await this.#store.read(key, signal)
    const common = Math.min(there.length, bytes.length)
    const same =
      there.length > 0 && there.at(-1) === newline && there.subarray(0, common).equals(bytes.subarray(0, common))
    if (!same) throw new NotAcknowledged(`${key} holds other entries: ${forked}`)
    return there.length >= bytes.length ? entries.length : lines(there)
  }

  /**
   * Listings go from the smallest on, and there may be millions: so it is looked for by halving the range of sizes until a page holds
   * the end.
   */
  async #newestSize(origin: string, signal: AbortSignal): Promise<number | undefined> {
    const page = async (after: number | undefined) => {
      // A slash sorts just before the digits.
      const from = after === undefined ? `${this.#checkpointKey(origin)}/` : this.#checkpointKey(origin, after)
      const { keys, more } = await this.#store.list(this.#checkpointKey(origin), from, pageMax, signal)
      const sizes = keys.map(sizeOf).filter((size) => size !== undefined)
      return { last: sizes.at(-1), more }
    }
    let newest = this.#known.get(origin)
    let end: number | undefined
    for (let probe = newest; ; probe = between(newest ?? 0, end)) {
      const { last, more } = await page(probe)
      newest = last ?? newest
      if (last !== undefined && !more) return newest
      if (last === undefined) end = probe ?? 0
      if (end !== undefined && end <= (newest ?? 0) + 1) return newest
    }
  }

  #checkpointKey(origin: string, size?: number): string {
    return `${this.#prefix}checkpoints/${origin}/${size === undefined ? '' : padded(size)}`
  }
}

const newline = 0x0a
const forked =
  'it was written by another deployment of this origin, or the database went back; compare the two before either goes on'

function between(from: number, end: number | undefined): number {
  return end === undefined ? Math.max(1, from * 2) : Math.floor((from + end) / 2)
}

/** As many digits as any seq has, so that keys sort as numbers do. */
function padded(seq: number): string {
  return String(seq).padStart(20, '0')
}

function sizeOf(key: string): number | undefined {
  const digits = /\/(\d{20})$/.exec(key)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** How many entries go into one object; at least one. */
function fitting(entries: readonly SinkEntry[]): number {
  let bytes = 0
  const over = entries.findIndex(({ entry }) => (bytes += entry.length + 1) > objectBytesMax)
  return over < 0 ? entries.length : Math.max(1, over)
}

function lines(bytes: Buffer): number {
  return bytes.reduce((count, byte) => (byte === newline ? count + 1 : count), 0)
}

/** The text of a signed note up to its signatures (C2SP signed-note). */
function signedPart(note: string): string {
  const end = note.indexOf('\n\n')
  return end < 0 ? note : note.slice(0, end)
}
