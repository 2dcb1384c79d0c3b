import { stderr, stdout } from 'node:process'
import { isatty } from 'node:tty'
import { loadServerRoom, type ServerRoom } from './server-room.ts'

/** All that a command touches outside itself, so that tests run commands in their own process. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: Terminal
  readonly err: Terminal
  readonly stdin: AsyncIterable<Uint8Array | string>
  /** Asks the person at the terminal and does not show what is typed; undefined where stdin is no terminal. */
  readonly askSecret?: ((prompt: string) => Promise<string>) | undefined
  /** Wall time in milliseconds since the epoch. */
  now(): number
  /** Milliseconds that never go back. */
  monotonic(): number
  sleep(ms: number): Promise<void>
  onSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): void
  /** Ends the process at once. */
  exit(code: number): void
  /** The server room, loaded on first use: client commands start without it. */
  server(): Promise<ServerRoom>
}

export interface Terminal {
  write(text: string): void
  /** A person reads it: progress may be shown. */
  readonly interactive: boolean
  readonly colours: boolean
  /** How wide it is, where a person reads it. */
  readonly columns?: number | undefined
}

export function processIo(): Io {
  return {
    env: process.env,
    out: terminal(stdout),
    err: terminal(stderr),
    // Opened by those who read it.
    get stdin() {
      return process.stdin
    },
    askSecret: isatty(0) ? async (prompt) => (await import('./ask-secret.ts')).askSecret(prompt) : undefined,
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    onSignal: (listener) => {
      process.on('SIGINT', () => listener('SIGINT'))
      process.on('SIGTERM', () => listener('SIGTERM'))
    },
    exit: (code) => process.exit(code),
    server: loadServerRoom,
  }
}

/** Colours only for a person, and not against NO_COLOR (no-color.org: present and not empty). */
export function wantsColours(isTerminal: boolean, env: Io['env']): boolean {
  return isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

function terminal(stream: typeof stdout | typeof stderr): Terminal {
  // `portcullis ledger tail | head -1` closes the pipe early; that is no fault.
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 70))
  const interactive = isatty(stream.fd)
  return {
    write: (text) => void stream.write(text),
    interactive,
    colours: wantsColours(interactive, process.env),
    get columns() {
      return interactive ? stream.columns : undefined
    },
  }
}
