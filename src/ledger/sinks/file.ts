import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileChange } from './append-file.ts'
import { CheckpointFile } from './checkpoint-file.ts'
import { LogFile } from './log-file.ts'
import type { Sink, SinkBatch, SinkCheckpoint, SinkLog, SinkNotice } from './ports.ts'

export interface FileSinkSettings {
  readonly name: string
  readonly dir: string
  readonly notice: (notice: SinkNotice) => void
}

const openMax = 256

/**
 * A folder with two files for each log: its entries, one a line, as `ledger verify --offline` reads them, and its checkpoints.
 * Acknowledged means synced, and still in the file of that name.
 */
export class FileSink implements Sink {
  readonly name: string
  readonly #settings: FileSinkSettings
  readonly #logs = new Map<string, LogFile>()
  /** Least recently used first. */
  readonly #open = new Set<LogFile>()
  readonly #checkpoints = new Map<string, CheckpointFile>()
  /** Publishing appends from elsewhere than sending does: one after the other for each file. */
  #publishing: Promise<void> = Promise.resolve()

  constructor(settings: FileSinkSettings) {
    this.name = settings.name
    this.#settings = settings
  }

  async next({ log }: SinkLog): Promise<number> {
    return explained(this.#settings.dir, async () => (await this.#logFile(log)).next())
  }

  async send({ log, entries }: SinkBatch): Promise<void> {
    return explained(this.#settings.dir, async () => (await this.#logFile(log)).append(entries))
  }

  publish(checkpoint: SinkCheckpoint): Promise<void> {
    const published = this.#publishing.then(() =>
      explained(this.#settings.dir, async () => (await this.#checkpointFile(checkpoint.log)).append(checkpoint)),
    )
    this.#publishing = published.catch(() => undefined)
    return published
  }

  async newest({ log, origin }: SinkLog): Promise<string | undefined> {
    return explained(this.#settings.dir, () =>
      new CheckpointFile(this.#path(log, 'checkpoints'), () => undefined).newest(origin),
    )
  }

  async close(): Promise<void> {
    await this.#publishing
    await Promise.all([...this.#logs.values()].map((file) => file.close()))
  }

  /** Of many logs only the files of so many are kept open. */
  async #logFile(log: string): Promise<LogFile> {
    const known = this.#logs.get(log)
    const file = known ?? new LogFile(this.#path(log, 'ndjson'), log, (change, next) => this.#notice(change, log, next))
    if (known === undefined) await mkdir(this.#settings.dir, { recursive: true, mode: 0o700 })
    this.#logs.set(log, file)
    this.#open.delete(file)
    this.#open.add(file)
    const [oldest] = this.#open
    if (this.#open.size > openMax && oldest !== undefined) {
      this.#open.delete(oldest)
      await oldest.rest()
    }
    return file
  }

  async #checkpointFile(log: string): Promise<CheckpointFile> {
    const known = this.#checkpoints.get(log)
    if (known !== undefined) return known
    await mkdir(this.#settings.dir, { recursive: true, mode: 0o700 })
    const file = new CheckpointFile(this.#path(log, 'checkpoints'), (change) => this.#notice(change, log, undefined))
    this.#checkpoints.set(log, file)
    return file
  }

  /** One name for each log: a slash in it makes no folder, and dots lead nowhere. */
  #path(log: string, kind: 'ndjson' | 'checkpoints'): string {
    return join(this.#settings.dir, `${encodeURIComponent(log)}.${kind}`)
  }

  #notice(change: FileChange, log: string, next: number | undefined): void {
    const of = next === undefined ? 'checkpoints' : 'entries'
    const then = next === undefined ? 'the next checkpoint goes into a new one' : `it goes on with entry ${next}`
    this.#settings.notice({
      what: change,
      log,
      detail: `the file of ${of} was ${change} by somebody else; ${then}. ${todo[change]}`,
    })
  }
}

const todo = {
  moved: 'Keep the file that was moved: the new one does not hold what is in it.',
  deleted: 'Find out who deleted it; `chattr +a` on the folder keeps files from being deleted.',
  truncated: 'Find out who cut it; `chattr +a` on the file keeps it from being cut.',
  extended: 'Find out who wrote into it, and verify it: only one deployment may write into a folder.',
} as const satisfies Record<FileChange, string>

/** Errors of the file system hold a path and no advice. */
async function explained<Result>(dir: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
    if (code === undefined) throw error
    throw new Error(`${dir}: ${code}; ${advice[code] ?? 'look at the disk, and let this user write into the folder'}`, {
      cause: error,
    })
  }
}

const advice: Readonly<Record<string, string>> = {
  ENOENT: 'the folder is gone: make it again',
  ENOSPC: 'the disk is full: make room',
  EDQUOT: 'the quota is used up: raise it, or make room',
  EROFS: 'the file system is read-only: mount it for writing',
  EACCES: 'let this user write into the folder',
  EPERM: 'let this user write into the folder; a file with `chattr +i` cannot be added to',
  ELOOP: 'a file of the folder is a symbolic link: put the file itself there',
}
