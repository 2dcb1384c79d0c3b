import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'

const signInShape = z.object({
  accessToken: z.string(),
  refreshToken: z.string(),
  /** Milliseconds since the epoch. */
  expiresAtMs: z.number(),
  scope: z.string(),
  operatorId: z.string(),
})
const fileShape = z.object({ version: z.literal(1), servers: z.record(z.string(), signInShape) })

/** What `portcullis login` keeps of one server. */
export type SavedSignIn = z.output<typeof signInShape>

const lockTries = 100
const lockWaitMs = 100
// Longer than any refresh takes: who held it is gone.
const lockStaleMs = 30_000

/**
 * Tokens of the person, by the URL of the server, in a file that only this user may read. Whoever changes it holds its lock: a
 * refresh token is good once, and two commands at a time must not both use it.
 */
export class SavedSignIns {
  readonly #file: string
  readonly #io: Pick<Io, 'now' | 'sleep'>

  constructor(io: Pick<Io, 'env' | 'now' | 'sleep'>) {
    const home = io.env['XDG_CONFIG_HOME'] || join(io.env['HOME'] || homedir(), '.config')
    this.#file = join(home, 'portcullis', 'credentials.json')
    this.#io = io
  }

  get file(): string {
    return this.#file
  }

  find(url: string): SavedSignIn | undefined {
    return this.#read()[url]
  }

  /** Changes what is kept of a server; `work` sees what is there once nobody else changes it. */
  async change<Result>(
    url: string,
    work: (
      saved: SavedSignIn | undefined,
    ) => Promise<{ readonly keep: SavedSignIn | undefined; readonly result: Result }>,
  ): Promise<Result> {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 })
    const unlock = await this.#lock()
    try {
      const { keep, result } = await work(this.find(url))
      const { [url]: _, ...others } = this.#read()
      this.#write(keep === undefined ? others : { ...others, [url]: keep })
      return result
    } finally {
      unlock()
    }
  }

  #read(): Readonly<Record<string, SavedSignIn>> {
    let text: string
    try {
      const { mode } = statSync(this.#file)
      if ((mode & 0o077) !== 0)
        throw new CliError('usage', 'cli.credentials_open', `Other users can read ${this.#file}.`, {
          todo: `Sign in again after: chmod 600 ${this.#file}`,
        })
      text = readFileSync(this.#file, 'utf8')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
      throw error
    }
    const parsed = fileShape.safeParse(parseJson(text))
    if (parsed.success) return parsed.data.servers
    throw new CliError('usage', 'cli.credentials_unknown', `${this.#file} is not what portcullis wrote.`, {
      todo: 'Remove it, and sign in again with `portcullis login`.',
    })
  }

  #write(servers: Readonly<Record<string, SavedSignIn>>): void {
    const draft = `${this.#file}.${process.pid}`
    writeFileSync(draft, `${JSON.stringify({ version: 1, servers }, null, 2)}\n`, { mode: 0o600 })
    chmodSync(draft, 0o600)
    renameSync(draft, this.#file)
  }

  async #lock(): Promise<() => void> {
    const lock = `${this.#file}.lock`
    for (let attempt = 0; attempt < lockTries; attempt += 1) {
      try {
        mkdirSync(lock)
        return () => rmSync(lock, { recursive: true, force: true })
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
        if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > lockStaleMs)
          rmSync(lock, { recursive: true, force: true })
      }
      await this.#io.sleep(lockWaitMs)
    }
    throw new CliError('unavailable', 'cli.credentials_locked', `Another command holds ${lock}.`, {
      todo: 'Wait for it, or remove that folder where no portcullis runs.',
    })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
