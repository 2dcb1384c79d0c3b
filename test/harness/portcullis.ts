import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from './instance.ts'

/** Settings of a server that one key may load as it can. */
export const noLimits = {
  PORTCULLIS__LIMITS__RATE__KEY__PER_SECOND: '1000000',
  PORTCULLIS__LIMITS__RATE__KEY__BURST: '1000000',
} as const

const binary = fileURLToPath(new URL('../../bin/portcullis.js', import.meta.url))

export interface ReadyLine {
  readonly event: 'ready'
  readonly grpc: string
  readonly http: string
  readonly management: string
  readonly adminKey: string | null
  readonly consoleUrl: string | null
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A command of the product as a process of its own. */
export class Portcullis {
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  #stdout = ''
  #stderr = ''

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { PATH, HOME } = process.env
    this.child = spawn(process.execPath, [binary, ...args], {
      env: { PATH, HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()))
    this.child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    this.exited = once(this.child, 'close').then(([code, signal]) => ({
      code,
      signal,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }))
  }

  static up(dir: string, env: Readonly<Record<string, string>> = {}): Portcullis {
    return new Portcullis(['up', '--json', '--dir', dir], { ...freePorts, ...env })
  }

  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  /** The one line that says it is ready; rejects where the process ends before. */
  async ready(): Promise<ReadyLine> {
    const ended = this.exited.then((exit) => {
      throw new Error(`ended with ${exit.code} before it was ready: ${exit.stdout}${exit.stderr}`)
    })
    ended.catch(() => undefined)
    while (!this.#stdout.includes('\n')) await Promise.race([ended, once(this.child.stdout ?? this.child, 'data')])
    return JSON.parse(this.#stdout.slice(0, this.#stdout.indexOf('\n'))) as ReadyLine
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return this.exited
  }
}

export function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'portcullis-start-'))
}
