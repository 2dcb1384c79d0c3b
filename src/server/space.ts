import { statfs } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Method } from '@portcullis/contract'
import { refuse, type Refusal } from '#core'

export interface SpaceSettings {
  /** The folder of the embedded PostgreSQL; undefined where the disk is another machine's. */
  readonly dir: string | undefined
  /** 0: no mark. */
  readonly freeBytesMin: number
  readonly freeBytes?: (dir: string) => Promise<number>
}

const everyMs = 2_000

/**
 * Free space under the store (SPEC O14). Below the mark writes are refused; below a quarter of it everything that leaves an entry is,
 * reads too: PostgreSQL itself never runs full.
 */
export class Space {
  readonly #settings: SpaceSettings
  readonly #log: Logger
  readonly #timer: NodeJS.Timeout | undefined
  #free: number | undefined
  #short = false

  constructor(settings: SpaceSettings, log: Logger) {
    this.#settings = settings
    this.#log = log
    if (settings.dir === undefined || settings.freeBytesMin === 0) return
    this.#timer = setInterval(() => void this.look(), everyMs)
    this.#timer.unref()
  }

  /** As last seen. */
  get freeBytes(): number | undefined {
    return this.#free
  }

  /** The refusal of a call that the space does not allow. What takes power away goes on until reads end, too. */
  refusal(method: Pick<Method, 'access' | 'shedLast'>): Refusal | undefined {
    const { freeBytesMin } = this.#settings
    if (this.#free === undefined || this.#free >= freeBytesMin) return undefined
    const last = method.access !== 'write' || method.shedLast
    if (last && this.#free >= freeBytesMin / 4) return undefined
    return refuse('store.full', `${this.#free} bytes free, the mark is ${freeBytesMin}`, { retryAfterSeconds: 30 })
  }

  /** Never rejects: where nobody knows how much is free, PostgreSQL decides. */
  async look(): Promise<void> {
    const { dir, freeBytesMin, freeBytes = freeBytesOf } = this.#settings
    if (dir === undefined || freeBytesMin === 0) return
    try {
      this.#free = await freeBytes(dir)
    } catch (error) {
      this.#free = undefined
      this.#log.debug({ event: 'space.unknown', err: error }, 'the free space of the store is not known')
    }
    const short = this.#free !== undefined && this.#free < freeBytesMin
    if (short === this.#short) return
    this.#short = short
    const fields = { freeBytes: this.#free, freeBytesMin }
    if (short) this.#log.error({ event: 'space.short', ...fields }, 'the store is short of space: writes are refused')
    else this.#log.info({ event: 'space.enough', ...fields }, 'the store has space again')
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

async function freeBytesOf(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir)
  return bavail * bsize
}
